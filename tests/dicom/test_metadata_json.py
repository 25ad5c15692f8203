"""Metadata of DICOMweb by compiled code: the same as the typed model in Python writes, and the
rules of reference chapter 5, section 12, by hand."""

import contextlib
import json
import struct
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.encoded import BIG, EXPLICIT, IMPLICIT, element, file_of, fragments, item
from support.files import dicom_files

from orthanc_fast.dicom import dictionary
from orthanc_fast.dicom.attributes import BulkData, OtherBinary, read_attributes
from orthanc_fast.dicom.data_set_models import data_set_json, data_set_xml
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.metadata_json import PIXEL_HEADER, MetadataWriter
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import BadFileFormat, OrthancError

DICTIONARY = Dictionary()
MAIN_TAGS = MainTags(DICTIONARY, {})
MODES = get_args(OtherBinary)
WRITERS = {mode: MetadataWriter(DICTIONARY, mode) for mode in MODES}
PREFIX = "http://here/dicom-web/bulk/"
LARGEST = 5 << 20
PIXEL_DATA = 0x7FE00010
SYNTAXES = (EXPLICIT, IMPLICIT, BIG)
VRS = ["ZZ", *sorted(dictionary.VRS)]


def written(data: bytes, mode: OtherBinary = "BulkDataURI") -> Any:
    return json.loads(WRITERS[mode].json(data, "Latin1", PREFIX.encode()))


def modelled(data: bytes, mode: OtherBinary) -> Any:
    bulk = BulkData(mode, PREFIX)
    return json.loads(data_set_json(read_attributes(data, DICTIONARY, "Latin1", bulk)))


def value(vr: str, raw: bytes, syntax: str = EXPLICIT, tag: int = 0x00091010) -> Any:
    """What is shown of an element, without its VR."""
    creator = (0x00090010, "LO", b"ORTHANC_FAST TESTS")
    found = written(file_of(creator, (tag, vr, raw), syntax=syntax))[f"{tag:08X}"]
    del found["vr"]
    return found


@pytest.mark.parametrize("mode", MODES)
def test_equals_the_model_on_files(mode: OtherBinary) -> None:
    compared = 0
    for path in dicom_files():
        if path.stat().st_size <= LARGEST:
            compared += _compare(path, mode)
    assert compared > 200


def _compare(path: Path, mode: OtherBinary) -> bool:
    data = path.read_bytes()
    try:
        header = read_header(data, MAIN_TAGS, DICTIONARY)
    except OrthancError:
        return False  # no such file is ever stored
    offset = header.pixel_data_offset
    cut = data if offset is None else data[: offset + PIXEL_HEADER]
    assert written(cut, mode) == modelled(data, mode), path
    return True


TAGS = st.sampled_from(
    [
        *(0x00080008, 0x00080064, 0x00090010, 0x00091010, 0x00101010, 0x00280103, 0x00280106),
        *(0x00283006, 0x00290010, 0x002910AA, 0x00400275, 0x60003000, PIXEL_DATA),
    ]
)
TEXTS = st.text(st.sampled_from("0123456789+-.eE\\=^ \0Aaé~,\n"), max_size=12).map(
    lambda text: text.encode("latin-1")
)
RAW = st.one_of(TEXTS, st.binary(max_size=20))
ELEMENTS = st.lists(st.tuples(TAGS, st.sampled_from(VRS), RAW), max_size=6)


@given(ELEMENTS, ELEMENTS, st.sampled_from(SYNTAXES), st.sampled_from(MODES))
def test_equals_the_model_on_generated_files(
    outer: list[tuple[int, str, bytes]],
    inner: list[tuple[int, str, bytes]],
    syntax: str,
    mode: OtherBinary,
) -> None:
    """In any order, some tags twice, some values of other VRs, also in items."""
    content = item(b"".join(element(*each, syntax) for each in inner), syntax)
    nested = element(0x00081140, "SQ", content, syntax)
    body = b"".join(element(*each, syntax) for each in outer)
    data = file_of(syntax=syntax, tail=body + nested)
    try:
        expected = modelled(data, mode)
    except BadFileFormat:
        if any(tag == PIXEL_DATA for tag, _, _ in outer):
            return  # what follows them is looked at by the model only
        with pytest.raises(BadFileFormat):  # no such file is ever stored
            read_header(data, MAIN_TAGS, DICTIONARY)
        with contextlib.suppress(BadFileFormat):  # what is not shown need not be looked into
            written(data, mode)
        return
    assert written(data, mode) == expected


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_shown(tail: bytes) -> None:
    try:
        found = written(file_of(tail=tail))
    except BadFileFormat:
        return
    assert isinstance(found, dict)


def test_numbers_keep_their_64_bits() -> None:
    assert value("UV", struct.pack("<2Q", 2**64 - 1, 2**40 + 5)) == {
        "Value": [2**64 - 1, 2**40 + 5]
    }
    assert value("SV", struct.pack("<2q", -(2**63), 2**40 + 5)) == {"Value": [-(2**63), 2**40 + 5]}
    assert value("FD", struct.pack("<3d", 1e10, -0.5, 1e300)) == {"Value": [10**10, -0.5, 1e300]}


def test_what_is_no_number() -> None:
    raw = struct.pack("<3d", float("nan"), float("inf"), float("-inf"))
    assert value("FD", raw) == {"Value": [None, None, None]}
    assert value("FL", struct.pack("<f", 0.1)) == {"Value": [0.10000000149011612]}
    assert value("IS", rb"007\+5\1.0\ \9 ") == {"Value": [7, 5, None, 9]}
    assert value("DS", rb" 1,5\2.\abc\ +1e3") == {"Value": ["1.5", "2", "+1e3"]}


def test_texts() -> None:
    assert value("LT", rb"a\b ") == {"Value": ["a\\b"]}
    assert value("LO", b"A\\\\B\\ C ") == {"Value": ["A", None, "B", " C"]}
    assert value("LO", b"A\\") == {"Value": ["A", None]}
    assert value("PN", rb"A^B=C=D\\E") == {
        "Value": [
            {"Alphabetic": "A^B", "Ideographic": "C", "Phonetic": "D"},
            {},
            {"Alphabetic": "E"},
        ]
    }
    assert value("AT", struct.pack("<2H", 0x7FE0, 0x0010)) == {"Value": ["7FE00010"]}
    assert value("LO", b"") == {}


def test_addresses_name_items_from_one() -> None:
    inner = element(0x00091010, "OB", b"\1\2")
    data = file_of((0x00081140, "SQ", item(b"") + item(inner)))
    assert written(data)["00081140"] == {
        "Value": [{}, {"00091010": {"BulkDataURI": f"{PREFIX}00081140/2/00091010", "vr": "OB"}}],
        "vr": "SQ",
    }


@pytest.mark.parametrize(
    ("mode", "vr", "expected"),
    [
        ("BulkDataURI", "OB", {"BulkDataURI": PREFIX + "00091010"}),
        ("BulkDataURI", "OW", {"BulkDataURI": PREFIX + "00091010"}),
        ("InlineBinary", "OB", {"InlineBinary": "AQI="}),
        ("InlineBinary", "OW", {"InlineBinary": "AgE="}),
        ("InlineBinary", "UN", {"BulkDataURI": PREFIX + "00091010"}),
        ("ArrayOfValues", "OB", {"InlineBinary": "AQI="}),
        ("ArrayOfValues", "OW", {"Value": [0x0102]}),
        ("ArrayOfValues", "UN", {"BulkDataURI": PREFIX + "00091010"}),
    ],
)
def test_other_binary_modes_of_a_big_endian_file(
    mode: OtherBinary, vr: str, expected: dict[str, Any]
) -> None:
    creator = (0x00090010, "LO", b"ORTHANC_FAST TESTS")
    data = file_of(creator, (0x00091010, vr, b"\1\2"), syntax=BIG)
    assert written(data, mode)["00091010"] == {**expected, "vr": vr}


@pytest.mark.parametrize("mode", MODES)
def test_pixel_data_have_an_address_in_every_mode(mode: OtherBinary) -> None:
    expected = {"BulkDataURI": PREFIX + "7fe00010", "vr": "OW"}
    assert written(file_of((0x7FE00010, "OW", bytes(8))), mode)["7FE00010"] == expected
    compressed = file_of(tail=fragments(b"", b"\1\2"))
    assert written(compressed, mode)["7FE00010"] == {**expected, "vr": "OB"}
    assert written(file_of((0x7FE00010, "OW", b"")), mode)["7FE00010"] == {"vr": "OW"}


def test_what_follows_the_pixel_data_is_left_out() -> None:
    data = file_of((0x7FE00010, "OW", bytes(8)), (0xFFFCFFFC, "OB", bytes(8)))
    assert "FFFCFFFC" not in written(data)


def test_nested_too_deeply() -> None:
    content = b""
    for _ in range(63):
        content = element(0x00081140, "SQ", item(content))
    assert "00081140" in written(file_of(tail=content))
    with pytest.raises(BadFileFormat, match="nested"):
        written(file_of(tail=element(0x00081140, "SQ", item(content))))


def test_xml_has_the_addresses() -> None:
    creator = (0x00090010, "LO", b"ORTHANC_FAST TESTS")
    data = file_of(creator, (0x00091010, "UN", b"\1\2"))
    bulk = BulkData("BulkDataURI", PREFIX)
    document = data_set_xml(read_attributes(data, DICTIONARY, "Latin1", bulk)).decode()
    assert '<DicomAttribute tag="00091010" vr="UN" privateCreator="ORTHANC_FAST TESTS">' in document
    assert f'<BulkData uri="{PREFIX}00091010" />' in document


def test_keywords_of_retired_attributes() -> None:
    data = file_of((0x00080040, "US", b"\1\0"))
    bulk = BulkData("BulkDataURI", PREFIX)
    document = data_set_xml(read_attributes(data, DICTIONARY, "Latin1", bulk)).decode()
    assert 'keyword="DataSetType"' in document
