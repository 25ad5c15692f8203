"""Other servers of DICOMweb that do harm, or do not keep to the rules: what is asked of them ends,
with an error that says why, and nothing is given to others. Reference chapter 5, section 11.2."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from support.http_peer import HttpPeer, Received, answer
from support.peer_jobs import wait_for
from support.server import OurServer
from support.stow import instance
from support.waiting import until

ROOT = "/dicom-web/servers"
MULTIPART = 'Content-Type: multipart/related; type="application/dicom"; boundary=BB'
PART = b"--BB\r\nContent-Type: application/dicom\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {
        "HttpWorkers": 1,
        "HttpTimeout": 5,
        "MaximumUploadMemoryMB": 4,
        "MaximumRequestBodySizeMB": 32,
        "DicomWeb": {"ClientMinimumRate": 1000},
    }
    with OurServer(tmp_path_factory.mktemp("server"), options) as running:
        yield running


@pytest.fixture
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as made:
        yield made
        assert made.get("/system").status_code == 200
    assert list((server.folder / "storage" / "incoming").rglob("*.part")) == []


def enter(client: httpx.Client, url: str, **more: Any) -> None:
    client.put(f"{ROOT}/p", json={"Url": url, **more}).raise_for_status()


def failure(client: httpx.Client, verb: str, body: dict[str, Any]) -> str:
    """Why the job has failed."""
    found = client.post(f"{ROOT}/p/{verb}", json={**body, "Synchronous": True})
    assert found.status_code == 500
    return str(found.json()["Details"])


@contextmanager
def raw(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what it likes."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                serve(connection)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=one, args=(connection,))
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for thread in threads:
            thread.join()


def read_head(connection: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(4096)
        if not more:
            raise OSError
        head += more


@pytest.mark.parametrize("reads_on", [True, False])
def test_an_answer_before_all_is_sent(client: httpx.Client, reads_on: bool) -> None:
    """A server may refuse a request as soon as it has seen its head."""
    content = instance(1, 40, size=3000)
    study = client.post("/instances", content=content).json()["ParentStudy"]

    def refuse(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\n")
        if reads_on:
            for _ in range(100):
                connection.recv(100_000)
                time.sleep(0.01)
        connection.sendall(b"nope")
        while reads_on and connection.recv(1 << 20):
            pass

    with raw(refuse) as url:
        enter(client, url)
        found = failure(client, "stow", {"Resources": [study]})
    # A server that closes with unread data resets the connection: its answer may be lost with it.
    assert "403" in found if reads_on else "Timeout" not in found


GARBAGE = [
    b"garbage",
    b"",
    b"--BB",
    b"--BB--",
    PART,
    PART + b"x\r\n--BB--",
    PART + b"\r\n--BB--",
    b"--BB\r\nno header\r\n\r\nx\r\n--BB--",
    b"--BB\r\n--BB\r\n--BB--",
    b"--BB\r\nX: " + b"x" * 100_000 + b"\r\n\r\n--BB--",
    PART * 1000 + b"--BB--",
    b"--BB\r\nContent-Type: text/html\r\n\r\nx\r\n--BB--",
    b"--BB\r\nContent-Type: multipart/related; boundary=CC\r\n\r\n--CC--\r\n--BB--",
]


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage(client: httpx.Client, content: bytes) -> None:
    with HttpPeer(lambda received: answer(200, content, MULTIPART)) as peer:
        enter(client, peer.url)
        body = {"Resources": [{"Study": "1"}], "Synchronous": True}
        found = client.post(f"{ROOT}/p/retrieve", json=body)
        if content == b"--BB--":
            assert found.json() == {"NetworkUsageMB": "0", "ReceivedInstancesCount": "0"}
        else:
            assert found.status_code == 500
            assert found.json()["Details"]


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


HEAD = f"HTTP/1.1 200 OK\r\n{MULTIPART}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
STUDY = {"Resources": [{"Study": "1"}]}


def test_a_part_without_end(client: httpx.Client) -> None:
    """It is written to the disk; the job can be cancelled at any time."""
    stops = threading.Event()

    def endless(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(HEAD + chunk(PART) + chunk(b"x" * 50_000) * 400)
        while not stops.wait(0.05):
            connection.sendall(chunk(b"x" * 100))

    with raw(endless) as url:
        enter(client, url)
        job = client.post(f"{ROOT}/p/retrieve", json={**STUDY, "Synchronous": False}).json()["ID"]
        until(lambda: client.get(f"/jobs/{job}").json()["State"] == "Running")
        client.post(f"/jobs/{job}/cancel").raise_for_status()
        assert wait_for(client, job, "Failure")["ErrorCode"] == 37
        stops.set()


@pytest.mark.parametrize("start", [b"", PART], ids=["preamble", "part"])
def test_a_trickle(client: httpx.Client, start: bytes) -> None:
    """Ends the job by itself: who sends next to nothing is silent."""

    def trickle(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(HEAD + (chunk(start) if start else b""))
        while True:
            time.sleep(0.05)
            connection.sendall(chunk(b"x"))

    with raw(trickle) as url:
        enter(client, url, Timeout=1)
        assert "Timeout was reached" in failure(client, "retrieve", STUDY)


def test_slow_but_not_silent(client: httpx.Client) -> None:
    """The time-out of one second begins anew as long as enough comes."""
    content = instance(1, 44)

    def slow(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(HEAD + chunk(b"x" * 900 + b"\r\n" + PART))
        for at in range(0, len(content), 200):
            connection.sendall(chunk(content[at : at + 200]))
            connection.sendall(chunk(b"\r\n--BB--")) if at + 200 >= len(content) else None
            time.sleep(0.15)
        for _ in range(12):
            connection.sendall(chunk(b"\r\n" * 150))
            time.sleep(0.15)
        connection.sendall(b"0\r\n\r\n")

    with raw(slow) as url:
        enter(client, url, Timeout=1)
        found = client.post(f"{ROOT}/p/retrieve", json={**STUDY, "Synchronous": True})
        assert found.json()["ReceivedInstancesCount"] == "1"


def flood(start: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(HEAD + (chunk(start) if start else b""))
        while True:
            connection.sendall(chunk(b"x" * 100_000))

    return serve


def test_a_preamble_without_end(client: httpx.Client) -> None:
    with raw(flood(b"")) as url:
        enter(client, url)
        assert "no boundary in its first 64 KB" in failure(client, "retrieve", STUDY)


def test_a_file_without_end(client: httpx.Client) -> None:
    with raw(flood(PART)) as url:
        enter(client, url)
        assert "MaximumRequestBodySizeMB" in failure(client, "retrieve", STUDY)


def test_an_epilogue_without_end(client: httpx.Client) -> None:
    """All has come before it."""
    start = PART + instance(1, 45) + b"\r\n--BB--\r\n"
    with raw(flood(start)) as url:
        enter(client, url)
        found = client.post(f"{ROOT}/p/retrieve", json={**STUDY, "Synchronous": True})
        assert found.json()["ReceivedInstancesCount"] == "1"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" + b'{"00080018":{"vr":"UI","Value":[' * 50_000,
        b'[{"00080018":{"vr":"UI","Value":["\\ud800"]}}]',
        b'[{"00080018":{"vr":"FD","Value":[1e999]}}]',
        b'[{"00080018":{"vr":["UI"]}}]',
        b'[{"00080018":7}]',
        b'{"00080018":{"vr":"UI"}}',
        b"\xff\xfe",
        b"[{}] x",
    ],
)
def test_searches_that_answer_no_dicom(client: httpx.Client, body: bytes) -> None:
    kind = "Content-Type: application/dicom+json"
    with HttpPeer(lambda received: answer(200, body, kind)) as peer:
        enter(client, peer.url)
        found = client.post(f"{ROOT}/p/qido", json={"Uri": "studies"})
        assert found.status_code in (400, 500)
        assert found.json()["OrthancStatus"] in (9, 15)


def test_others_do_not_wait_for_a_long_answer(server: OurServer, client: httpx.Client) -> None:
    members = ",".join(f'"0008{tag:04X}":{{"vr":"LO","Value":["x"]}}' for tag in range(20))
    body = ("[" + ",".join([f"{{{members}}}"] * 20_000) + "]").encode()
    found: list[int] = []
    with HttpPeer(lambda received: answer(200, body, "Content-Type: application/json")) as peer:
        enter(client, peer.url)

        def search() -> None:
            asked = httpx.post(f"{server.url}{ROOT}/p/qido", json={"Uri": "studies"}, timeout=60)
            found.append(len(asked.json()))

        thread = threading.Thread(target=search)
        thread.start()
        slowest, whole = 0.0, time.monotonic()
        while thread.is_alive():
            began = time.monotonic()
            client.get("/system").raise_for_status()
            slowest = max(slowest, time.monotonic() - began)
        thread.join()
        assert found == [20_000]
        assert slowest < (time.monotonic() - whole) / 2


def test_large_numbers_are_passed_on(client: httpx.Client) -> None:
    body = b'[{"00080018":{"vr":"UV","Value":[' + b"9" * 40 + b"]}}]"
    with HttpPeer(lambda received: answer(200, body, "Content-Type: application/json")) as peer:
        enter(client, peer.url)
        found = client.post(f"{ROOT}/p/qido", json={"Uri": "studies"})
        assert found.status_code in (200, 400, 500)
        assert found.json()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_secrets_stay_with_their_server(client: httpx.Client, status: int) -> None:
    study = client.post("/instances", content=instance(1, 41)).json()["ParentStudy"]
    with HttpPeer(lambda received: answer(200, b"{}")) as other:

        def send_away(received: Received) -> bytes:
            return answer(status, b"", f"Location: {other.url}there")

        with HttpPeer(send_away) as peer:
            enter(client, peer.url, Username="me", Password="pw", HttpHeaders={"X-Key": "secret"})
            more = {"HttpHeaders": {"Authorization": "Bearer t", "X-Own": "secret"}}
            for verb, body in (
                ("get", {"Uri": "x"}),
                ("qido", {"Uri": "x"}),
                ("wado", {"Uri": "x", "Synchronous": True}),
                ("retrieve", {"Resources": [{"Study": "1"}]}),
                ("stow", {"Resources": [study]}),
            ):
                client.post(f"{ROOT}/p/{verb}", json=body | more)
            assert len(other.requests) == 5
            for received in other.requests:
                text = str(received.headers)
                assert not {"authorization", "x-key", "x-own"} & set(received.headers)
                assert "secret" not in text


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://localhost/", "//[", "http://", "gopher://x", "\x7f"]
)
def test_redirected_to_what_is_no_server(client: httpx.Client, target: str) -> None:
    with HttpPeer(lambda received: answer(302, b"", f"Location: {target}")) as peer:
        enter(client, peer.url)
        found = client.post(f"{ROOT}/p/get", json={"Uri": "x"})
        assert found.status_code in (404, 500)
        assert "root:" not in found.text


@pytest.mark.parametrize(
    "entry",
    [
        {"HttpHeaders": {"X-A": "b\r\nX-C: d"}},
        {"HttpHeaders": {"X-A\r\nX-C": "d"}},
        {"HttpHeaders": {"": "d"}},
        {"HttpHeaders": {"X A": "d"}},
        {"HttpHeaders": {"Content-Length": "7"}},
        {"HttpHeaders": {"Transfer-Encoding": "chunked"}},
        {"HttpHeaders": {"X-A": "\u0000"}},
        {"Username": "a\r\nX-C: d", "Password": "b"},
        {"Url": "http://[/"},
        {"Url": "http://127.0.0.1:99999/"},
        {"Url": "http://127.0.0.1:8042\r\nX-C: d/"},
        {"Url": "http:///etc/passwd"},
        {"CertificateFile": "/etc/shadow"},
        {"CertificateFile": "/dev/zero", "CertificateKeyFile": "/dev/zero"},
    ],
    ids=str,
)
def test_hostile_entries(client: httpx.Client, entry: dict[str, Any]) -> None:
    """Refused, or of no use; never a header or file that is not meant."""
    with HttpPeer() as peer:
        url = entry.get("Url", peer.url)
        if "CertificateFile" in entry:
            url = url.replace("http:", "https:")
        put = client.put(f"{ROOT}/p", json={"Url": url} | entry)
        if put.status_code == 200:
            found = client.post(f"{ROOT}/p/get", json={"Uri": "x"})
            assert found.status_code in (200, 400, 500)
            assert "OrthancStatus" in found.text or found.status_code == 200
            shown = client.get(f"{ROOT}?expand").json()["p"]
            assert shown.get("Password") is None
        else:
            assert put.status_code == 400
        for received in peer.requests:
            assert "x-c" not in received.headers
            assert received.method == "GET"
