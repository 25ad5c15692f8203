"""Conditional requests, ranges and HEAD on every resource of DICOMweb: RFC 9110, sections 9.3.2, 13
and 14."""

import httpx
import pytest
from support import generated, web_pictures
from support.files import file_named
from support.stow import instance
from support.web_files import document, put, video

STUDY = f"{generated.ROOT}.71"
SERIES = f"/dicom-web/studies/{STUDY}/series/{STUDY}.1"
INSTANCE = f"{SERIES}/instances/{STUDY}.1.1"
WADO = f"/wado?requestType=WADO&objectUID={STUDY}.1.1"
VIDEO, LETTER, LOOP = "760", "761", "762"
OCTETS = {"accept": "application/octet-stream"}
DICOM = {"accept": "application/dicom"}
XML = {"accept": 'multipart/related; type="application/dicom+xml"'}
Headers = dict[str, str]

WITH_TAG: list[tuple[str, Headers]] = [
    (INSTANCE, DICOM),
    (f"/dicom-web/studies/{STUDY}/metadata", {}),
    (f"{SERIES}/metadata", XML),
    (f"{INSTANCE}/metadata", {}),
    (f"{INSTANCE}/frames/1", {}),
    (f"{INSTANCE}/frames/1", OCTETS),
    (f"{INSTANCE}/bulk/7fe00010", {}),
    (f"{INSTANCE}/bulk/7fe00010", OCTETS),
    (f"{INSTANCE}/rendered", {}),
    (f"{INSTANCE}/frames/1/thumbnail", {}),
    (f"{SERIES}/rendered", {"accept": "image/png"}),
    (f"{web_pictures.path(LOOP)}/rendered", {"accept": "image/gif"}),
    (f"{web_pictures.path(VIDEO)}/rendered", {}),
    (f"{web_pictures.path(VIDEO)}/thumbnail", {}),
    (f"{web_pictures.path(LETTER)}/rendered", {}),
    (WADO, {}),
    (f"{WADO}&contentType=application/dicom", {}),
]
WITHOUT: list[tuple[str, Headers]] = [
    (f"/dicom-web/studies/{STUDY}", {}),
    (SERIES, {"accept": "application/zip"}),
    (INSTANCE, {}),
    (f"{web_pictures.path(LOOP)}/frames", {}),
    (f"{SERIES}/rendered", {"accept": 'multipart/related; type="image/png"'}),
    ("/dicom-web/studies", {}),
    ("/dicom-web/instances", XML),
    ("/dicom-web/servers", {}),
    ("/dicom-web/info", {}),
    ("/dicom-web/", {"accept": "application/json"}),
    (f"{INSTANCE}/bulk/00089999", OCTETS),
    (f"{INSTANCE}/frames/2", {}),
]
# What there is a reason to refuse: a condition does not change that (RFC 9110, section 13.2.1).
REFUSED: list[tuple[str, Headers, int]] = [
    (f"{INSTANCE}/bulk/00089999", {}, 404),
    (f"{INSTANCE}/bulk/00089999", OCTETS, 404),
    (f"{INSTANCE}/bulk/7fe00010", {"accept": "application/pdf"}, 406),
    (f"{INSTANCE}/frames/2", {}, 400),
    (f"{web_pictures.path(LOOP)}/frames/11/rendered", {}, 400),
    (f"{INSTANCE}.9/rendered", {}, 404),
    (f"/dicom-web/studies/{STUDY}.9/metadata", {}, 404),
    (f"{WADO}.9", {}, 404),
]
RANGED: list[tuple[str, Headers]] = [
    (INSTANCE, DICOM),
    (f"{INSTANCE}/frames/1", OCTETS),
    (f"{INSTANCE}/bulk/7fe00010", OCTETS),
    (f"{web_pictures.path(VIDEO)}/rendered", {}),
    (f"{web_pictures.path(LETTER)}/rendered", {}),
]


@pytest.fixture(scope="module", autouse=True)
def stored(ours: httpx.Client) -> None:
    for number in (1, 2):
        content = instance(number, 71)
        assert ours.post("/instances", content=content).status_code == 200
    put(ours, video(), VIDEO)
    put(ours, document(b"%PDF-1.4 seven!\0"), LETTER)
    put(ours, file_named("emri_small.dcm").read_bytes(), LOOP)


@pytest.mark.parametrize(("path", "headers"), WITH_TAG)
def test_what_a_client_has(ours: httpx.Client, path: str, headers: Headers) -> None:
    answer = ours.get(path, headers=headers)
    tag = answer.headers["etag"].removeprefix("W/")
    # Metadata have a tag for each form, and are what they were before there was Vary elsewhere.
    is_varied = not path.endswith("/metadata")
    assert answer.headers.get("vary") == ("Accept" if is_varied else None)
    assert ours.get(path, headers=headers).headers["etag"] == answer.headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", W/{tag} , "y"', "*"):
        again = ours.get(path, headers={**headers, "if-none-match": known})
        assert (again.status_code, again.content) == (304, b""), known
        for name in ("etag", "cache-control", "vary"):
            assert again.headers.get(name) == answer.headers.get(name)
    twice = [*headers.items(), ("if-none-match", '"x"'), ("if-none-match", tag)]
    assert ours.get(path, headers=twice).status_code == 304
    for known in ('"x"', 'W/"x", "y"', "", tag.strip('"'), f'"a,{tag[1:-1]},b"', '"*"'):
        again = ours.get(path, headers={**headers, "if-none-match": known})
        assert (again.status_code, again.headers["etag"]) == (200, answer.headers["etag"]), known


@pytest.mark.parametrize(("path", "headers", "status"), REFUSED)
def test_what_is_refused(ours: httpx.Client, path: str, headers: Headers, status: int) -> None:
    for more in ({}, {"if-none-match": "*"}, {"if-none-match": '"x", "y"'}):
        assert ours.get(path, headers={**headers, **more}).status_code == status
        assert ours.head(path, headers={**headers, **more}).status_code == status


@pytest.mark.parametrize(("path", "headers"), WITH_TAG + WITHOUT)
def test_head(ours: httpx.Client, path: str, headers: Headers) -> None:
    """As GET, but for the boundary, which is of one answer, and how the body is sent."""
    answer, head = ours.get(path, headers=headers), ours.head(path, headers=headers)
    shown = []
    for each in (answer, head):
        fields = dict(each.headers)
        fields.pop("date", None)
        fields.pop("transfer-encoding", None)
        fields["content-type"] = fields["content-type"].partition("boundary=")[0]
        shown.append((each.status_code, fields))
    assert shown[0] == shown[1]
    assert head.content == b""


@pytest.mark.parametrize(("path", "headers"), RANGED)
def test_ranges(ours: httpx.Client, path: str, headers: Headers) -> None:
    answer = ours.get(path, headers=headers)
    whole, tag = answer.content, answer.headers["etag"]
    size = len(whole)
    assert answer.headers["accept-ranges"] == "bytes"
    for text, first, stop in (
        ("0-0", 0, 1),
        (f"{size - 1}-{size - 1}", size - 1, size),
        ("-3", size - 3, size),
        (f"-{size + 7}", 0, size),
        (f"2-{10**30}", 2, size),
    ):
        part = ours.get(path, headers={**headers, "range": f"bytes={text}"})
        assert (part.status_code, part.content) == (206, whole[first:stop]), text
        assert part.headers["content-range"] == f"bytes {first}-{stop - 1}/{size}"
        head = ours.head(path, headers={**headers, "range": f"bytes={text}"})
        assert (head.status_code, head.headers["content-range"]) == (
            206,
            part.headers["content-range"],
        )
    for text in (f"{size}-", "-0", f"{size + 5}-{size + 9}"):
        beyond = ours.get(path, headers={**headers, "range": f"bytes={text}"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    for text in ("bytes=0-1,3-4", "bytes=5-2", "bytes=", "items=0-1", "bytes=a-b"):
        every = ours.get(path, headers={**headers, "range": text})
        assert (every.status_code, every.content) == (200, whole), text
    for known, status in ((tag, 206), ('"x"', 200), ("Wed, 21 Oct 2015 07:28:00 GMT", 200)):
        ranged = {**headers, "range": "bytes=0-1", "if-range": known}
        assert ours.get(path, headers=ranged).status_code == status, known
