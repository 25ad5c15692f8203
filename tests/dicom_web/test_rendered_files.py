"""Rendered videos and documents, which are sent as they are stored: reference chapter 5, section
7."""

import httpx
import pytest
from support import web_pictures
from support.dicom_web import DicomWebPair
from support.web_files import PDF, STREAM, document, put, video
from support.web_pictures import JPEG, PNG

OCTETS, MP4, MPEG = "application/octet-stream", "video/mp4", "video/mpeg"
MPEG2_SYNTAX = "1.2.840.10008.1.2.4.100"


@pytest.fixture(scope="module")
def movie(ours: httpx.Client) -> str:
    return put(ours, video(), "600")


@pytest.fixture(scope="module")
def letter(ours: httpx.Client) -> str:
    return put(ours, document(b"%PDF-1.4 seven!\0"), "601")


def test_as_the_plugin(pair: DicomWebPair) -> None:
    """The same bytes, whatever form of picture is asked for."""
    for number, data in (("602", video()), ("603", document(b"%PDF-1.4 odd\0"))):
        path = web_pictures.path(number)
        pair.store(web_pictures.renamed(data, number))
        for accept in ("*/*", JPEG, PNG):
            ours, theirs = pair.get(f"{path}/rendered", headers={"Accept": accept})
            assert ours.status_code == theirs.status_code == 200
            assert ours.content == theirs.content
    ours, theirs = pair.get(f"{path}/frames/1/rendered")
    assert ours.content == theirs.content
    assert ours.headers["content-type"] == theirs.headers["content-type"] == PDF


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("*/*", MP4), (JPEG, MP4), (MP4, MP4), ("video/*", MP4), (OCTETS, OCTETS)],
)
def test_video(ours: httpx.Client, movie: str, accept: str, kind: str) -> None:
    answer = ours.get(movie, headers={"Accept": accept})
    assert (answer.headers["content-type"], answer.content) == (kind, STREAM)
    assert int(answer.headers["content-length"]) == len(STREAM)


def test_video_of_mpeg2(ours: httpx.Client) -> None:
    path = put(ours, video(MPEG2_SYNTAX), "604")
    assert ours.get(path).headers["content-type"] == MPEG
    assert ours.get(path, headers={"Accept": MP4}).status_code == 406


@pytest.mark.parametrize("accept", ["text/html", PDF, "video/webm"])
def test_nothing_acceptable(ours: httpx.Client, movie: str, accept: str) -> None:
    answer = ours.get(movie, headers={"Accept": accept})
    assert answer.status_code == 406
    assert MP4 in answer.json()["Details"]


@pytest.mark.parametrize(
    ("asked", "first", "stop"),
    [
        ("0-9", 0, 10),
        ("990-1009", 990, 1010),  # across fragments
        ("1000-", 1000, len(STREAM)),
        ("-5", len(STREAM) - 5, len(STREAM)),
        ("500-1200000", 500, 1200001),
    ],
)
def test_ranges(ours: httpx.Client, movie: str, asked: str, first: int, stop: int) -> None:
    answer = ours.get(movie, headers={"Range": f"bytes={asked}"})
    assert (answer.status_code, answer.content) == (206, STREAM[first:stop])
    assert answer.headers["content-range"] == f"bytes {first}-{stop - 1}/{len(STREAM)}"
    assert answer.headers["accept-ranges"] == "bytes"


def test_ranges_of_another_file(ours: httpx.Client, movie: str) -> None:
    tag = ours.head(movie).headers["etag"]
    for known, status in ((tag, 206), ('"other"', 200)):
        answer = ours.get(movie, headers={"Range": "bytes=0-9", "If-Range": known})
        assert answer.status_code == status
    beyond = ours.get(movie, headers={"Range": f"bytes={len(STREAM)}-"})
    assert beyond.status_code == 416
    assert ours.get(movie, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("accept", ["*/*", PDF, JPEG, "application/*"])
def test_document(ours: httpx.Client, letter: str, accept: str) -> None:
    answer = ours.get(letter, headers={"Accept": accept})
    assert (answer.headers["content-type"], answer.content) == (PDF, b"%PDF-1.4 seven!")
    tag = answer.headers["etag"]
    known = ours.get(letter, headers={"Accept": accept, "If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")


def test_document_of_another_kind(ours: httpx.Client, letter: str) -> None:
    assert ours.get(letter, headers={"Accept": "text/html"}).status_code == 406
    path = put(ours, document(b"<xml/>", kind="text/XML"), "605")
    answer = ours.get(path)
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (400, 3)


def test_document_with_a_length(ours: httpx.Client) -> None:
    path = put(ours, document(b"%PDF-1.4 a\0", 11), "606")
    assert ours.get(path).content == b"%PDF-1.4 a\0"[:11]
