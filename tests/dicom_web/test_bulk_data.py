"""Bulk data against Orthanc's plugin: values, parts, statuses. Source: reference chapter 5, section
6."""

import struct
from collections.abc import Iterator

import httpx
import pytest
from support.dicom_web import DicomWebPair, parts
from support.encoded import BIG, IMPLICIT, element, file_of, fragments, item

UID = "1.2.826.0.1.3680043.10.1042.66"
ROOT = f"/dicom-web/studies/{UID}.1/series/{UID}.2/instances/{UID}"
OCTETS = "application/octet-stream"
JPEG = "1.2.840.10008.1.2.4.50"
DOCUMENT = b"%PDF-1.4 odd!"

INNER = item(element(0x00080100, "SH", b"A ")) + item(
    element(0x00080100, "SH", b"B ")
    + element(0x00091010, "OB", b"\1\2")
    + element(0x00081140, "SQ", item(element(0x00081150, "UI", b"1.2\0")))
)


def numbered(name: str) -> list[tuple[int, str, bytes]]:
    return [
        (0x00080018, "UI", f"{UID}.{name}".encode()),
        (0x0020000D, "UI", f"{UID}.1".encode()),
        (0x0020000E, "UI", f"{UID}.2".encode()),
        (0x00100020, "LO", b"BULK"),
    ]


PLAIN = file_of(
    *numbered("7"),
    (0x00081030, "LO", b"odd"),
    (0x00081032, "SQ", INNER),
    (0x00081070, "PN", b""),
    (0x00420011, "OB", DOCUMENT + b"\0"),
    (0x00420012, "LO", b"application/pdf"),
    (0x7FE00010, "OW", bytes(range(200)) * 100),
)
COMPRESSED = file_of(
    *numbered("8"), announced=JPEG, tail=fragments(bytes(4), b"\xff\xd8ab", b"\xff\xd8cdef")
)
ONE_FRAGMENT = file_of(*numbered("9"), announced=JPEG, tail=fragments(b"", b"\xff\xd8ab"))
BIG_ENDIAN = file_of(
    *numbered("10"), (0x00280010, "US", b"\0\x10"), (0x7FE00010, "OW", b"\1\2\3\4"), syntax=BIG
)
IMPLICIT_FILE = file_of(*numbered("11"), (0x7FE00010, "OW", b"\1\2\3\4"), syntax=IMPLICIT)


@pytest.fixture(scope="module")
def filled(pair: DicomWebPair) -> Iterator[DicomWebPair]:
    pair.store(PLAIN, COMPRESSED, ONE_FRAGMENT, BIG_ENDIAN, IMPLICIT_FILE)
    yield pair


PATHS = [
    ".7/bulk/7fe00010",
    ".7/bulk/7FE00010",
    ".7/bulk/7fe0,0010",
    ".7/bulk/00081030",
    ".7/bulk/StudyDescription",
    ".7/bulk/00081070",
    ".7/bulk/00420011",
    ".7/bulk/00081032/1/00080100",
    ".7/bulk/00081032/2/00091010",
    ".7/bulk/00081032/2/00081140/1/00081150",
    ".8/bulk/7fe00010",
    ".9/bulk/7fe00010",
    ".10/bulk/00100020",
    ".11/bulk/7fe00010",
]


@pytest.mark.parametrize("path", PATHS)
def test_values_as_the_plugin_sends_them(filled: DicomWebPair, path: str) -> None:
    ours, theirs = filled.get(ROOT + path)
    assert ours.status_code == theirs.status_code == 200
    mine, other = parts(ours), parts(theirs)
    assert [part.content for part in mine] == [part.content for part in other]
    assert [part.headers for part in mine] == [part.headers for part in other]
    assert ours.headers["content-type"].startswith(f'multipart/related; type="{OCTETS}"')


STATUSES = [
    (".7/bulk", 404, 404),
    (".7/bulk/00089999", 404, 404),
    (".7/bulk/00020010", 404, 404),
    (".7/bulk/00081032/0/00080100", 404, 404),
    (".7/bulk/00081032/3/00080100", 404, 404),
    (".7/bulk/00081032/1", 400, 400),
    (".7/bulk/00081032/x/00080100", 400, 400),
    (".7/bulk/Nonsense", 400, 500),
    (".7/bulk/00081032", 404, 200),
    (".99/bulk/00081030", 404, 404),
]


@pytest.mark.parametrize(("path", "ours", "theirs"), STATUSES)
def test_statuses(filled: DicomWebPair, path: str, ours: int, theirs: int) -> None:
    answers = filled.get(ROOT + path)
    assert [answer.status_code for answer in answers] == [ours, theirs]


@pytest.mark.parametrize(
    ("accept", "ours", "theirs"),
    [
        ("*/*", 200, 200),
        ("multipart/*", 200, 200),
        ("multipart/related", 200, 200),
        (f'multipart/related; type="{OCTETS}"; transfer-syntax=*', 200, 200),
        (f"image/jpeg, multipart/related; type={OCTETS}", 200, 200),
        (OCTETS, 200, 400),
        ("application/*", 200, 400),
        ("image/jpeg", 406, 400),
        ("application/pdf", 406, 400),
    ],
)
def test_accept(filled: DicomWebPair, accept: str, ours: int, theirs: int) -> None:
    answers = filled.get(f"{ROOT}.7/bulk/7fe00010", headers={"accept": accept})
    assert [answer.status_code for answer in answers] == [ours, theirs]


def test_addresses_in_metadata_lead_here(filled: DicomWebPair) -> None:
    found = filled.ours.get(f"{ROOT}.7/metadata").json()[0]
    items = found["00081032"]["Value"]
    for member, expected in (
        (items[1]["00091010"], b"\1\2"),
        (found["00420011"], DOCUMENT + b"\0" * (len(DOCUMENT) % 2 + 1)),
        (found["7FE00010"], bytes(range(200)) * 100),
    ):
        answer = filled.ours.get(member["BulkDataURI"], headers={"accept": OCTETS})
        assert answer.content.rstrip(b"\0") == expected.rstrip(b"\0")


def test_values_of_big_endian_files_are_little_endian(filled: DicomWebPair) -> None:
    for path, expected in (("7fe00010", b"\2\1\4\3"), ("00280010", b"\x10\0")):
        answer = filled.ours.get(f"{ROOT}.10/bulk/{path}", headers={"accept": OCTETS})
        assert answer.content == expected


def test_ranges(filled: DicomWebPair) -> None:
    url = f"{ROOT}.7/bulk/7fe00010"
    whole = bytes(range(200)) * 100
    headers = {"accept": OCTETS}
    answer = filled.ours.get(url, headers=headers)
    assert answer.content == whole
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(whole))
    for text, first, stop in (("0-9", 0, 10), ("19990-", 19990, 20000), ("-5", 19995, 20000)):
        part = filled.ours.get(url, headers={**headers, "range": f"bytes={text}"})
        assert (part.status_code, part.content) == (206, whole[first:stop])
        assert part.headers["content-range"] == f"bytes {first}-{stop - 1}/{len(whole)}"
    assert filled.ours.get(url, headers={**headers, "range": "bytes=20000-"}).status_code == 416


def test_documents_and_fragments_by_themselves(filled: DicomWebPair) -> None:
    url = f"{ROOT}.7/bulk/EncapsulatedDocument"
    answer = filled.ours.get(url, headers={"accept": "application/pdf"})
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content == DOCUMENT
    one, several = (f"{ROOT}.{number}/bulk/7fe00010" for number in (9, 8))
    assert filled.ours.get(one, headers={"accept": OCTETS}).content == b"\xff\xd8ab"
    assert filled.ours.get(several, headers={"accept": OCTETS}).status_code == 406


def test_conditional_requests(filled: DicomWebPair) -> None:
    url = f"{ROOT}.7/bulk/7fe00010"
    etag = filled.ours.get(url).headers["etag"]
    again = filled.ours.get(url, headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    other = filled.ours.get(f"{ROOT}.7/bulk/00081030", headers={"if-none-match": etag})
    assert other.status_code == 200


def test_numbers_of_items_are_not_bytes(ours: httpx.Client) -> None:
    nested = element(0x00081140, "SQ", item(element(0x00280010, "US", struct.pack("<H", 7))))
    data = file_of(*numbered("20"), tail=nested)
    assert ours.post("/instances", content=data).status_code == 200
    answer = ours.get(f"{ROOT}.20/bulk/00081140/1/Rows", headers={"accept": OCTETS})
    assert answer.content == struct.pack("<H", 7)
