"""The options Dictionary, ExternalDictionaries and LoadPrivateDictionary, in both servers.

Source: reference chapter 2, section 1.7.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import reference_server
from support.encoded import EXPLICIT, IMPLICIT, Element, file_of
from support.pair import Pair, started_pair
from support.server import OurServer

from orthanc_fast.dicom.dictionary import Dictionary

# DCMTK's, of the installation of Orthanc 1.13.
FILES = [
    str((reference_server.root() or Path("/")) / f"usr/share/dcmtk/{name}.dic")
    for name in ("dicom", "private")
]

ADDED = {
    "0009,01": ["US", "AnyBlock", 1, 1, "ACME"],
    "0009,1002": ["LO", "BlockTen", 1, 0, "ACME"],
    "000b-1001": ["LO", "NoCreator", 1],
    "00111001": ["FL", "WithoutCreator", 1, 2],
    "d,1001": ["SH", "Short", 1, 1, "ACME"],
}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "added": {"Dictionary": ADDED},
    "external": {"ExternalDictionaries": FILES, "Dictionary": ADDED},
    "standard only": {"LoadPrivateDictionary": False, "Dictionary": ADDED},
}
ELEMENTS: tuple[Element, ...] = (
    (0x00090010, "LO", b"ACME"),
    (0x00090011, "LO", b"ACME "),
    (0x00091001, "US", struct.pack("<H", 4)),
    (0x00091002, "LO", b"ten"),
    (0x00091101, "US", struct.pack("<H", 5)),
    (0x00091102, "LO", b"eleven"),
    (0x000B1001, "LO", b"without"),
    (0x000D0010, "LO", b"ACME"),
    (0x000D1001, "SH", b"short"),
    (0x00101000, "LO", b"ID"),
    (0x00110010, "LO", b"OTHER"),
    (0x00111001, "FL", struct.pack("<f", 1.5)),
    (0x00203102, "CS", b"SOURCE"),
    (0x00280106, "US", struct.pack("<H", 4)),
    (0x00281101, "US", struct.pack("<HHH", 256, 0, 16)),
    (0x00281201, "OW", struct.pack("<HH", 1, 2)),
    (0x00283006, "US", struct.pack("<HH", 1, 2)),
    (0x00290010, "LO", b"SIEMENS CSA HEADER"),
    (0x00291008, "CS", b"IMAGE NUM 4"),
    (0x00291018, "CS", b"MR"),
    (0x00299908, "CS", b"MR"),
    (0x60FE0010, "US", struct.pack("<H", 4)),
    (0x60020022, "LO", b"overlay"),
)


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def pair(
    request: pytest.FixtureRequest,
    needs_reference: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("dictionaries")
    with pytest.MonkeyPatch.context() as environment:
        if request.param == "standard only":
            # The option does not reach an Orthanc whose dictionaries are named in the environment.
            environment.setenv("DCMDICTPATH", FILES[0])
        with started_pair(folder, CONFIGURATIONS[request.param]) as found:
            yield found


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_names_and_values(pair: Pair, syntax: str) -> None:
    data = file_of(*ELEMENTS, syntax=syntax)
    identifiers = [
        client.post("/instances", content=data).json()["ID"] for client in (pair.ours, pair.theirs)
    ]
    assert identifiers[0] == identifiers[1]
    for form in ("tags", "tags?short", "simplified-tags"):
        path = f"/instances/{identifiers[0]}/{form}"
        mine, other = (client.get(path).json() for client in (pair.ours, pair.theirs))
        assert mine == other, form


def test_files_do_not_become_tables_of_millions(needs_reference: None) -> None:
    """As they would if each private creator that may be had an entry."""
    texts = [Path(file).read_text("latin-1") for file in FILES]
    known = Dictionary(external=texts)
    assert 5000 < len(known.standard) < 20000
    assert known.name(0x00290010) == "PrivateCreator"
    assert known.vr(0x60FE0022) == "LO"


@pytest.mark.parametrize(
    "entries",
    [
        {"0009,1001": ["LO", "X"]},
        {"0009,1001": ["ZZ", "X", 1, 1]},
        {"0009,1001": ["LO", "X", 3, 2]},
        {"0009,1001": ["LO", "X", 0, 2]},
        {"0009,1001": ["LO", "X", 1, 1, "ACME", "more"]},
        {"0008,1001": ["LO", "X", 1, 1, "ACME"]},
        {"0007,1001": ["LO", "X", 1, 1, "ACME"]},
        {"ffff,1001": ["LO", "X", 1, 1, "ACME"]},
        {"0010,0010": ["PN", "X", 1, 1]},
        {"0029,08": ["CS", "X", 1, 1, "SIEMENS CSA HEADER"]},
        {"0009,1001": ["LO", "X", 1], "00091001": ["LO", "Y", 1]},
        {"tag": ["LO", "X", 1]},
    ],
    ids=str,
)
def test_entries_that_stop_the_start(tmp_path: Path, entries: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError):
        OurServer(tmp_path, {"Dictionary": entries}).start()
