"""Values that no standard has but files do: white space and NULs in texts and UIDs, odd lengths,
VRs that are unknown or not the attribute's. What is asserted was seen on Orthanc 1.13.0."""

import json
import struct

import pytest
from support.encoded import BIG, EXPLICIT, IMPLICIT, Exactly, element, file_of, fragments, item

from orthanc_fast.dicom.content import content
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.identifiers import identify
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.pixel_layout import find_layout
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.dicom.tag_json import tags_json
from orthanc_fast.errors import BadFileFormat, BadParameterType, InexistentTag, OrthancError
from orthanc_fast.model import Header, Level

DICTIONARY = Dictionary()
MAIN_TAGS = MainTags(DICTIONARY, {})
PATIENT_NAME, PATIENT_ID, STUDY_UID = 0x00100010, 0x00100020, 0x0020000D
SOP_CLASS, INSTANCE_NUMBER, IMAGE_INDEX = 0x00080016, 0x00200013, 0x00541330
NUMBER_OF_SLICES, ROWS, STUDY_DESCRIPTION = 0x00540081, 0x00280010, 0x00081030
UNDEFINED = 0xFFFFFFFF
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)


def header(data: bytes) -> Header:
    return read_header(data, MAIN_TAGS, DICTIONARY)


def shown(data: bytes, tag: int) -> object:
    """The value in the JSON; a KeyError where the tag is not shown."""
    return json.loads(tags_json(data, "short", DICTIONARY))[f"{tag >> 16:04x},{tag & 0xFFFF:04x}"]


def raw(data: bytes, tag: int) -> object:
    return content(data, [f"{tag >> 16:04x}-{tag & 0xFFFF:04x}"], DICTIONARY)


# Value in the file, shown text, bytes of /content.
TEXTS = [
    (b"a ", "a", b"a "),
    (b"a \0", "a", b"a "),
    (b"a\0 ", "a", b"a "),
    (b"a  \0\0", "a", b"a "),
    (b" \0 \0", "", b""),
    (b"\0a", "", b"\0a"),
    (b"a\0b ", "a", b"a\0b "),
    (b"a \0b", "a ", b"a \0b"),
    (b" a", " a", b" a"),
    (b"\ta\t", "\ta\t", b"\ta\t "),
    (b" a\\ b ", " a\\ b", b" a\\ b "),
]
UIDS = [
    (b" a", "a", b"a\0"),
    (b"a ", "a", b"a\0"),
    (b"\ta\n", "a", b"a\0"),
    (b"\r\n a \v\f", "a", b"a\0"),
    (b"a\0\0", "a", b"a\0"),
    (b"a \0", "a", b"a\0"),
    (b"a b", "ab", b"ab"),
    (b" a \t\\ \n b ", "a\\b", b"a\\b\0"),
    (b"a \0b", "a", b"a\0b\0"),
    (b"\x1ca", "\x1ca", b"\x1ca"),
]


@pytest.mark.parametrize(("value", "text", "bytes_"), TEXTS)
@pytest.mark.parametrize("vr", ["AE", "CS", "DS", "IS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"])
def test_padding_of_texts(vr: str, value: bytes, text: str, bytes_: bytes) -> None:
    data = file_of((PATIENT_NAME, vr, Exactly(value)))
    assert shown(data, PATIENT_NAME) == text
    assert header(data).main_tags[Level.PATIENT][PATIENT_NAME] == text
    assert raw(data, PATIENT_NAME) == bytes_


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize(("value", "text", "bytes_"), UIDS)
def test_white_space_in_uids(value: bytes, text: str, bytes_: bytes, syntax: str) -> None:
    data = file_of((STUDY_UID, "UI", Exactly(value)), syntax=syntax)
    clean = file_of((STUDY_UID, "UI", text.encode()), syntax=syntax)
    assert shown(data, STUDY_UID) == text
    assert header(data).study_uid == header(clean).study_uid == text
    assert raw(data, STUDY_UID) == bytes_


def test_identifiers_do_not_depend_on_the_padding() -> None:
    same = {
        identify(header(file_of(*uids, (PATIENT_ID, "LO", Exactly(patient)))))
        for patient in (b"F0", b"F0 ", b"F0 \0", b"F0\0\0", b"F0\0x")
        for uids in (
            ((STUDY_UID, "UI", b"1.2"), (0x0020000E, "UI", b"1.3"), (0x00080018, "UI", b"1.4")),
            (
                (STUDY_UID, "UI", b" 1.2"),
                (0x0020000E, "UI", b"1.3\n"),
                (0x00080018, "UI", b"\t1.4"),
            ),
        )
    }
    assert len(same) == 1


@pytest.mark.parametrize("value", [b" ", b"\t \n", b"\0", b" \0a"])
def test_uids_of_white_space_are_empty(value: bytes) -> None:
    with pytest.raises(BadFileFormat):
        header(file_of((STUDY_UID, "UI", Exactly(value))))


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        *(("OB", b"ab"), ("OW", b"ab"), ("US", b""), ("SQ", b""), ("??", b"ab"), ("OB", b"")),
        ("LO", b"a" * 257),
    ],
)
@pytest.mark.parametrize("tag", [PATIENT_ID, STUDY_UID])
def test_identifiers_that_are_no_texts(tag: int, vr: str, value: bytes) -> None:
    with pytest.raises(BadParameterType):
        header(file_of((tag, vr, value)))


def test_missing_uids() -> None:
    data = file_of((STUDY_UID, "UI", b"1.2"))
    with pytest.raises(InexistentTag):
        header(data.replace(struct.pack("<HH", 0x20, 0xD), struct.pack("<HH", 0x20, 0xC)))


@pytest.mark.parametrize(
    ("vr", "value", "text"),
    [
        ("US", b"", None),
        ("US", b"\1", "1"),
        ("US", b"\1\0\2", "1\\2"),
        ("UL", b"\1\0\0\0\2\0", "1"),
        ("FL", bytes(3), "0"),
        ("FD", bytes(9), "0"),
        ("SS", b"\xff\xff", "-1"),
        ("UN", b"\1\0", None),
        ("UN", b"", None),
        ("OB", b"ab", None),
        ("??", b"ab", None),
        ("IS", b"7 ", "7"),
        ("OL", b"\1\0\0\0", "1"),
    ],
)
def test_main_tags_are_what_the_json_shows(vr: str, value: bytes, text: str | None) -> None:
    slices = file_of((NUMBER_OF_SLICES, vr, Exactly(value)))
    assert shown(slices, NUMBER_OF_SLICES) == text
    assert header(slices).main_tags[Level.SERIES].get(NUMBER_OF_SLICES) == text
    index = header(file_of((IMAGE_INDEX, vr, Exactly(value))))
    assert index.main_tags[Level.INSTANCE].get(IMAGE_INDEX) == text
    assert index.index_in_series == text


def test_an_instance_number_without_text_hides_the_image_index() -> None:
    numbers = ((INSTANCE_NUMBER, "OB", b"12"), (IMAGE_INDEX, "US", b"\5\0"))
    assert header(file_of(*numbers)).index_in_series is None


@pytest.mark.parametrize(
    ("vr", "value", "text"),
    [("UI", b"", ""), ("UI", b" 1.2", "1.2"), ("OB", b"12", None), ("UI", b"1" * 258, None)],
)
def test_sop_class(vr: str, value: bytes, text: str | None) -> None:
    assert header(file_of((SOP_CLASS, vr, value))).sop_class == text


@pytest.mark.parametrize(
    ("vr", "value", "bytes_"),
    [
        ("OB", b"abc", b"abc\0"),
        ("UN", b"abc", b"abc\0"),
        ("UL", b"abc", b"abc\0"),
        ("OW", b"abc", b"abc"),
        ("LT", b"abc", b"abc "),
    ],
)
def test_content_has_an_even_length(vr: str, value: bytes, bytes_: bytes) -> None:
    assert raw(file_of((0x00420011, vr, Exactly(value))), 0x00420011) == bytes_


# Unknown VRs


def with_vr(code: bytes, is_long: bool, before: bytes = struct.pack("<HH", 0x10, 0x10)) -> bytes:
    """A file with a StudyDescription `head` of this VR before the element that begins like that."""
    data = file_of((PATIENT_NAME, "PN", b"Doe^John"), (0x7FE00010, "OW", b"abcd"))
    length = struct.pack("<HI", 0, 4) if is_long else struct.pack("<H", 4)
    at = data.index(before)
    return data[:at] + struct.pack("<HH", 0x0008, 0x1030) + code + length + b"head" + data[at:]


@pytest.mark.parametrize(
    "code", [b"  ", b"--", b"**", b"??", b"lo", b"Lo", b"LO"[:1] + b"1", b"\0\0", b"~\x7f"]
)
def test_unknown_vrs_have_a_short_length(code: bytes) -> None:
    data = with_vr(code, is_long=False)
    assert shown(data, STUDY_DESCRIPTION) is None
    assert shown(data, PATIENT_NAME) == "Doe^John"
    assert header(data).pixel_data_offset is None
    assert STUDY_DESCRIPTION not in header(data).main_tags[Level.STUDY]


def test_two_capitals_are_a_vr_of_a_later_edition() -> None:
    data = with_vr(b"ZZ", is_long=True)
    assert shown(data, STUDY_DESCRIPTION) is None
    assert shown(data, PATIENT_NAME) == "Doe^John"
    assert header(data).pixel_data_offset == data.index(struct.pack("<HH", 0x7FE0, 0x0010))


@pytest.mark.parametrize("code", [b"\x1f ", b"L\x80", b"\xff\xff", b"\0L"])
def test_what_can_be_no_vr(code: bytes) -> None:
    with pytest.raises(BadFileFormat):
        header(with_vr(code, is_long=False))


# Groups that belong elsewhere, and padding behind the data set


@pytest.mark.parametrize("count", [8, 16, 32, 64, 512])
@pytest.mark.parametrize("pixels", [(), ((0x7FE00010, "OW", b"abcd"),)])
def test_zero_bytes_behind_an_implicit_data_set(
    count: int, pixels: tuple[tuple[int, str, bytes], ...]
) -> None:
    data = file_of(*pixels, syntax=IMPLICIT)
    plain, longer = header(data), header(data + bytes(count))
    assert longer == plain
    simple = json.loads(tags_json(data + bytes(count), "short", DICTIONARY, whole=True))
    assert simple == json.loads(tags_json(data, "short", DICTIONARY)) | {"0000,0000": None}


@pytest.mark.parametrize("count", [1, 4, 7, 10, 33])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_other_rubbish_behind_the_data_set(count: int, syntax: str) -> None:
    for rubbish in (bytes(count), b" " * count, b"\xff" * count):
        with pytest.raises(BadFileFormat):
            header(file_of(syntax=syntax) + rubbish)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("tag", [0x00000002, 0x00010010, 0x00020010, 0x00041130, 0xFFFF0010])
def test_groups_of_messages_and_directories(tag: int, syntax: str) -> None:
    data = file_of((0x7FE00010, "OW", b"abcd"), syntax=syntax)
    data += element(tag, "LO", b"abcd", syntax)
    tags = json.loads(tags_json(data, "short", DICTIONARY, whole=True))
    assert tags[f"{tag >> 16:04x},{tag & 0xFFFF:04x}"] == "abcd"
    assert header(data).pixel_data_offset is not None


@pytest.mark.parametrize("tag", [0xFFFEE000, 0xFFFEE0DD])
def test_items_outside_of_sequences(tag: int) -> None:
    with pytest.raises(BadFileFormat):
        header(file_of(tail=element(tag, "", b"", IMPLICIT)))


# The image module


def test_an_image_module_in_un() -> None:
    """UN of a known element is little endian, whatever the transfer syntax: PS3.5 6.2.2."""
    numbers = {ROWS: 4, 0x00280011: 2, 0x00280100: 16, 0x00280101: 12, 0x00280102: 11}
    for syntax in (EXPLICIT, BIG):
        values = [(tag, "UN", struct.pack("<H", number)) for tag, number in numbers.items()]
        data = file_of(*values, (0x7FE00010, "OW", bytes(16)), syntax=syntax)
        for layout in (header(data).pixels, find_layout(data)):
            assert layout is not None
            found = (layout.rows, layout.columns, layout.bits_allocated, layout.bits_stored)
            assert (*found, layout.high_bit) == (4, 2, 16, 12, 11)
        assert shown(data, ROWS) is None  # as Orthanc


@pytest.mark.parametrize(
    ("vr", "value", "number"),
    [
        ("IS", b"--8 ", None),
        ("IS", b"9" * 20, None),
        ("IS", b" 8 ", 8),
        ("IS", b"8\\9", 8),
        ("UL", b"\x08\0\0\0", 8),
        ("SS", b"\x08\0", 8),
        ("US", b"\x08\0\x09\0", 8),
        ("US", b"", None),
        ("OB", b"\x08\0", None),
    ],
)
def test_rows_with_another_vr(vr: str, value: bytes, number: int | None) -> None:
    data = file_of((ROWS, vr, value), (0x7FE00010, "OW", bytes(16)))
    for layout in (header(data).pixels, find_layout(data)):
        assert layout is not None
        assert layout.rows == number


# PixelDataOffset and PixelDataVR


def offset_with(before: bytes) -> int | None:
    """PixelDataOffset of a file that has this before its pixel data."""
    data = file_of((0x7FE00010, "OW", b"abcdefgh"))
    at = data.rindex(struct.pack("<HH", 0x7FE0, 0x0010))
    found = header(data[:at] + before + data[at:]).pixel_data_offset
    assert found in (None, at + len(before))
    return found


def undefined_item(inner: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED) + inner + ITEM_END


def sequence(content: bytes, vr: str = "SQ") -> bytes:
    """One of undefined length."""
    return element(0x00291010, vr, content + SEQUENCE_END, length=UNDEFINED)


ODD = struct.pack("<HH2sH", 0x29, 0x1011, b"--", 4) + b"abcd"
LATER = struct.pack("<HH2sHI", 0x29, 0x1011, b"ZZ", 0, 4) + b"abcd"
RESERVED = struct.pack("<HH2sHI", 0x29, 0x1011, b"OB", 7, 4) + b"abcd"
HIDDEN = element(0x00081030, "LO", b"ab", IMPLICIT)


@pytest.mark.parametrize(
    ("before", "is_known"),
    [
        (b"", True),
        (LATER, True),
        (ODD, False),
        (RESERVED, False),
        (sequence(item(ODD)), True),
        (sequence(undefined_item(ODD)), False),
        (sequence(undefined_item(LATER)), True),
        (element(0x00291010, "SQ", undefined_item(ODD)), True),
        (sequence(b"", "UN"), True),
        (sequence(item(HIDDEN, IMPLICIT), "UN"), True),
        (sequence(undefined_item(HIDDEN), "UN"), False),
        (sequence(undefined_item(sequence(item(HIDDEN), "UN"))), True),
        (element(0x00880200, "SQ", item(fragments(b"", b"ab"))), True),
    ],
)
def test_pixel_data_offset(before: bytes, is_known: bool) -> None:
    assert (offset_with(before) is not None) == is_known


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
@pytest.mark.parametrize(
    ("vr", "bits", "deviates"),
    [
        *(("OB", 8, False), ("OW", 8, True), ("OB", 16, True), ("OW", 16, False)),
        *(("OB", 1, False), ("OW", 9, False), ("UN", 8, True)),
    ],
)
def test_pixel_data_vr(vr: str, bits: int, deviates: bool, syntax: str) -> None:
    allocated = struct.pack(">H" if syntax == BIG else "<H", bits)
    data = file_of((0x00280100, "US", allocated), (0x7FE00010, vr, bytes(8)), syntax=syntax)
    assert header(data).pixel_data_vr == (vr if deviates else None)


@pytest.mark.parametrize("vr", [b"OB", b"OW"])
@pytest.mark.parametrize("bits", [8, 16])
def test_compressed_pixel_data_deviate_never(vr: bytes, bits: int) -> None:
    data = file_of((0x00280100, "US", struct.pack("<H", bits)), announced="1.2.840.10008.1.2.4.90")
    found = header(data + fragments(b"", b"abcd").replace(b"OB", vr, 1))
    assert found.pixel_data_offset == len(data)
    assert found.pixel_data_vr is None


# US or SS in implicit VR

SIGNED = (
    *(0x00280106, 0x00280107, 0x00280108, 0x00280109, 0x00280120, 0x00280121, 0x00283002),
    *(0x00409211, 0x00409216, 0x00603004, 0x00603006),
)
UNCLEAR = tuple(
    tag
    for tag, (_, vr) in DICTIONARY.standard.items()
    if b" or " in vr and tag not in SIGNED and tag < 0x7F000000 and (tag >> 24) not in (0x50, 0x60)
)
VALUE = b"\xfe\xff\1\0"


@pytest.mark.parametrize(
    ("representation", "text"), [(None, None), (0, "65534\\1"), (1, "-2\\1"), (2, "65534\\1")]
)
def test_pixel_representation_decides(representation: int | None, text: str | None) -> None:
    values = [(tag, "US", VALUE) for tag in (*SIGNED, *UNCLEAR)]
    if representation is not None:
        values.append((0x00280103, "US", struct.pack("<H", representation)))
    data = file_of(*values, syntax=IMPLICIT)
    assert {shown(data, tag) for tag in SIGNED} == {text}
    assert {shown(data, tag) for tag in UNCLEAR} == {None}
    extra = MainTags(DICTIONARY, {"Instance": ["0028,0106", "0028,1101"]})
    tags = read_header(data, extra, DICTIONARY).main_tags[Level.INSTANCE]
    assert tags.get(0x00280106) == text
    assert 0x00281101 not in tags


def test_only_the_own_data_set_decides() -> None:
    def inner(*before: bytes) -> bytes:
        return item(b"".join(before) + element(0x00283002, "US", VALUE, IMPLICIT), IMPLICIT)

    own = element(0x00280103, "US", b"\0\0", IMPLICIT)
    root = (0x00280103, "US", b"\1\0")
    data = file_of(root, (0x00283000, "SQ", inner(own) + inner()), syntax=IMPLICIT)
    items = [entry["0028,3002"] for entry in shown(data, 0x00283000)]  # type: ignore[attr-defined]
    assert items == ["65534\\1", None]


def test_group_lengths_are_shown() -> None:
    data = file_of((0x00080000, "UL", b"\x10\0\0\0"), (0x00280000, "UL", b"\1\0\0\0"))
    full = json.loads(tags_json(data, "full", DICTIONARY))
    assert full["0008,0000"] == {"Name": "GenericGroupLength", "Type": "String", "Value": "16"}
    assert raw(data, 0x00080000) == b"\x10\0\0\0"
    assert "0008-0000" in (content(data, [], DICTIONARY) or ())


@pytest.mark.parametrize("length", range(0, 40))
def test_no_value_makes_an_unforeseen_error(length: int) -> None:
    """Every VR with every length, in the places where texts and numbers are made of values."""
    for vr in ("US", "UN", "AT", "FD", "SV", "OB", "UI", "IS", "??"):
        value = Exactly((b"\0 1\\\xff\t-" * 6)[:length])
        tags = (PATIENT_ID, STUDY_UID, ROWS, NUMBER_OF_SLICES, INSTANCE_NUMBER, 0x00280103)
        for syntax in (EXPLICIT, BIG, IMPLICIT):
            for tag in tags:
                data = file_of((tag, vr, value), (0x7FE00010, "OW", b"abcd"), syntax=syntax)
                try:
                    header(data)
                    tags_json(data, "full", DICTIONARY)
                    find_layout(data)
                except OrthancError:
                    continue
