"""Attachments over REST: against Orthanc 1.13, and what 1.13 adds. Source: reference chapter
1, sections 1.12, 1.13 and 6.2."""

import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import generated
from support.pair import Call, Pair, assert_same, started_pair
from support.server import OurServer

from orthanc_fast.config import load
from orthanc_fast.services.administration import check

OPTIONS: dict[str, Any] = {"UserContentType": {"note": 1024, "report": [1025, "application/pdf"]}}
ME = "/instances/{instances}/attachments"
IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"

SUB_ROUTES = [
    "",
    "/data",
    "/compressed-data",
    "/size",
    "/compressed-size",
    "/md5",
    "/compressed-md5",
    "/is-compressed",
]
READS = [
    ME,
    *(f"{ME}/dicom{route}" for route in SUB_ROUTES),
    *(f"{ME}/note{route}" for route in SUB_ROUTES),
    f"{ME}/1/size",
    f"{ME}/01/size",
    f"{ME}/nope/data",
    f"{ME}/nope",
    f"{ME}/5000/data",
    f"{ME}/-1/data",
    f"{ME}/99999999999999999999/data",
    f"{ME}/dicom/nope",
    f"{ME}/dicom/data?filename=a.dcm",
    "/series/{series}/attachments",
    "/series/{series}/attachments/dicom/data",
    "/series/{instances}/attachments",
    "/series/{instances}/attachments/dicom/size",
    "/instances/nope/attachments",
    "/instances/nope/attachments/dicom/data",
    "/instances/nope/attachments/nope/data",
]


def version(revision: int, content: bytes) -> str:
    return f'"{revision}-{md5(content).hexdigest()}"'


STORY = [
    Call("PUT", f"{ME}/note", b"first"),
    Call("GET", ME),
    *(Call("GET", f"{ME}/note{route}") for route in SUB_ROUTES),
    Call("GET", f"{ME}/1024/data"),
    Call("GET", f"{ME}/note/data?filename=x%22y.txt"),
    Call("GET", f"{ME}/note/data", headers={IF_NONE_MATCH: version(0, b"first")}),
    Call("GET", f"{ME}/note/data", headers={IF_NONE_MATCH: version(7, b"other")}),
    Call("GET", f"{ME}/note/data", headers={IF_NONE_MATCH: "rubbish"}),
    Call("PUT", f"{ME}/note", b"second", {IF_MATCH: "rubbish"}),
    Call("PUT", f"{ME}/note", b"second", {IF_MATCH: '"5-00"'}),
    Call("PUT", f"{ME}/note", b"second", {IF_MATCH: version(0, b"first")}),
    Call("GET", f"{ME}/note/data"),
    Call("POST", f"{ME}/note/verify-md5"),
    Call("POST", f"{ME}/note/compress"),
    Call("POST", f"{ME}/note/compress"),
    *(Call("GET", f"{ME}/note{route}") for route in SUB_ROUTES if "compressed-" not in route),
    Call("POST", f"{ME}/note/verify-md5"),
    Call("POST", f"{ME}/note/uncompress"),
    Call("POST", f"{ME}/note/uncompress"),
    *(Call("GET", f"{ME}/note{route}") for route in SUB_ROUTES),
    Call("PUT", f"{ME}/report", b"%PDF"),
    Call("GET", f"{ME}/report/data"),
    Call("PUT", f"{ME}/report", b""),
    Call("GET", f"{ME}/report/data"),
    Call("GET", f"{ME}/report/size"),
    Call("POST", f"{ME}/report/compress"),
    Call("GET", f"{ME}/report/is-compressed"),
    Call("GET", f"{ME}/report/data"),
    Call("PUT", f"{ME}/3000", b"by number"),
    Call("GET", ME),
    Call("PUT", "/series/{instances}/attachments/3001", b"the level does not matter"),
    Call("GET", f"{ME}/3001/data"),
    Call("PUT", "/studies/{studies}/attachments/note", b"of a study"),
    Call("GET", "/studies/{studies}/attachments/note/data"),
    Call("PUT", f"{ME}/dicom", b"x"),
    Call("PUT", f"{ME}/5", b"x"),
    Call("PUT", f"{ME}/70000", b"x"),
    Call("PUT", f"{ME}/-4", b"x"),
    Call("PUT", f"{ME}/nope", b"x"),
    Call("PUT", "/instances/nope/attachments/note", b"x"),
    Call("PUT", "/instances/nope/attachments/nope", b"x"),
    Call("PUT", "/instances/nope/attachments/dicom", b"x"),
    Call("POST", f"{ME}/note", b"x"),
    Call("DELETE", ME),
    Call("DELETE", f"{ME}/dicom"),
    Call("DELETE", f"{ME}/dicom-until-pixel-data"),
    Call("DELETE", f"{ME}/dicom-as-json"),
    Call("DELETE", f"{ME}/5"),
    Call("DELETE", f"{ME}/nope"),
    Call("DELETE", f"{ME}/4000"),
    Call("DELETE", f"{ME}/note", headers={IF_MATCH: '"5-00"'}),
    Call("DELETE", f"{ME}/note", headers={IF_MATCH: "rubbish"}),
    Call("DELETE", "/instances/nope/attachments/note"),
    Call("DELETE", f"{ME}/note"),
    Call("DELETE", f"{ME}/note"),
    Call("GET", f"{ME}/note/data"),
    Call("POST", f"{ME}/note/verify-md5"),
    Call("POST", f"{ME}/note/compress"),
    Call("POST", f"{ME}/nope/compress"),
    Call("POST", f"{ME}/nope/verify-md5"),
    Call("POST", "/instances/nope/attachments/note/verify-md5"),
    Call("POST", "/instances/nope/attachments/note/compress"),
    Call("PUT", f"{ME}/note", b"again"),
    Call("GET", f"{ME}/note/data"),
    Call("POST", f"{ME}/dicom/verify-md5"),
    Call("POST", f"{ME}/dicom/compress"),
    Call("GET", f"{ME}/dicom/data"),
    Call("GET", "/instances/{instances}/file"),
    Call("GET", "/instances/{instances}/tags"),
    Call("GET", "/instances/{instances}/attachments/dicom/is-compressed"),
    Call("POST", f"{ME}/dicom/uncompress"),
    Call("GET", f"{ME}/dicom/compressed-data"),
    Call("GET", "/instances/{instances}/statistics"),
    Call("GET", "/patients/{patients}/statistics"),
]
DEMANDED = [
    Call("PUT", f"{ME}/note", b"a"),
    Call("PUT", f"{ME}/note", b"b"),
    Call("PUT", f"{ME}/note", b"b", {IF_MATCH: version(0, b"a")}),
    Call("PUT", f"{ME}/note", b"c", {IF_MATCH: version(0, b"a")}),
    Call("DELETE", f"{ME}/note"),
    Call("DELETE", f"{ME}/3000"),
    Call("DELETE", f"{ME}/3000", headers={IF_MATCH: version(0, b"a")}),
    Call("DELETE", f"{ME}/dicom"),
    Call("DELETE", f"{ME}/note", headers={IF_MATCH: version(0, b"a")}),
    Call("DELETE", f"{ME}/note", headers={IF_MATCH: version(1, b"b")}, status=200),
]


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with started_pair(tmp_path_factory.mktemp("pair"), OPTIONS) as pair:
        yield pair


def compare(pair: Pair, call: Call) -> None:
    assert_same(call, *pair.send(call))


@pytest.mark.parametrize("path", READS)
def test_reads(pair: Pair, path: str) -> None:
    compare(pair, Call("GET", path))


def test_changes_one_after_the_other(needs_reference: None, tmp_path: Path) -> None:
    with started_pair(tmp_path, OPTIONS) as pair:
        for call in STORY:
            compare(pair, call)
        kinds = [
            [change["ChangeType"] for change in client.get("/changes").json()["Changes"]]
            for client in (pair.ours, pair.theirs)
        ]
        assert kinds[0] == kinds[1]
        assert kinds[0].count("UpdatedAttachment") > 5


def test_check_revisions(needs_reference: None, tmp_path: Path) -> None:
    with started_pair(tmp_path, OPTIONS | {"CheckRevisions": True}) as pair:
        for call in DEMANDED:
            compare(pair, call)


def test_storage_compression(needs_reference: None, tmp_path: Path) -> None:
    """What both store is the same to the reader, and both can inflate the other's form."""
    until = f"{ME}/dicom-until-pixel-data"
    calls = [
        Call("GET", ME),
        Call("PUT", f"{ME}/note", b"text " * 1000),
        *(Call("GET", f"{ME}/note{route}") for route in ("", "/data", "/size", "/is-compressed")),
        *(Call("GET", f"{until}{route}") for route in ("", "/data", "/size", "/is-compressed")),
        Call("GET", f"{ME}/dicom/data"),
        Call("POST", f"{ME}/dicom/verify-md5"),
        Call("POST", f"{ME}/dicom/uncompress"),
        Call("GET", f"{ME}/dicom/compressed-data"),
        Call("DELETE", until),
    ]
    with started_pair(tmp_path, OPTIONS | {"StorageCompression": True}) as pair:
        for call in calls:
            compare(pair, call)
        stored = pair.ours.get(f"{ME}/note/compressed-data".format(**pair.names))
        assert int.from_bytes(stored.content[:8], "little") == 5000
        assert zlib.decompress(stored.content[8:]) == b"text " * 1000
        assert stored.headers["content-type"] == "application/octet-stream"
        assert "content-disposition" not in stored.headers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attachments")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[httpx.Client]:
    """Ours alone, with two workers."""
    with (
        OurServer(folder, OPTIONS | {"HttpWorkers": 2}) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        yield client


def upload(client: httpx.Client, number: int) -> str:
    """The path of the attachments of a new instance."""
    data = generated.small().number(number, number, number, number)
    return f"/instances/{client.post('/instances', content=data).json()['ID']}/attachments"


def test_details_that_came_after_1_10(server: httpx.Client) -> None:
    me = upload(server, 1)
    missing = server.put("/instances/nope/attachments/note", content=b"abc")
    assert missing.json()["OrthancStatus"] == 7
    server.put(f"{me}/note", content=b"abc")
    server.put(f"{me}/report", content=b"abc")
    server.put(f"{me}/5000", content=b"abc")
    names = {"dicom": 1, "note": 1024, "report": 1025, "5000": 5000}
    assert server.get(f"{me}?full").json() == names
    assert server.get(f"{me}/note").json() == [
        "compress",
        "compressed-data",
        "compressed-md5",
        "compressed-size",
        "data",
        "info",
        "is-compressed",
        "md5",
        "size",
        "uncompress",
        "verify-md5",
    ]
    answer = server.get(f"{me}/note/info")
    info = answer.json()
    assert answer.headers["etag"] == version(0, b"abc")
    assert info == {
        "CompressedMD5": md5(b"abc").hexdigest(),
        "CompressedSize": 3,
        "ContentType": 1024,
        "UncompressedMD5": md5(b"abc").hexdigest(),
        "UncompressedSize": 3,
        "Uuid": info["Uuid"],
    }
    for path in ("data", "compressed-data"):
        answer = server.get(f"{me}/report/{path}")
        assert answer.headers["content-type"] == "application/pdf"
        uuid = server.get(f"{me}/report/info").json()["Uuid"]
        assert answer.headers["content-disposition"] == f'filename="{uuid}"'
    assert server.put(f"{me}/note", content=b"d").headers["etag"] == version(1, b"d")
    server.post(f"{me}/note/compress")
    assert server.get(f"{me}/note/size").headers["etag"] == version(2, b"d")
    server.delete(f"{me}/note")
    assert server.put(f"{me}/note", content=b"d").headers["etag"] == version(0, b"d")


def test_the_md5_of_an_instance_is_kept(server: httpx.Client) -> None:
    """Also for the listing that shows attachments."""
    data = generated.small().number(2, 2, 2, 2)
    me = f"/instances/{server.post('/instances', content=data).json()['ID']}/attachments"
    expected = md5(data).hexdigest()
    for _ in range(2):
        answer = server.get(f"{me}/dicom/data")
        assert answer.content == data
        assert answer.headers["etag"] == f'"0-{expected}"'
        assert answer.headers["content-type"] == "application/dicom"
    query = {"Level": "Instance", "Query": {"PatientID": "PATIENT0000000002"}}
    body = query | {"ResponseContent": ["Attachments"]}
    found = server.post("/tools/find", json=body).json()
    assert found[0]["Attachments"][0]["UncompressedMD5"] == expected
    server.post(f"{me}/dicom/compress")
    stored = server.get(f"{me}/dicom/compressed-data").content
    assert server.get(f"{me}/dicom/compressed-md5").text == md5(stored).hexdigest()
    assert server.get(f"{me}/dicom/md5").text == expected


RANGES = [
    ("bytes=0-0", 0, 0),
    ("bytes=2-5", 2, 5),
    ("bytes=3-", 3, -1),
    ("bytes=-4", -4, -1),
    ("bytes=-99999999999999999999", 0, -1),
    ("bytes=5-{size}", 5, -1),
    ("bytes=5-99999999999999999999", 5, -1),
    ("bytes=-", 0, -1),
]
REFUSED_RANGES = [
    ("bytes={size}-", 416, 41),
    ("bytes={size}-{size}", 416, 41),
    ("bytes=99999999999999999999-", 416, 41),
    ("bytes=-0", 416, 41),
    ("bytes=0-1,3-4", 416, 41),
    ("items=0-1", 416, 41),
    ("bytes=a-b", 416, 41),
    ("bytes=5-2", 416, 41),
]


@pytest.mark.parametrize("size", [100, 3 << 20])
@pytest.mark.parametrize("compressed", [False, True])
def test_ranges(server: httpx.Client, size: int, compressed: bool) -> None:
    me = upload(server, 10 + compressed + 2 * (size > 100))
    content = os.urandom(size)
    server.put(f"{me}/note", content=content)
    if compressed:
        server.post(f"{me}/note/compress")
    stored = server.get(f"{me}/note/compressed-data").content
    for path, whole in (("data", content), ("compressed-data", stored)):
        assert server.get(f"{me}/note/{path}").content == whole
        for header, first, last in RANGES:
            first, last = first % len(whole), last % len(whole)
            given = {"Range": header.format(size=len(whole))}
            answer = server.get(f"{me}/note/{path}", headers=given)
            assert answer.status_code == 206, header
            assert answer.content == whole[first : last + 1], header
            assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["content-length"] == str(last + 1 - first)
        for header, status, code in REFUSED_RANGES:
            given = {"Range": header.format(size=len(whole))}
            answer = server.get(f"{me}/note/{path}", headers=given)
            assert (answer.status_code, answer.json()["OrthancStatus"]) == (status, code), header
            assert answer.headers["etag"] == version(int(compressed), content)
    plain = server.get(f"{me}/note/size", headers={"Range": "bytes=0-0"})
    assert (plain.status_code, plain.text) == (200, str(size))


@pytest.mark.parametrize("compression", [False, True])
def test_large_ones_go_through_files(tmp_path: Path, compression: bool) -> None:
    """The worker's memory stays far below what it takes and gives."""
    size = 150 << 20
    block = os.urandom(1 << 20)
    options = {"StorageCompression": compression, "HttpWorkers": 1, "MaximumUploadMemoryMB": 1}

    def body() -> Iterator[bytes]:
        for number in range(size >> 20):
            yield block[number:] + block[:number]

    with (
        OurServer(tmp_path, OPTIONS | options) as running,
        httpx.Client(base_url=running.url, timeout=120) as client,
    ):
        me = upload(client, 1)
        expected = md5()
        for part in body():
            expected.update(part)
        put = client.put(f"{me}/note", content=body())
        assert put.headers["etag"] == f'"0-{expected.hexdigest()}"'
        received = md5()
        with client.stream("GET", f"{me}/note/data") as answer:
            assert answer.headers["content-length"] == str(size)
            for part in answer.iter_raw():
                received.update(part)
        assert received.digest() == expected.digest()
        client.post(f"{me}/note/verify-md5").raise_for_status()
        assert client.get(f"{me}/note/is-compressed").text == str(int(compression))
        assert sum(1 for _ in (tmp_path / "storage" / "incoming").rglob("*.*")) == 0
        assert running.process is not None
        assert max(peak_memory(pid) for pid in descendants(running.process.pid)) < 200 << 20


def descendants(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(part) for part in text.split()]


def peak_memory(pid: int) -> int:
    """Greatest resident set in bytes; what is mapped of files counts too."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def file_of(folder: Path, client: httpx.Client, me: str) -> Path:
    uuid: str = client.get(f"{me}/note/info").json()["Uuid"]
    return folder / "storage" / uuid[:2] / uuid[2:4] / uuid


@pytest.mark.parametrize("size", [1000, 3 << 20])
def test_damaged_files(folder: Path, server: httpx.Client, size: int) -> None:
    me = upload(server, 20 + (size > 1000))
    server.put(f"{me}/note", content=bytes(size))
    path = file_of(folder, server, me)
    verify = f"{me}/note/verify-md5"

    def outcome(answer: httpx.Response) -> tuple[int, int]:
        return answer.status_code, answer.json()["OrthancStatus"]

    path.write_bytes(bytes(size - 1) + b"\1")
    assert outcome(server.get(f"{me}/note/data")) == (500, 20)
    assert outcome(server.post(verify)) == (500, 20)
    assert outcome(server.post(f"{me}/note/compress")) == (500, 20)
    path.write_bytes(bytes(size - 1))
    assert outcome(server.get(f"{me}/note/data")) == (400, 3)
    assert outcome(server.get(f"{me}/note/data", headers={"Range": f"bytes=0-{size - 1}"})) == (
        400,
        3,
    )
    path.unlink()
    assert outcome(server.get(f"{me}/note/data")) == (500, 2006)
    assert outcome(server.post(verify)) == (500, 2006)
    assert server.get(f"{me}/note/size").text == str(size)
    assert server.delete(f"{me}/note").status_code == 200


def test_without_md5(tmp_path: Path) -> None:
    options = OPTIONS | {"StoreMD5ForAttachments": False}
    with (
        OurServer(tmp_path, options) as running,
        httpx.Client(base_url=running.url, timeout=30) as client,
    ):
        me = upload(client, 1)
        assert client.put(f"{me}/note", content=b"a").headers["etag"] == version(0, b"a")
        answer = client.get(f"{me}/note/data")
        assert (answer.text, answer.headers["etag"]) == ("a", '"0-"')
        assert client.get(f"{me}/note/md5").status_code == 404
        assert client.get(f"{me}/note/compressed-md5").content == b""
        assert client.post(f"{me}/note/verify-md5").status_code == 400
        assert not [name for name in client.get(f"{me}/note").json() if "md5" in name]
        assert client.get(f"{me}/note/info").json()["UncompressedMD5"] == ""
        changed = client.put(f"{me}/note", content=b"b", headers={IF_MATCH: '"0-"'})
        assert changed.headers["etag"] == version(1, b"b")


def test_read_only(tmp_path: Path) -> None:
    with OurServer(tmp_path, OPTIONS) as running, httpx.Client(base_url=running.url) as client:
        me = upload(client, 1)
        client.put(f"{me}/note", content=b"a")
    with (
        OurServer(tmp_path, OPTIONS | {"ReadOnly": True}) as running,
        httpx.Client(base_url=running.url) as client,
    ):
        assert client.put(f"{me}/note", content=b"a").status_code == 405
        assert client.delete(f"{me}/note").headers["allow"] == "GET"
        assert client.post(f"{me}/note/compress").status_code == 404
        assert client.post(f"{me}/note/verify-md5").text == "{}"
        assert client.get(f"{me}/dicom/md5").status_code == 200
        assert client.get(f"{me}/note/data").text == "a"


def test_revisions_never_collide(server: httpx.Client) -> None:
    """Each of many writers gets a revision of its own, whichever process serves it, and no file
    stays behind."""
    me = upload(server, 30)
    url = server.base_url.join(f"{me}/note")

    def put(number: int) -> str:
        return httpx.put(url, content=b"%d" % number, timeout=60).headers["etag"]

    with ThreadPoolExecutor(8) as pool:
        tags = list(pool.map(put, range(40)))
    revisions = [int(tag.strip('"').split("-")[0]) for tag in tags]
    assert sorted(revisions) == list(range(40))
    assert server.get(f"{me}/note/data").text == str(revisions.index(39))


def test_the_quota_holds_for_attachments(tmp_path: Path) -> None:
    options = OPTIONS | {"MaximumStorageSize": 1, "MaximumStorageMode": "Reject"}
    with (
        OurServer(tmp_path, options) as running,
        httpx.Client(base_url=running.url, timeout=30) as client,
    ):
        upload(client, 1)
        me = upload(client, 2)
        assert client.put(f"{me}/note", content=bytes(1 << 20)).json()["OrthancStatus"] == 19
        assert client.get("/statistics").json()["CountPatients"] == 2
        # The other patient goes although the mode is Reject.
        fits = (1 << 20) - 12_000
        assert client.put(f"{me}/note", content=bytes(fits)).status_code == 200
        assert client.get("/statistics").json()["CountPatients"] == 1
        refused = client.put(f"{me}/report", content=bytes(fits))
        assert refused.status_code == 500
        assert refused.json()["Details"]
        assert client.put(f"{me}/note", content=bytes(fits)).status_code == 200


def test_attachments_survive_a_kill(tmp_path: Path) -> None:
    """At every level: what was acknowledged is there."""
    server = OurServer(tmp_path, OPTIONS)
    server.start()
    with httpx.Client(base_url=server.url, timeout=30) as client:
        data = generated.small().number(1, 1, 1, 1)
        ids = client.post("/instances", content=data).json()
        paths = [
            f"/instances/{ids['ID']}",
            f"/series/{ids['ParentSeries']}",
            f"/studies/{ids['ParentStudy']}",
            f"/patients/{ids['ParentPatient']}",
        ]
        for path in paths:
            client.put(f"{path}/attachments/note", content=path.encode()).raise_for_status()
    server.kill_all()
    with server, httpx.Client(base_url=server.url, timeout=30) as client:
        for path in paths:
            assert client.get(f"{path}/attachments/note/data").text == path
        statistics = client.get(f"{paths[3]}/statistics").json()
        assert int(statistics["DiskSize"]) == len(data) + sum(map(len, paths))
    settings = load([server.config_path])
    assert check.run(settings, repair=False) == check.Report(1, 5, [])
    lost = next(
        file for file in (tmp_path / "storage").glob("??/??/*") if b"/pat" in file.read_bytes()
    )
    lost.unlink()
    assert [finding.kind for finding in check.run(settings, repair=True).findings] == ["missing"]
    assert check.run(settings, repair=False) == check.Report(1, 4, [])
    with server, httpx.Client(base_url=server.url, timeout=30) as client:
        assert client.get(f"{paths[3]}/attachments").json() == []
        client.delete(paths[0])
    storage = tmp_path / "storage"
    assert [p for p in storage.rglob("*-*") if p.is_file() and "lmdb" not in str(p)] == []
