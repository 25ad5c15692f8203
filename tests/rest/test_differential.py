"""The same calls to our server and to Orthanc 1.13: status, kind of body and normalised JSON."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support import generated
from support.files import file_named
from support.reference_server import ReferenceServer
from support.server import OurServer

Pair = tuple[httpx.Client, httpx.Client]

COUNT = 6


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both servers with the same instances: two patients, three series."""
    theirs = ReferenceServer(tmp_path_factory.mktemp("theirs"))
    with OurServer(tmp_path_factory.mktemp("ours")) as ours, theirs:
        left = httpx.Client(base_url=ours.url, timeout=30)
        right = httpx.Client(base_url=theirs.url, timeout=30)
        template = generated.small()
        with left, right:
            for client in (left, right):
                for number in range(COUNT):
                    data = template.number(number // 4, number // 4, number // 2, number)
                    assert client.post("/instances", content=data).status_code == 200
            yield left, right


def path_of(client: httpx.Client, path: str) -> str:
    """Puts the first identifiers of each level into a path such as `/series/{series}`."""
    names = {}
    for level in ("patients", "studies", "series", "instances"):
        if f"{{{level}}}" in path:
            names[level] = min(client.get(f"/{level}").json())
    return path.format(**names)


INDIVIDUAL = {"LastUpdate", "FileUuid", "IsStable", "Date"}


def normalised(value: Any) -> Any:
    """Without what no two servers share; lists sorted."""
    if isinstance(value, dict):
        return {k: normalised(member) for k, member in value.items() if k not in INDIVIDUAL}
    if isinstance(value, list):
        members = [normalised(member) for member in value]
        return sorted(members, key=lambda member: json.dumps(member, sort_keys=True))
    return value


GETS = [
    "/patients",
    "/patients?expand",
    "/studies?expand&full",
    "/series?expand&short",
    "/instances?expand",
    "/instances?since=0&limit=100",
    "/patients/{patients}",
    "/studies/{studies}",
    "/series/{series}",
    "/instances/{instances}",
    "/patients/{patients}/studies",
    "/patients/{patients}/series",
    "/patients/{patients}/instances",
    "/studies/{studies}/series",
    "/studies/{studies}/instances",
    "/series/{series}/instances",
    "/instances/{instances}/series",
    "/instances/{instances}/study",
    "/instances/{instances}/patient",
    "/series/{series}/study",
    "/series/{series}/patient",
    "/studies/{studies}/patient",
    "/patients/{patients}/statistics",
    "/studies/{studies}/statistics",
    "/series/{series}/statistics",
    "/instances/{instances}/statistics",
    "/instances/{instances}/tags",
    "/instances/{instances}/tags?simplify",
    "/instances/{instances}/tags?ignore-length=0010,0010",
    "/instances/{instances}/simplified-tags",
    "/instances/{instances}/header",
    "/instances/{instances}/file",
    "/instances/{instances}/content",
    "/instances/{instances}/content/0010-0010",
    "/instances/{instances}/content/PatientID",
    "/instances/{instances}/content/7fe0-0010",
    "/instances/{instances}/content/7fe0-0010/0",
    "/instances/{instances}/content/7fe0-0010/1",
    "/instances/{instances}/content/7fe0-0010/x",
    "/instances/{instances}/content/0010-9999",
    "/instances/{instances}/content/NoSuchTag",
    "/instances/{instances}/content/0002-0010",
    "/statistics",
    "/changes",
    "/changes?since=3&limit=2",
    "/changes?limit=0",
    "/changes?last",
    "/changes?since=1000",
    "/changes?since=x",
    "/changes?limit=-1",
    "/changes?limit=4294967296&since=1",
    "/changes?limit=0&since=1000",
    "/changes?since=99999999999999999999",
    "/changes?since=2%20",
    "/changes?since=1_0",
    "/patients/nope",
    "/series/nope",
    "/instances/nope",
    "/instances/{series}",
    "/instances/nope/file",
    "/instances/nope/tags",
    "/patients/nope/studies",
    "/nope",
    "/instances/{instances}/nope",
    "/studies/{studies}/file",
    "/instances?since=1",
    "/instances?since=a&limit=b",
    "/instances?since=99999999999999999999&limit=1",
    "/instances?since=1_0&limit=1",
    "/instances?since=%202&limit=1",
    "/system?x=1&_method=PUT",
    "/system?_method=&_method=PUT",
    "/tools/generate-uid",
    "/tools/generate-uid?level=nope",
    "/system/",
    "/tools/../system",
    "/series/%7Bseries%7D",
]

# Only the status is compared.
STATUS_ONLY = {"/system/", "/tools/../system", "/system?_method=&_method=PUT"}


@pytest.mark.parametrize("path", GETS)
def test_get(pair: Pair, path: str) -> None:
    ours, theirs = (client.get(path_of(client, path)) for client in pair)
    assert ours.status_code == theirs.status_code, ours.text
    if path in STATUS_ONLY:
        return
    kind = theirs.headers.get("content-type")
    assert ours.headers.get("content-type") == kind
    if theirs.status_code >= 400 and theirs.content:
        same = (
            "HttpError",
            "HttpStatus",
            "Message",
            "Method",
            "OrthancError",
            "OrthancStatus",
            "Uri",
        )
        assert {key: ours.json()[key] for key in same} == {key: theirs.json()[key] for key in same}
    elif theirs.content and kind == "application/json; charset=utf-8":
        assert normalised(ours.json()) == normalised(theirs.json())
    else:
        assert ours.content == theirs.content


OTHERS = [
    ("PUT", "/instances", b""),
    ("DELETE", "/instances", b""),
    ("POST", "/system", b""),
    ("PUT", "/changes", b""),
    ("PATCH", "/system", b""),
    ("DELETE", "/patients/nope", b""),
    ("DELETE", "/instances/{series}", b""),
    ("POST", "/instances", b""),
    ("POST", "/instances", b"this is no DICOM file"),
    ("POST", "/instances", b"DICM"),
    ("POST", "/instances", b"PK\x03\x04 no archive"),
    ("POST", "/instances", b"PK\x05\x06" + bytes(18)),
    ("POST", "/tools/execute-script", b"print(1)"),
    ("GET", "/tools/execute-script", b""),
    ("POST", "/tools/lookup", b""),
    ("POST", "/tools/lookup", b"PATIENT0000000000"),
    ("POST", "/tools/lookup", b"patient0000000000"),
    ("POST", "/tools/lookup", b"PATIENT"),
    ("POST", "/tools/lookup", b"A1042"),
    ("POST", "/nope", b""),
    ("POST", "/instances/{instances}/content/0010-0010", b""),
]


@pytest.mark.parametrize(("method", "path", "body"), OTHERS)
def test_other_methods(pair: Pair, method: str, path: str, body: bytes) -> None:
    ours, theirs = (client.request(method, path_of(client, path), content=body) for client in pair)
    if path.endswith("0010-0010"):
        assert ours.status_code in (404, 405)  # a wildcard route in Orthanc: 404
        return
    assert ours.status_code == theirs.status_code, ours.text
    assert ours.headers.get("allow") == theirs.headers.get("allow")
    if theirs.content and theirs.status_code == 200:
        assert normalised(ours.json()) == normalised(theirs.json())
    elif theirs.content:
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]
    else:
        assert not ours.content


def archive(*contents: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for number, content in enumerate(contents):
            target.writestr(f"folder/sub{number}/file{number}", content)
    return buffer.getvalue()


def test_archives(pair: Pair) -> None:
    template = generated.small()
    files = [template.number(7, 7, 7, number) for number in range(3)]
    dicomdir = file_named("DICOMDIR-nopatient").read_bytes()
    body = archive(files[0], b"no DICOM", files[1], b"", dicomdir, files[0], files[2])
    ours, theirs = (client.post("/instances", content=body) for client in pair)
    assert ours.status_code == theirs.status_code == 200
    assert ours.json() == theirs.json()
    assert [entry["Status"] for entry in ours.json()] == [
        "Success",
        "Success",
        "AlreadyStored",
        "Success",
    ]
    empty = archive(b"nothing of use")
    assert [client.post("/instances", content=empty).json() for client in pair] == [[], []]


def test_duplicates_and_deletion(pair: Pair) -> None:
    data = generated.small().number(8, 8, 8, 8)
    for expected in ("Success", "AlreadyStored"):
        answers = [client.post("/instances", content=data).json() for client in pair]
        assert answers[0] == answers[1]
        assert answers[0]["Status"] == expected
    identifier = answers[0]["ID"]
    deleted = [client.delete(f"/instances/{identifier}") for client in pair]
    assert deleted[0].json() == deleted[1].json() == {"RemainingAncestor": None}
    again = [client.delete(f"/instances/{identifier}") for client in pair]
    assert [answer.status_code for answer in again] == [404, 404]
    assert not again[0].content


def test_multipart(pair: Pair) -> None:
    template = generated.small()
    files = [
        ("files", (f"{number}.dcm", template.number(9, 9, 9, number), "application/dicom"))
        for number in range(2)
    ]
    answers = [client.post("/instances", files=files) for client in pair]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert not answers[0].content
    patient = generated.identifier(f"PATIENT{9:010d}")
    counts = [
        client.get(f"/patients/{patient}/statistics").json()["CountInstances"] for client in pair
    ]
    assert counts == [2, 2]


def test_method_faking(pair: Pair) -> None:
    for client in pair:
        assert (
            client.get("/instances", headers={"X-HTTP-Method-Override": "POST"}).status_code == 400
        )
        faked = client.get("/instances/nope", headers={"X-HTTP-Method-Override": "delete"})
        assert faked.status_code == 404
        assert client.get("/instances/nope?_method=DELETE").status_code == 404
        assert client.get("/system?_method=PUT").status_code == 405
