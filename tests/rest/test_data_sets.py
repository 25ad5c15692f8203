"""Corners of data sets that no collection has, over HTTP: what Orthanc shows and refuses.

Source: reference chapter 2, sections 1, 3 and 9.
"""

import struct

import httpx
import pytest
from support import encoded
from support.encoded import BIG, EXPLICIT, IMPLICIT, Element, element, file_of, item

Clients = tuple[httpx.Client, httpx.Client]

JPEG = "1.2.840.10008.1.2.4.50"

PART_OF_ITEM: dict[int, tuple[str, bytes]] = {
    0x00720060: ("AT", b"12"),
    0x00720067: ("OF", b"123456"),
    0x00720073: ("OD", b"1234"),
    0x00720075: ("OL", b"12"),
    0x00720081: ("OV", b"1234"),
}


def upload(client: httpx.Client, data: bytes) -> str:
    answer = client.post("/instances", content=data)
    assert answer.status_code == 200, answer.text
    identifier: str = answer.json()["ID"]
    return identifier


@pytest.mark.parametrize("tag", PART_OF_ITEM)
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("is_nested", [False, True])
def test_values_that_are_no_whole_items(
    both: Clients, tag: int, syntax: str, is_nested: bool
) -> None:
    vr, value = PART_OF_ITEM[tag]
    bad = (tag, vr, value)
    if is_nested:
        bad = (0x00081140, "SQ", item(element(*bad, syntax)))
    for client in both:
        answer = client.post("/instances", content=file_of(bad, syntax=syntax))
        assert answer.status_code == 400
        assert answer.json()["OrthancError"] == "Bad file format"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_nested_sequences(ours: httpx.Client, syntax: str) -> None:
    """Orthanc 1.13 does not survive so many."""
    content = b""
    for depth in range(1, 65):
        data = file_of((0x00081140, "SQ", item(content, syntax)), syntax=syntax)
        content = element(0x00081140, "SQ", item(content, syntax), syntax)
        if depth >= 63:
            assert ours.post("/instances", content=data).status_code == (200, 400)[depth - 63]


def test_a_damaged_sequence_in_implicit_vr(both: Clients) -> None:
    data = file_of((0x00081140, "SQ", item(b"12345678abcd")), syntax=IMPLICIT)
    for answer in [client.post("/instances", content=data) for client in both]:
        assert answer.status_code == 400
        assert answer.json()["OrthancStatus"] == 15


def test_bad_lengths_after_the_pixel_data_do_not_count(ours: httpx.Client) -> None:
    after = ((0x7FE10010, "LO", b"ACME"), (0x7FE11001, "OF", b"123456"))
    data = file_of((0x7FE00010, "OB", b"12"), *after)
    tags = ours.get(f"/instances/{upload(ours, data)}/tags?whole&short").json()
    assert tags["7fe1,1001"].startswith("1.66")


def test_private_elements_in_implicit_vr(both: Clients) -> None:
    private = (
        (0x00290010, "LO", b"SIEMENS CSA HEADER  "),
        (0x00291008, "CS", b"IMAGE NUM 4   "),
        (0x00299908, "CS", b"NO CREATOR   "),
    )
    data = file_of(*private, syntax=IMPLICIT)
    identifier, _ = [upload(client, data) for client in both]
    for tag in ("0029-0010", "0029-1008", "0029-9908"):
        path = f"/instances/{identifier}/content/{tag}"
        mine, other = (client.get(path) for client in both)
        assert mine.content == other.content, tag


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_content_can_only_be_read(both: Clients, method: str) -> None:
    identifier, _ = [upload(client, CONTENT) for client in both]
    path = f"/instances/{identifier}/content/0010-0020"
    mine, other = (client.request(method, path) for client in both)
    assert mine.status_code == other.status_code == 404
    assert mine.json()["OrthancStatus"] == other.json()["OrthancStatus"]
    assert both[0].options(path).headers["allow"] == "GET,HEAD,OPTIONS"


CONTENT = file_of((0x00080050, "SH", b"abc"))


def test_native_pixel_data_in_a_compressed_syntax(both: Clients) -> None:
    for value in (b"", b"1234"):
        data = file_of((0x7FE00010, "OB", value), announced=JPEG)
        assert [client.post("/instances", content=data).status_code for client in both] == [400] * 2
    data = file_of(announced=JPEG, tail=encoded.fragments(b"", b"1234"))
    assert [client.post("/instances", content=data).status_code for client in both] == [200] * 2


def test_content_of_big_endian_files_is_little_endian(both: Clients) -> None:
    elements = (
        (0x00189073, "FD", struct.pack(">d", 1.5)),
        (0x00280009, "AT", struct.pack(">HH", 0x18, 0x1063)),
        (0x00280010, "US", struct.pack(">H", 2)),
        (0x00880200, "SQ", item(element(0x00280010, "US", struct.pack(">H", 9), BIG), BIG)),
        (0x7FE00010, "OW", struct.pack(">HH", 1, 2)),
    )
    data = file_of(*elements, syntax=BIG)
    identifier, _ = [upload(client, data) for client in both]
    for path in (
        "0018-9073",
        "0028-0009",
        "0028-0010",
        "0088-0200/0/0028-0010",
        "7fe0-0010/0",
    ):
        mine, other = (client.get(f"/instances/{identifier}/content/{path}") for client in both)
        assert mine.status_code == 200
        assert mine.content == other.content, path


def packed(form: str, *values: float) -> bytes:
    return struct.pack(f"<{form}", *values)


NULL, TOO_LONG = ("Null", None), ("TooLong", None)
E_ACUTE = b"\xe9"

# Element, how it is shown (type and value).
SHOWN: list[tuple[Element, tuple[str, object]]] = [
    ((0x00720076, "FL", packed("ff", 0.1, 1e10)), ("String", "0.10000000149011612\\10000000000")),
    (
        (0x00189073, "FD", packed("dddd", 0.1, 1e-7, float("nan"), float("-inf"))),
        ("String", "0.10000000000000001\\9.9999999999999995e-08\\nan\\-inf"),
    ),
    ((0x00720067, "OF", packed("ff", 0.1, -2)), ("String", "0.100000001\\-2")),
    ((0x00720073, "OD", packed("d", 0.1)), ("String", "0.10000000000000001")),
    ((0x00720075, "OL", packed("II", 5, 2**32 - 1)), ("String", "5\\4294967295")),
    ((0x00720081, "OV", packed("Q", 2**64 - 1)), ("String", str(2**64 - 1))),
    ((0x00720082, "SV", packed("q", -(2**62))), ("String", str(-(2**62)))),
    (
        (0x00280009, "AT", packed("HHHH", 0x18, 0x1063, 0x7FE0, 0x10)),
        ("String", "0018,1063\\7fe0,0010"),
    ),
    ((0x0072007E, "SS", packed("hh", -7, 7)), ("String", "-7\\7")),
    ((0x00720067, "OF", b""), ("String", "")),
    ((0x00720060, "AT", b""), ("String", "")),
    ((0x00720083, "UV", b""), NULL),
    ((0x00189073, "FD", b""), NULL),
    ((0x00100040, "CS", b""), ("String", "")),
    ((0x00720065, "OB", b"ab"), NULL),
    ((0x00720069, "OW", b"ab"), NULL),
    ((0x00281101, "US", packed("HHH", 256, 0, 16)), ("String", "256\\0\\16")),
    # Items that are not whole
    ((0x00720078, "UL", packed("IIH", 1, 2, 3)), ("String", "1")),
    ((0x00720076, "FL", b"\0\0"), NULL),
    # The VR of the file, and those that nobody knows
    ((0x00280010, "SH", b"12"), ("String", "12")),
    ((0x00080050, "US", packed("H", 5)), ("String", "5")),
    ((0x00080050, "??", b"ab"), NULL),
    ((0x00080050, "\0\0", b"ab"), NULL),
    # UN
    ((0x00080050, "UN", b"abc "), ("String", "abc ")),
    ((0x00080050, "UN", b"a\0bc\0\0"), ("String", "a\0bc\0")),
    ((0x00080050, "UN", b"\xe9a"), ("String", "\u00e9a")),
    ((0x00080050, "UN", b""), ("String", "")),
    ((0x00280010, "UN", packed("H", 1)), NULL),
    ((0x00081140, "UN", item(element(0x00080050, "SH", b"ab", IMPLICIT))), NULL),
    ((0x00291099, "UN", b"ab"), NULL),
    # Limits
    ((0x00204000, "LT", b"a" * 256), ("String", "a" * 256)),
    ((0x00204000, "LT", b"a" * 258), TOO_LONG),
    ((0x00204000, "LT", E_ACUTE * 128), ("String", "\u00e9" * 128)),
    ((0x00204000, "LT", E_ACUTE * 130), TOO_LONG),
    ((0x00280010, "US", packed("H", 1) * 128), ("String", "\\".join("1" * 128))),
    ((0x00280010, "US", packed("H", 1) * 129), TOO_LONG),
]


@pytest.mark.parametrize(("shown", "expected"), SHOWN, ids=str)
def test_values(ours: httpx.Client, shown: Element, expected: tuple[str, object]) -> None:
    identifier = upload(ours, file_of(shown))
    key = f"{shown[0] >> 16:04x},{shown[0] & 0xFFFF:04x}"
    found = ours.get(f"/instances/{identifier}/tags").json()[key]
    assert (found["Type"], found["Value"]) == expected


def test_limits_that_are_lifted(ours: httpx.Client) -> None:
    data = file_of(
        (0x00081140, "SQ", item(element(0x00204000, "LT", b"b" * 300))),
        (0x00204000, "LT", b"a" * 300),
        (0x00280010, "US", packed("H", 1) * 300),
        (0x00720075, "OL", packed("I", 1) * 300),
    )
    path = f"/instances/{upload(ours, data)}/tags?short&ignore-length="
    found = ours.get(f"{path}ImageComments,0028-0010,00720075").json()
    assert found["0020,4000"] == "a" * 300
    assert found["0008,1140"] == [{"0020,4000": "b" * 300}]
    assert found["0028,0010"] == "\\".join("1" * 300)
    assert found["0072,0075"] == "\\".join("1" * 256)  # never more of OL


FILE = file_of((0x7FE00010, "OB", b"12"))
START = 132

REFUSED: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 400),
    "no preamble": (FILE[128:], 400),
    "a byte is missing": (FILE[:-1], 400),
    "a value is missing": (FILE[:-2], 400),
    "rubbish behind": (FILE + b"abc", 400),
    "zeros behind": (FILE + bytes(100), 400),
    "longer than the file": (file_of(tail=element(0x7FE00010, "OB", b"ab", length=99)), 400),
    "not closed": (
        file_of(tail=element(0x00081140, "SQ", item(b""), length=encoded.UNDEFINED)),
        400,
    ),
    "implicit as explicit": (file_of(syntax=IMPLICIT, announced=EXPLICIT), 400),
    "explicit as implicit": (file_of(syntax=EXPLICIT, announced=IMPLICIT), 400),
    "little as big": (file_of(syntax=EXPLICIT, announced=BIG), 400),
    "deflated that is not": (file_of(announced="1.2.840.10008.1.2.1.99"), 400),
    "no study": (file_of().replace(b"\x20\0\x0d\0UI", b"\x20\0\x0c\0UI"), 404),
    "empty study": (file_of((0x0020000D, "UI", b"")), 400),
    "blank series": (file_of((0x0020000E, "UI", b"\0\0")), 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_are_refused(both: Clients, name: str) -> None:
    data, status = REFUSED[name]
    answers = [client.post("/instances", content=data) for client in both]
    assert [answer.status_code for answer in answers] == [status, status]
    codes = [answer.json()["OrthancStatus"] for answer in answers]
    assert codes[0] == codes[1]


US_16 = (0x00280100, "US", packed("H", 16))
US_8 = (0x00280100, "US", packed("H", 8))


@pytest.mark.parametrize(
    ("data", "vr"),
    [
        (file_of(US_8, (0x7FE00010, "OB", b"12")), None),
        (file_of(US_8, (0x7FE00010, "OW", b"12")), "OW"),
        (file_of(US_16, (0x7FE00010, "OW", b"12")), None),
        (file_of(US_16, (0x7FE00010, "OB", b"12")), "OB"),
        (file_of(US_16, (0x7FE00010, "UN", b"12")), "UN"),
        (file_of(US_8, (0x7FE00010, "OW", b"12"), syntax=IMPLICIT), None),
        (file_of(announced=JPEG, tail=encoded.fragments(b"", b"12")), None),
    ],
)
def test_where_pixel_data_begin(ours: httpx.Client, data: bytes, vr: str | None) -> None:
    metadata = ours.get(f"/instances/{upload(ours, data)}/metadata?expand").json()
    assert metadata["PixelDataOffset"] == str(data.index(b"\xe0\x7f\x10\0"))
    assert metadata.get("PixelDataVR") == vr


@pytest.mark.parametrize(
    "data",
    [
        file_of(),
        FILE[START:],
        file_of((0x00080050, "??", b"ab"), (0x7FE00010, "OB", b"12")),
        file_of((0x7FE00010, "OB", b"12"), announced="1.2.3.4"),
        file_of((0x00880200, "SQ", item(element(0x7FE00010, "OB", b"12")))),
    ],
)
def test_no_offset_where_a_strict_walk_fails(ours: httpx.Client, data: bytes) -> None:
    identifier = upload(ours, data)
    metadata = ours.get(f"/instances/{identifier}/metadata?expand").json()
    assert not {"PixelDataOffset", "PixelDataVR"} & metadata.keys()
    assert "0010,0020" in ours.get(f"/instances/{identifier}/tags?short").json()
