"""Uncommon values in our server and in Orthanc 1.13: the same identifiers, tags, metadata and
bytes. What is right is asserted in `test_uncommon_values`; here the other server says so."""

import struct
import zlib
from pathlib import Path

import httpx
import pytest
from support.encoded import BIG, EXPLICIT, IMPLICIT, Exactly, element, file_of, fragments, item
from support.reference_server import ReferenceServer
from support.server import OurServer

PIXELS = (0x7FE00010, "OW", b"abcdefgh")
TEXTS = [
    b" a",
    b"a \0",
    b"a\0 ",
    b"a  \0\0",
    b"\0a",
    b"a \0b",
    b"\ta\n",
    b" a\\ b ",
    b"\0",
    b"a\xa0",
]
UNKNOWN_VR = struct.pack("<HH2sH", 0x0008, 0x1030, b"--", 4) + b"head"
SIGNED = [(tag, "US", b"\xfe\xff") for tag in (0x280106, 0x280107, 0x280120, 0x281101, 0x603004)]

FILES: dict[str, bytes] = {}
DEFLATED = "1.2.840.10008.1.2.1.99"


def deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


for number, value in enumerate(TEXTS):
    for tag, vr in ((0x00100010, "PN"), (0x00100020, "LO"), (0x0020000D, "UI"), (0x00204000, "LT")):
        for syntax in (EXPLICIT, IMPLICIT):
            FILES[f"{vr} {number} {syntax[-2:]}"] = file_of(
                (tag, vr, Exactly(value)), syntax=syntax
            )
for vr in ("OB", "US", "UN", "FD", "IS", "??"):
    for tag in (0x00100020, 0x00200013, 0x00540081, 0x00280010):
        for value in (b"", b"7", b"7 ", b"\7\0\1"):
            FILES[f"{vr} {tag:08x} {value!r}"] = file_of((tag, vr, Exactly(value)), PIXELS)
for representation in (0, 1, 2):
    FILES[f"signed {representation}"] = file_of(
        (0x00280103, "US", bytes([representation, 0])), *SIGNED, PIXELS, syntax=IMPLICIT
    )
for syntax in (EXPLICIT, IMPLICIT, BIG):
    for group in (0x00000002, 0x00010010, 0x00041130, 0xFFFF0010):
        tail = element(group, "LO", b"abcd", syntax)
        FILES[f"group {group:08x} {syntax[-2:]}"] = file_of(PIXELS, syntax=syntax, tail=tail)
for count in (7, 8, 32, 33):
    FILES[f"zeros {count}"] = file_of(PIXELS, syntax=IMPLICIT, tail=bytes(count))
ITEM_END = 0xE00D
for syntax, order in ((EXPLICIT, "<"), (IMPLICIT, "<"), (BIG, ">")):
    for tag in (ITEM_END, 0xE0DD, 0xE000):  # the first ends a data set, whatever follows
        for length in (0, 4, 0xFFFFFFFF):
            mark = struct.pack(f"{order}HHI", 0xFFFE, tag, length)
            for name, tail in (
                ("end", mark),
                ("values", mark + bytes(4)),
                ("element", mark + element(0x7FE10010, "LO", b"abcd", syntax)),
            ):
                FILES[f"{tag:x} {length:x} {name} {syntax[-2:]}"] = file_of(
                    PIXELS, syntax=syntax, tail=tail
                )
for tag, value in (
    (0x00020002, b"1.2\0"),
    (0x00020010, b"1.2.840.10008.1.2\0"),
    (0x00020100, b"ab"),
):
    # What belongs into the header, at the beginning of a data set in implicit VR; or a header so.
    for syntax in (IMPLICIT, EXPLICIT):
        whole = file_of(syntax=syntax)
        at = whole.index(b"\x08\0\x16\0")
        inserted = element(tag, "UI", value, IMPLICIT)
        FILES[f"implicit {tag:x} {syntax[-2:]}"] = whole[:at] + inserted + whole[at:]
        if syntax == IMPLICIT:
            FILES[f"implicit header {tag:x}"] = inserted + whole[at:]
for count in (0, 7, 8, 16, 1024):
    for announced, data in ((EXPLICIT, bytes(count)), (DEFLATED, deflate(bytes(count)))):
        whole = file_of(announced=announced)
        at = whole.index(b"\x08\0\x16\0")
        FILES[f"nothing but {count} zeros {announced[-2:]}"] = whole[:at] + data
for name, inner in (
    ("unknown VR", UNKNOWN_VR),
    ("nested unknown VR", element(0x00081140, "SQ", item(UNKNOWN_VR))),
    ("UN sequence", element(0x00291010, "UN", b"\xfe\xff\xdd\xe0\0\0\0\0", length=0xFFFFFFFF)),
    ("group lengths", element(0x00080000, "UL", b"\4\0\0\0")),
):
    FILES[name] = file_of(tail=inner + element(*PIXELS))
for bits in (8, 16):
    FILES[f"compressed {bits}"] = file_of(
        (0x00280100, "US", bytes([bits, 0])),
        announced="1.2.840.10008.1.2.4.90",
        tail=fragments(b"", b"abcd").replace(b"OB", b"OW", 1),
    )

INDIVIDUAL = {"ReceptionDate", "RemoteIP"}


def seen(client: httpx.Client, data: bytes) -> object:
    """All that a server tells of a file, after which it is deleted; of a refused one the code."""
    answer = client.post("/instances", content=data)
    if answer.status_code != 200:
        return answer.status_code, answer.json()["OrthancStatus"]
    found = answer.json()
    path = f"/instances/{found['ID']}"
    metadata = client.get(f"{path}/metadata?expand").json()
    tags = client.get(f"{path}/tags?whole").json()
    told = [
        {key: value for key, value in found.items() if key != "Path"},
        {key: value for key, value in metadata.items() if key not in INDIVIDUAL},
        tags,
        client.get(f"{path}/tags?short").json(),
        *(client.get(f"{path}{level}").json()["MainDicomTags"] for level in LEVELS),
        client.get(path).json()["IndexInSeries"],
        {
            tag: client.get(f"{path}/content/{tag.replace(',', '-')}").content
            for tag, shown in tags.items()
            if shown["Type"] != "Sequence" and tag != "7fe0,0010"
        },
    ]
    client.delete(path)
    return told


LEVELS = ("", "/series", "/study", "/patient")


def test_uncommon_values(tmp_path: Path, needs_reference: None) -> None:
    """On new servers: the patient without an identifier is in many a file of other tests."""
    different = []
    with (
        OurServer(tmp_path / "ours") as our_server,
        ReferenceServer(tmp_path / "theirs") as reference_server,
        httpx.Client(base_url=our_server.url, timeout=60) as ours,
        httpx.Client(base_url=reference_server.url, timeout=60) as theirs,
    ):
        for name, data in FILES.items():
            pair = seen(ours, data), seen(theirs, data)
            if pair[0] != pair[1]:
                different.append((name, *pair))
    assert different == []


@pytest.mark.parametrize("name", ["PN 0 .1", "LO 1 .2", "UI 6 .1"])
def test_the_files_are_not_all_refused(our_server: OurServer, name: str) -> None:
    with httpx.Client(base_url=our_server.url, timeout=60) as client:
        assert isinstance(seen(client, FILES[name]), list)
