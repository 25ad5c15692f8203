"""Large, slow, refused and packed uploads: bounded memory and time, and answers that arrive."""

import http.client
import io
import json
import socket
import time
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import generated
from support.server import OurServer

MB = 1 << 20
OPTIONS = {
    "HttpWorkers": 1,
    "MaximumUploadMemoryMB": 1,
    "MaximumUploadsMemoryMB": 3,
    "MaximumJsonBodySizeMB": 1,
    "MaximumRequestBodySizeMB": 64,
    "MaximumArchiveMembers": 50,
    "MaximumArchiveSizeMB": 40,
    "HttpBodyTimeout": 2,
    "AuthenticationEnabled": True,
    "RegisteredUsers": {"me": "secret"},
}
AUTH = ("me", "secret")
BASIC = "Basic " + b64encode(b"me:secret").decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with OurServer(tmp_path_factory.mktemp("uploads"), OPTIONS) as running:
        yield running


@pytest.fixture
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, auth=AUTH) as made:
        yield made
    assert partials(server) == []


def partials(server: OurServer) -> list[Path]:
    return list((server.folder / "storage" / "incoming").rglob("*.part"))


def packed(contents: list[bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(str(number), content)
    return buffer.getvalue()


def test_an_archive_without_members(client: httpx.Client) -> None:
    answer = client.post("/instances", content=packed([]))
    assert (answer.status_code, answer.json()) == (200, [])


def test_members_large_and_small(client: httpx.Client) -> None:
    files = [generated.ultrasound(8).number(1, 1, 1, 1), generated.small().number(1, 1, 2, 1)]
    assert len(files[0]) > MB > len(files[1])
    answer = client.post("/instances", content=packed([files[0], b"no DICOM", files[1]]))
    assert [each["Status"] for each in answer.json()] == ["Success", "Success"]
    for each, data in zip(answer.json(), files, strict=True):
        assert client.get(f"/instances/{each['ID']}/file").content == data


@pytest.mark.parametrize(
    ("contents", "option"),
    [
        ([b"x"] * 51, "MaximumArchiveMembers"),
        ([b"\0" * (15 * MB)] * 3, "MaximumArchiveSizeMB"),
    ],
)
def test_archives_beyond_the_bounds(
    client: httpx.Client, contents: list[bytes], option: str
) -> None:
    answer = client.post("/instances", content=packed(contents))
    assert answer.status_code == 413
    assert option in answer.json()["Details"]


def test_json_has_a_limit_of_its_own(client: httpx.Client) -> None:
    query = {"Level": "Patient", "Query": {"PatientID": "x"}}
    body = json.dumps({**query, "Padding": "x" * (MB - 200)}).encode()
    assert client.post("/tools/find", content=body).json() == []
    too_large = json.dumps({**query, "Padding": "x" * MB}).encode()
    for content in (too_large, iter([too_large[:1000], too_large[1000:]])):
        answer = client.post("/tools/find", content=content)
        assert answer.status_code == 413
        assert "MaximumJsonBodySizeMB" in answer.json()["Details"]


def test_large_parts_of_a_form(client: httpx.Client) -> None:
    files = [generated.ultrasound(8).number(2, 1, 1, number) for number in range(3)]
    parts = [("x", (f"{at}.dcm", data)) for at, data in enumerate(files)]
    before = client.get("/statistics").json()["CountInstances"]
    assert client.post("/instances", files=parts).status_code == 200
    assert client.get("/statistics").json()["CountInstances"] == before + 3
    # Whoever wants texts gets no files.
    many = [("x", ("x", b"1" * (2 * MB)))]
    assert client.post("/tools/metrics", files=many).status_code in (200, 413)


def test_chunks_of_a_large_file(client: httpx.Client) -> None:
    data = generated.ultrasound(12).number(3, 1, 1, 1)
    headers = {"X-File-Name": "large.dcm", "X-File-Size": str(len(data))}
    before = client.get("/statistics").json()["CountInstances"]
    for at in range(0, len(data), 3 * MB // 2):
        part = [("x", ("large.dcm", data[at : at + 3 * MB // 2]))]
        assert client.post("/instances", files=part, headers=headers).status_code == 200
    assert client.get("/statistics").json()["CountInstances"] == before + 1


def head(size: int, *more: str) -> bytes:
    lines = ["POST /instances HTTP/1.1", "Host: x", f"Content-Length: {size}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def connections(answer: bytes) -> list[bytes]:
    """What the Connection headers of an answer say."""
    lines = answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return [line[12:] for line in lines if line.startswith(b"connection: ")]


def test_a_body_that_drips_ends(server: OurServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(head(10_000, f"Authorization: {BASIC}"))
        connection.settimeout(0.1)
        drops, answer = 0, b""
        while not answer and drops < 1000:
            connection.sendall(b"x")
            drops += 1
            try:
                answer = connection.recv(4096)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408")
        assert connections(answer) == [b"close"]
        assert drops > 3, "each drop starts no new time"


def test_a_steady_body_may_take_longer(server: OurServer) -> None:
    """At more than 16 KB a second nothing is cut off, whatever the time-out."""
    data = generated.ct_slice().number(4, 1, 1, 1)[: 300 << 10]
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(head(len(data), f"Authorization: {BASIC}"))
        step = len(data) // 15 + 1
        for at in range(0, len(data), step):
            connection.sendall(data[at : at + step])
            time.sleep(0.2)
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")  # complete, and cut by us


@pytest.mark.parametrize("size", [1000, 100_000, 3_000_000, 20_000_000])
def test_a_401_to_an_unread_body_arrives_and_the_connection_goes_on(
    server: OurServer, size: int
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.connect()
    used = connection.sock
    for _ in range(5):
        connection.request("POST", "/instances", b"x" * size)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 401
        assert answer.headers.get_all("connection") == ["keep-alive"]
        headers = {"Authorization": BASIC}
        connection.request("POST", "/instances", b"x" * size, headers)
        answer = connection.getresponse()
        assert answer.status == 400
        assert json.loads(answer.read())["OrthancStatus"] == 15
        assert connection.sock is used
    connection.close()


def test_what_is_announced_too_large_is_not_waited_for(server: OurServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(head(65 * MB, f"Authorization: {BASIC}"))
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 413")
        assert connections(answer) == [b"close"]
        error = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert "at most 64 MB" in error["Details"]
        assert "MaximumRequestBodySizeMB" in error["Details"]
        assert error["HttpStatus"] == 413


def test_a_client_that_waits_for_our_word_gets_the_refusal_instead(server: OurServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(head(MB, "Expect: 100-continue"))
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 401")
        assert connections(answer) == [b"close"]


def slice_of_900_kb(patient: int, number: int) -> bytes:
    head = generated.ct_slice().number(patient, 1, 1, number)[: -512 * 512 * 2 - 4]
    return head + (900_000).to_bytes(4, "little") + bytes(900_000)


def test_all_uploads_share_the_memory(server: OurServer) -> None:
    """Of eight bodies of 900 KB at most three are in memory, and at least one, again and again:
    what is in memory is free when its request is done, whatever becomes of it."""
    good = slice_of_900_kb(3, 1)
    for body in (bytes(900_000), good, bytes(900_000)):
        head = (
            f"POST /instances HTTP/1.1\r\nHost: localhost\r\nAuthorization: {BASIC}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(8)]
        try:
            for connection in connections:
                connection.settimeout(30)
                connection.sendall(head + body[:-1])
            found, before = len(partials(server)), -1
            while found < 5 or found > before:
                time.sleep(0.2)
                found, before = len(partials(server)), found
            assert found < 8
            for connection in connections:
                connection.sendall(body[-1:])
            for connection in connections:
                kind = b"2" if body is good else b"4"
                assert connection.recv(100).startswith(b"HTTP/1.1 " + kind)
        finally:
            for connection in connections:
                connection.close()
        assert partials(server) == []


def test_members_of_an_archive_share_it_too(server: OurServer, client: httpx.Client) -> None:
    """Four of them are more than all that there is."""
    files = [slice_of_900_kb(4, number) for number in range(1, 9)]
    for _ in range(2):
        answer = client.post("/instances", content=packed(files))
        assert [each["Status"] for each in answer.json()] in (
            ["Success"] * 8,
            ["AlreadyStored"] * 8,
        )
    for each, data in zip(answer.json(), files, strict=True):
        assert client.get(f"/instances/{each['ID']}/file").content == data
