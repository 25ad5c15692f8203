"""Corners of data sets that no collection has, over HTTP: what Orthanc shows and refuses.

Source: reference chapter 2, sections 1, 3 and 9.
"""

import struct
from collections.abc import Iterator

import httpx
import pytest
from support import encoded
from support.encoded import BIG, EXPLICIT, IMPLICIT, Element, element, file_of, item
from support.reference_server import ReferenceServer
from support.server import OurServer

Clients = tuple[httpx.Client, httpx.Client]

JPEG = "1.2.840.10008.1.2.4.50"

PADDINGS = {
    0x00080060: ("CS", b" MR "),
    0x00080080: ("LO", b"ab  \0\0"),
    0x00081010: ("SH", b"abc\0def "),
    0x00081030: ("LO", b"1\\2\\ 3 "),
    0x0008103E: ("LO", b"\0\0"),
    0x00100010: ("PN", b"M\xfcller \0  "),
    0x00100020: ("LO", b"P  \0"),
    0x0020000E: ("UI", b"1.2.9.1 \0\0"),
    0x00200052: ("UI", b"1.2 \0"),
    0x00204000: ("LT", b"  lead \n trail  "),
}
PART_OF_ITEM: dict[int, tuple[str, bytes]] = {
    0x00720060: ("AT", b"12"),
    0x00720067: ("OF", b"123456"),
    0x00720073: ("OD", b"1234"),
    0x00720075: ("OL", b"12"),
    0x00720081: ("OV", b"1234"),
}


@pytest.fixture(scope="module")
def ours(our_server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=our_server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def both(
    ours: httpx.Client, needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clients]:
    """With a Debian Orthanc of its own: others count what theirs holds."""
    server = ReferenceServer(tmp_path_factory.mktemp("theirs"))
    with server, httpx.Client(base_url=server.url, timeout=60) as theirs:
        yield ours, theirs


def upload(client: httpx.Client, data: bytes) -> str:
    answer = client.post("/instances", content=data)
    assert answer.status_code == 200, answer.text
    identifier: str = answer.json()["ID"]
    return identifier


def test_padding_goes_before_a_nul_ends_the_text(both: Clients) -> None:
    elements: list[Element] = [(tag, *value) for tag, value in PADDINGS.items()]
    data = file_of((0x00080005, "CS", b"ISO_IR 100"), *elements)
    answers = [client.post("/instances", content=data).json() for client in both]
    assert answers[0] == answers[1]
    for path in (f"/instances/{answers[0]['ID']}/tags?short", *_parents(answers[0])):
        mine, other = (client.get(path).json() for client in both)
        if "tags" in path:
            assert mine == other
            assert (mine["0008,0080"], mine["0010,0020"]) == ("ab  ", "P  ")
        else:
            assert mine["MainDicomTags"] == other["MainDicomTags"], path


def _parents(answer: dict[str, str]) -> list[str]:
    return [
        f"/{level}/{answer[parent]}"
        for level, parent in (
            ("patients", "ParentPatient"),
            ("studies", "ParentStudy"),
            ("series", "ParentSeries"),
        )
    ]


@pytest.mark.parametrize("tag", PART_OF_ITEM)
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("is_nested", [False, True])
def test_values_that_are_no_whole_items(
    ours: httpx.Client, tag: int, syntax: str, is_nested: bool
) -> None:
    """1.10.1 does not look at most of these VRs."""
    vr, value = PART_OF_ITEM[tag]
    bad = (tag, vr, value)
    if is_nested:
        bad = (0x00081140, "SQ", item(element(*bad, syntax)))
    answer = ours.post("/instances", content=file_of(bad, syntax=syntax))
    assert answer.status_code == 400
    assert answer.json()["OrthancError"] == "Bad file format"


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_nested_sequences(ours: httpx.Client, syntax: str) -> None:
    """1.10.1 does not survive so many."""
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


def test_bad_lengths_after_the_pixel_data_do_not_count(both: Clients) -> None:
    after = ((0x7FE10010, "LO", b"ACME"), (0x7FE11001, "OF", b"123456"))
    data = file_of((0x7FE00010, "OB", b"12"), *after)
    identifiers = [upload(client, data) for client in both]
    assert identifiers[0] == identifiers[1]
    tags = both[0].get(f"/instances/{identifiers[0]}/tags?whole&short").json()
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
