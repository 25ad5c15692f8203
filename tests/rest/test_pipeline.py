"""What happens to every request, on the wire: methods, authentication, errors, limits,
compression."""

import gzip
import http.client
import io
import json
import socket
import time
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydicom.uid import UID
from support import generated
from support.server import OurServer


@pytest.fixture(scope="module")
def http_client(our_server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=our_server.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def instance(http_client: httpx.Client) -> str:
    data = generated.small().number(1, 1, 1, 1)
    return str(http_client.post("/instances", content=data).json()["ID"])


def raw(port: int, request: bytes, timeout: float = 10) -> bytes:
    """Sends bytes and reads until the server closes or is silent for some seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.sendall(request)
        answer = b""
        connection.settimeout(4)
        try:
            while b"\r\n\r\n" not in answer and (part := connection.recv(65536)):
                answer += part
        except TimeoutError:
            pass
        return answer


@pytest.mark.parametrize(
    "path", ["/system", "/system/", "//system", "/tools/../system", "/%73ystem"]
)
def test_spellings_of_a_path(our_server: OurServer, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", our_server.port)
    connection.putrequest("GET", path, skip_accept_encoding=True)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 200
    assert json.loads(answer.read())["ApiVersion"] == 31
    connection.close()


def test_head_is_get_without_body(http_client: httpx.Client, instance: str) -> None:
    for path in ("/system", f"/instances/{instance}/file", "/nope"):
        get, head = http_client.get(path), http_client.head(path)
        assert head.status_code == get.status_code
        assert head.content == b""
        assert head.headers["content-length"] == get.headers["content-length"]
        assert head.headers["content-type"] == get.headers["content-type"]


def test_options_names_the_methods(http_client: httpx.Client) -> None:
    answer = http_client.options("/instances")
    assert answer.status_code == 204
    assert answer.headers["allow"] == "GET,POST,HEAD,OPTIONS"
    assert http_client.options("/nope").status_code == 404


def test_error_body(http_client: httpx.Client) -> None:
    answer = http_client.get("/nope/x%20y?z=1")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.text.endswith("\n")
    assert answer.json() == {
        "HttpError": "Not Found",
        "HttpStatus": 404,
        "Message": "Unknown resource",
        "Method": "GET",
        "OrthancError": "Unknown resource",
        "OrthancStatus": 17,
        "Uri": "/nope/x y",
    }


def test_xml(http_client: httpx.Client, instance: str) -> None:
    for accept in ("application/xml", "application/xml;q=0.9"):
        answer = http_client.get(f"/instances/{instance}", headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/xml; charset=utf-8"
        assert f"<ID>{instance}</ID>" in answer.text
    for accept in ("text/xml", "application/xml, text/html", "text/html; application/xml"):
        other = http_client.get(f"/instances/{instance}", headers={"Accept": accept})
        assert other.headers["content-type"] == "application/json; charset=utf-8"
    system = http_client.get("/system", headers={"Accept": "application/xml"}).text
    assert "<DatabaseBackendPlugin>null</DatabaseBackendPlugin>" in system
    path = f"/instances/{instance}/attachments/1024"
    for header, kind in (("*/*", "json"), ("application/xml", "xml; charset=utf-8")):
        fixed = http_client.put(path, content=b"x", headers={"Accept": header})
        assert fixed.headers["content-type"] == f"application/{kind}"


def test_file_name(http_client: httpx.Client, instance: str) -> None:
    path = f"/instances/{instance}/file"
    assert http_client.get(path).headers["content-disposition"] == f'filename="{instance}.dcm"'
    named = http_client.get(f'{path}?filename=a"b%0d%0ac.dcm')
    assert named.headers["content-disposition"] == 'filename="abc.dcm"'
    assert "content-disposition" not in http_client.get(f"{path}?filename=").headers


def test_expect_100_continue(our_server: OurServer) -> None:
    data = generated.small().number(2, 2, 2, 2)
    head = (
        "POST /instances HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", our_server.port), 10) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(data)
        assert b"HTTP/1.1 200" in connection.recv(4096)


def test_chunked_upload(our_server: OurServer) -> None:
    data = generated.small().number(3, 3, 3, 3)

    def chunks() -> Iterator[bytes]:
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]

    answer = httpx.post(f"{our_server.url}/instances", content=chunks())
    assert answer.json()["Status"] == "Success"


def test_gzip_body(http_client: httpx.Client) -> None:
    data = generated.small().number(4, 4, 4, 4)
    headers = {"Content-Encoding": "GZIP"}
    packed = gzip.compress(data)
    assert http_client.post("/instances", content=packed).status_code == 400
    stored = http_client.post("/instances", content=packed, headers=headers)
    assert stored.json()["Status"] == "Success"
    assert http_client.get(f"/instances/{stored.json()['ID']}/file").content == data
    broken = http_client.post("/instances", content=packed[:-100], headers=headers)
    assert broken.status_code == 400
    assert broken.json()["OrthancStatus"] == 15


def test_authentication(tmp_path: Any) -> None:
    options = {"AuthenticationEnabled": True, "RegisteredUsers": {"alice": "secret", "bob": "b"}}
    server = OurServer(tmp_path, options)
    with server:
        for auth, status in (
            (None, 401),
            (("alice", "secret"), 200),
            (("alice", "Secret"), 401),
            (("bob", "b"), 200),
            (("eve", "secret"), 401),
        ):
            answer = httpx.get(f"{server.url}/system", auth=auth)
            assert answer.status_code == status
            if status == 401:
                assert answer.content == b""
                expected = 'Basic realm="Orthanc Secure Area"'
                assert answer.headers["www-authenticate"] == expected
        assert httpx.get(f"{server.url}/nope").status_code == 401
        lower = {"Authorization": "basic YWxpY2U6c2VjcmV0"}
        assert httpx.get(f"{server.url}/system", headers=lower).status_code == 401


def test_remote_access_is_off_by_default(our_server: OurServer) -> None:
    # 127.0.0.2 is this machine too, but Orthanc counts only 127.0.0.1 as local.
    connection = socket.socket()
    connection.bind(("127.0.0.2", 0))
    connection.connect(("127.0.0.1", our_server.port))
    connection.sendall(b"GET /system HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(4096).startswith(b"HTTP/1.1 401")
    connection.close()


def test_limits_and_compression(tmp_path: Any) -> None:
    options = {
        "MaximumRequestBodySizeMB": 1,
        "MaximumUploadMemoryMB": 0,
        "HttpCompressionEnabled": True,
        "HttpRequestTimeout": 1,
        "HttpDescribeErrors": False,
        "StorageCompression": True,
    }
    with OurServer(tmp_path, options) as server, httpx.Client(base_url=server.url) as client:
        small = generated.small().number(1, 1, 1, 1)
        stored = client.post("/instances", content=small).json()
        assert stored["Status"] == "Success"
        assert client.get(f"/instances/{stored['ID']}/file").content == small
        sizes = client.get("/statistics").json()
        assert int(sizes["TotalDiskSize"]) < int(sizes["TotalUncompressedSize"])

        too_large = b"\0" * (1 << 20) + b"\0"
        assert client.post("/instances", content=too_large).status_code == 413
        announced = b"POST /instances HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
        refusal = raw(server.port, announced)
        assert b" 413 " in refusal
        assert refusal.endswith(b"\r\n\r\n")  # HttpDescribeErrors is off

        tags = f"/instances/{stored['ID']}/tags"
        plain = client.get(tags, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        for coding in ("gzip", "deflate"):
            with client.stream("GET", tags, headers={"Accept-Encoding": coding}) as answer:
                body = b"".join(answer.iter_raw())
                assert answer.headers["content-encoding"] == coding
            unpacked = gzip.decompress(body) if coding == "gzip" else zlib.decompress(body)
            assert json.loads(unpacked) == plain.json()
        nope = client.get("/nope")
        assert (nope.status_code, nope.content) == (404, b"")

        slow = b"POST /instances HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"
        assert b" 408 " in raw(server.port, slow)


def test_read_only(tmp_path: Any) -> None:
    server = OurServer(tmp_path)
    with server:
        httpx.post(f"{server.url}/instances", content=generated.small().number(1, 1, 1, 1))
    server.configuration["ReadOnly"] = True
    with server, httpx.Client(base_url=server.url) as client:
        (identifier,) = client.get("/instances").json()
        refused = client.post("/instances", content=b"")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
        assert client.delete(f"/instances/{identifier}").status_code == 405
        assert (
            client.post("/tools/bulk-delete", json={"Resources": [identifier]}).status_code == 404
        )
        changes = client.delete("/changes")
        assert (changes.status_code, changes.json()["OrthancStatus"]) == (500, 22)


@pytest.mark.parametrize(
    ("mode", "same", "other"),
    [
        ("Never", "AlreadyStored", "AlreadyStored"),
        ("Always", "Success", "Success"),
        ("IfChanged", "AlreadyStored", "Success"),
    ],
)
def test_overwriting(tmp_path: Any, mode: str, same: str, other: str) -> None:
    first = generated.small().number(1, 1, 1, 1)
    second = first.replace(b"Axial 1 mm", b"Axial 2 mm")
    with OurServer(tmp_path, {"OverwriteInstances": mode}) as server:
        with httpx.Client(base_url=server.url) as client:
            stored = client.post("/instances", content=first).json()
            assert client.post("/instances", content=first).json()["Status"] == same
            assert client.post("/instances", content=second).json()["Status"] == other
            content = client.get(f"/instances/{stored['ID']}/file").content
            assert content == (second if other == "Success" else first)
            statistics = client.get("/statistics").json()
            assert statistics["CountInstances"] == statistics["CountPatients"] == 1
            assert int(statistics["TotalDiskSize"]) == len(first)
            changes = client.get("/changes").json()["Changes"]
            assert len(changes) == 4, "the entries of a replaced lone instance went with it"
        files = [path for path in (tmp_path / "storage").rglob("*-*-*-*-*") if path.is_file()]
        assert len(files) == 1


def test_stable_resources(tmp_path: Any) -> None:
    with (
        OurServer(tmp_path, {"StableAge": 1}) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        stored = client.post("/instances", content=generated.small().number(1, 1, 1, 1)).json()
        series = f"/series/{stored['ParentSeries']}"
        assert client.get(series).json()["IsStable"] is False
        deadline = time.monotonic() + 6
        while not client.get(series).json()["IsStable"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(0.6)
        types = [entry["ChangeType"] for entry in client.get("/changes").json()["Changes"]]
        assert types[4:] == ["StableSeries", "StableStudy", "StablePatient"]
        last = client.get("/changes?last").json()
        assert last["Changes"][0]["ResourceType"] == "Patient"


def test_completed_series(tmp_path: Any) -> None:
    """Two images announced: the series is Missing one, then Complete, with its change."""
    from pydicom.filewriter import dcmwrite

    with OurServer(tmp_path) as server, httpx.Client(base_url=server.url) as client:
        statuses = []
        for number in (1, 2):
            dataset = generated.base()
            dataset.ImagesInAcquisition, dataset.NumberOfTemporalPositions = "2", "1"
            dataset.InstanceNumber = str(number)
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(
                f"1.2.{number}"
            )
            path = tmp_path / f"{number}.dcm"
            dcmwrite(path, dataset, enforce_file_format=True)
            stored = client.post("/instances", content=path.read_bytes()).json()
            series = client.get(f"/series/{stored['ParentSeries']}").json()
            statuses.append((series["Status"], series["ExpectedNumberOfInstances"]))
        assert statuses == [("Missing", 2), ("Complete", 2)]
        types = [entry["ChangeType"] for entry in client.get("/changes").json()["Changes"]]
        assert types.count("CompletedSeries") == 1


def test_bulk_delete(tmp_path: Any) -> None:
    template = generated.small()
    with OurServer(tmp_path) as server, httpx.Client(base_url=server.url) as client:
        stored = [
            client.post("/instances", content=template.number(n, n, n, n)).json() for n in range(3)
        ]
        resources = [
            stored[0]["ParentPatient"],
            {"Level": "Study", "ID": stored[1]["ParentStudy"]},
            "00000000-00000000-00000000-00000000-00000000",
        ]
        answer = client.post("/tools/bulk-delete", json={"Resources": resources})
        assert (answer.status_code, answer.content) == (200, b"")
        assert client.get("/instances").json() == [stored[2]["ID"]]
        for wrong in ({}, {"Resources": 1}, {"Resources": [1]}):
            assert client.post("/tools/bulk-delete", json=wrong).json()["OrthancStatus"] == 8
        level = {"Resources": [{"Level": "Nope", "ID": "x"}]}
        assert client.post("/tools/bulk-delete", json=level).json()["OrthancStatus"] == 3


def test_many_resources_compressed_and_as_xml(tmp_path: Any) -> None:
    """More than are shown at once: the answer is a stream."""
    count = 230
    template = generated.small()
    with (
        OurServer(tmp_path, {"HttpCompressionEnabled": True}) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as target:
            for number in range(count):
                target.writestr(str(number), template.number(1, 1, 1, number))
        assert len(client.post("/instances", content=archive.getvalue()).json()) == count
        plain = client.get("/instances?expand", headers={"Accept-Encoding": "identity"})
        assert len(plain.json()) == count
        for coding in ("gzip", "deflate"):
            found = client.get("/instances?expand", headers={"Accept-Encoding": coding})
            assert found.headers["content-encoding"] == coding
            assert found.json() == plain.json()
        as_xml = client.get("/instances?expand", headers={"Accept": "application/xml"})
        assert as_xml.headers["content-type"] == "application/xml; charset=utf-8"
        assert as_xml.text.count("<item>") == count
        deep = client.post("/tools/find", content=b"[" * 100_000)
        assert (deep.status_code, deep.json()["OrthancStatus"]) == (400, 8)
