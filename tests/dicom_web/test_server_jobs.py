"""Jobs that transfer instances by DICOMweb: stopped, killed, saved; what they do again. Reference
chapter 5, section 11.2; chapter 3, section 3.8."""

import itertools
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from support import generated
from support.http_peer import HttpPeer, Received, answer
from support.peer_jobs import PATIENCE, wait_for
from support.process import workers
from support.server import OurServer
from support.waiting import until

ROOT = "/dicom-web/servers"
OPTIONS: dict[str, Any] = {"ConcurrentJobs": 1, "HttpWorkers": 1}

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with OurServer(tmp_path_factory.mktemp("server"), OPTIONS) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as found:
        yield found


def files(count: int) -> list[bytes]:
    number, template = next(_numbers), generated.small()
    return [template.number(number, number, 1, each + 1) for each in range(count)]


def study_of(client: httpx.Client, contents: list[bytes]) -> str:
    for content in contents:
        last: dict[str, str] = client.post("/instances", content=content).json()
    return last["ParentStudy"]


def begun(client: httpx.Client, url: str, verb: str, body: dict[str, Any], **entry: Any) -> str:
    client.put(f"{ROOT}/p", json={"Url": url, **entry}).raise_for_status()
    job: str = client.post(f"{ROOT}/p/{verb}", json=body | {"Synchronous": False}).json()["ID"]
    return job


def contents_of(received: Received) -> list[bytes]:
    boundary = received.headers["content-type"].partition("boundary=")[2].encode()
    parts = received.body.split(b"--" + boundary)[1:-1]
    return [part.partition(b"\r\n\r\n")[2][:-2] for part in parts]


def stored(received: Received) -> bytes:
    items: list[Any] = [{} for _ in contents_of(received)]
    body = json.dumps({"00081199": {"vr": "SQ", "Value": items}}).encode()
    return answer(200, body, "Content-Type: application/dicom+json")


class Silent:
    """Answers nothing before it is told to."""

    def __init__(self, then: Callable[[Received], bytes] = stored) -> None:
        self.talks = threading.Event()
        self.is_over = False
        self._then = then

    def __call__(self, received: Received) -> bytes | None:
        while not self.talks.wait(0.05):
            if self.is_over:
                return None
        return self._then(received)


@pytest.fixture
def silent() -> Iterator[tuple[Silent, HttpPeer]]:
    behave = Silent()
    with HttpPeer(behave) as peer:
        yield behave, peer
        behave.is_over = True


@pytest.mark.parametrize("verb", ["stow", "retrieve", "wado"])
def test_a_job_stops_while_the_server_is_silent(
    client: httpx.Client, silent: tuple[Silent, HttpPeer], verb: str
) -> None:
    _, peer = silent
    body: dict[str, Any] = {"Uri": "x"}
    if verb == "stow":
        body = {"Resources": [study_of(client, files(1))]}
    if verb == "retrieve":
        body = {"Resources": [{"Study": "1"}]}
    job = begun(client, peer.url, verb, body)
    until(lambda: peer.requests)
    began = time.monotonic()
    client.post(f"/jobs/{job}/pause").raise_for_status()
    wait_for(client, job, "Paused")
    client.post(f"/jobs/{job}/resume").raise_for_status()
    until(lambda: len(peer.requests) >= 2)
    client.post(f"/jobs/{job}/cancel").raise_for_status()
    assert wait_for(client, job, "Failure")["ErrorCode"] == 37
    assert time.monotonic() - began < 20


def test_a_large_study_goes_over_several_connections(client: httpx.Client) -> None:
    """All requests are there before the first is answered."""
    contents = files(250)
    study = study_of(client, contents)
    barrier = threading.Barrier(3)

    def behave(received: Received) -> bytes:
        barrier.wait(timeout=30)
        return stored(received)

    with HttpPeer(behave) as peer:
        client.put(f"{ROOT}/p", json=[peer.url]).raise_for_status()
        found = client.post(f"{ROOT}/p/stow", json={"Resources": [study]})
        assert found.json()["InstancesCount"] == "250"
        sent = [content for each in peer.requests for content in contents_of(each)]
        assert sorted(sent) == sorted(contents)
        assert peer.most_open == 3


def test_a_stow_whose_worker_is_killed(server: OurServer, client: httpx.Client) -> None:
    """Another worker sends the rest."""
    contents = files(350)
    study = study_of(client, contents)
    answered: list[Received] = []
    open_to_all = threading.Event()
    lock = threading.Lock()

    def behave(received: Received) -> bytes | None:
        with lock:
            answered.append(received)
            is_slow = len(answered) > 2 and not open_to_all.is_set()
        if is_slow:
            open_to_all.wait(20)
            return None
        return stored(received)

    with HttpPeer(behave) as peer:
        job = begun(client, peer.url, "stow", {"Resources": [study]})
        until(lambda: len(answered) == 4)
        time.sleep(2)  # what is stored is remembered each second
        before = len(peer.requests)
        done = sum(len(contents_of(each)) for each in answered[:2])
        _kill(server)
        open_to_all.set()
        content = wait_for(client, job, "Success")["Content"]
        assert content["InstancesCount"] == "350"
        again = Counter(c for each in peer.requests[before:] for c in contents_of(each))
        assert sum(again.values()) == len(contents) - done
        everything = {c for each in peer.requests for c in contents_of(each)}
        assert everything == set(contents)


def _kill(server: OurServer) -> None:
    assert server.process is not None
    [worker] = workers(server.process.pid, "jobs")
    os.kill(worker, signal.SIGKILL)


class Archive:
    """A server with one study of two series, which falls silent in the middle of it once."""

    def __init__(self, first: int, can_search: bool = True) -> None:
        """So many instances come before the silence."""
        number, template = next(_numbers), generated.small()
        self.study = ""
        self.instances: dict[tuple[str, str], bytes] = {}
        for series, each in itertools.product((1, 2), range(5)):
            content = template.number(number, number, series, each + 1)
            self.instances[f"1.{series}", f"1.{series}.{each}"] = content
        self._first = first
        self._can_search = can_search
        self.asked: list[str] = []

    def learn(self, client: httpx.Client) -> None:
        """The true UIDs, from a server that stores the instances, and forgets them."""
        found = {}
        for content in self.instances.values():
            name = client.post("/instances", content=content).json()["ID"]
            tags = client.get(f"/instances/{name}/simplified-tags").json()
            self.study = tags["StudyInstanceUID"]
            found[tags["SeriesInstanceUID"], tags["SOPInstanceUID"]] = content
            client.delete(f"/instances/{name}").raise_for_status()
        self.instances = found

    def __call__(self, received: Received) -> bytes | None:
        split = urlsplit(unquote(received.target))
        self.asked.append(split.path)
        parts = split.path.strip("/").split("/")
        if received.headers["accept"] == "application/dicom+json":
            return self._search(parts) if self._can_search else answer(501)
        wanted = [
            content
            for (series, instance), content in self.instances.items()
            if len(parts) == 2 or (parts[3] == series and (len(parts) == 4 or parts[5] == instance))
        ]
        kind = 'Content-Type: multipart/related; type="application/dicom"; boundary=B'
        blocks = [b"--B\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % c for c in wanted]
        whole = answer(200, b"".join(blocks) + b"--B--", kind)
        if self._first and len(parts) == 2:
            left_out = sum(map(len, blocks[self._first :])) + len(b"--B--")
            self._first = 0
            return whole[:-left_out] + b"--B\r\n"  # and nothing more, but it stays connected
        return whole

    def _search(self, parts: list[str]) -> bytes:
        found: list[Any] = [{"00201208": {"vr": "IS", "Value": [len(self.instances)]}}]
        if parts[-1] == "instances":
            found = [
                {
                    "0020000E": {"vr": "UI", "Value": [series]},
                    "00080018": {"vr": "UI", "Value": [instance]},
                }
                for series, instance in self.instances
            ]
        return answer(200, json.dumps(found).encode(), "Content-Type: application/dicom+json")


def received(client: httpx.Client, job: str) -> int:
    return int(client.get(f"/jobs/{job}").json()["Content"].get("ReceivedInstancesCount", "0"))


def is_complete(client: httpx.Client, archive: Archive) -> bool:
    again = [client.post("/instances", content=each).json() for each in archive.instances.values()]
    return {each["Status"] for each in again} == {"AlreadyStored"}


def test_a_retrieve_whose_worker_is_killed(server: OurServer, client: httpx.Client) -> None:
    """Another worker asks what there is, and fetches what is missing: of the series that has begun
    instance by instance, of the other one all at once."""
    archive = Archive(4)
    archive.learn(client)
    with HttpPeer(archive) as peer:
        body = {"Resources": [{"Study": archive.study}]}
        job = begun(client, peer.url, "retrieve", body)
        until(lambda: received(client, job) == 4)
        time.sleep(1.5)
        _kill(server)
        content = wait_for(client, job, "Success")["Content"]
        assert content["ReceivedInstancesCount"] == "10"
        assert is_complete(client, archive)
        (one, _), *_ = archive.instances
        [other] = {series for series, _ in archive.instances} - {one}
        last = [name for _, name in archive.instances][4]
        study = f"/studies/{archive.study}"
        assert archive.asked[0] == study
        assert archive.asked[-2:] == [
            f"{study}/series/{one}/instances/{last}",
            f"{study}/series/{other}",
        ]
        assert set(archive.asked[1:-2]) == {"/studies", f"{study}/instances"}


def test_a_server_that_does_not_tell_what_it_has(client: httpx.Client) -> None:
    """Paused in the middle, the study comes again as a whole; each counts once."""
    archive = Archive(4, can_search=False)
    archive.learn(client)
    with HttpPeer(archive) as peer:
        job = begun(client, peer.url, "retrieve", {"Resources": [{"Study": archive.study}]})
        until(lambda: received(client, job) == 4)
        client.post(f"/jobs/{job}/pause").raise_for_status()
        wait_for(client, job, "Paused")
        client.post(f"/jobs/{job}/resume").raise_for_status()
        content = wait_for(client, job, "Success")["Content"]
        assert content["ReceivedInstancesCount"] == "10"
        assert is_complete(client, archive)


def test_a_job_outlives_the_server(tmp_path: Path) -> None:
    """It goes on to the server as it was, which is forgotten meanwhile; nothing waits for the
    silent one."""
    behave = Silent()
    server = OurServer(tmp_path, OPTIONS)
    with HttpPeer(behave) as peer:
        with server, httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            contents = files(3)
            job = begun(client, peer.url, "stow", {"Resources": [study_of(client, contents)]})
            until(lambda: peer.requests)
            began = time.monotonic()
        assert time.monotonic() - began < 15
        behave.talks.set()
        with server, httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            assert client.get(ROOT).json() == []
            assert wait_for(client, job, "Success")["Content"]["Server"] == "p"
        assert sorted(contents_of(peer.requests[-1])) == sorted(contents)


def test_a_synchronous_call_is_not_polled_for(client: httpx.Client) -> None:
    """Orthanc takes half a second at least."""
    instance = client.post("/instances", content=files(1)[0]).json()["ID"]
    with HttpPeer(stored) as peer:
        client.put(f"{ROOT}/p", json=[peer.url]).raise_for_status()
        took = []
        for _ in range(5):
            began = time.monotonic()
            client.post(f"{ROOT}/p/stow", json={"Resources": [instance]}).raise_for_status()
            took.append(time.monotonic() - began)
        assert min(took) < 0.4


# Time


def test_silence_has_an_end(client: httpx.Client, silent: tuple[Silent, HttpPeer]) -> None:
    _, peer = silent
    client.put(f"{ROOT}/p", json={"Url": peer.url, "Timeout": 1}).raise_for_status()
    study = study_of(client, files(1))
    for verb, body in (
        ("get", {"Uri": "x"}),
        ("qido", {"Uri": "x"}),
        ("stow", {"Resources": [study]}),
        ("retrieve", {"Resources": [{"Study": "1"}]}),
    ):
        began = time.monotonic()
        found = client.post(f"{ROOT}/p/{verb}", json=body)
        assert found.status_code == 500
        assert "Timeout was reached" in found.json()["Details"]
        assert time.monotonic() - began < 20


def test_an_answer_too_long_for_memory(client: httpx.Client) -> None:
    body = b"[" + b" " * (65 << 20) + b"]"
    with HttpPeer(lambda received: answer(200, body)) as peer:
        client.put(f"{ROOT}/p", json=[peer.url]).raise_for_status()
        found = client.post(f"{ROOT}/p/qido", json={"Uri": "x"})
        assert (found.status_code, found.json()["OrthancStatus"]) == (500, 9)
        # What is only passed on may have any size.
        found = client.post(f"{ROOT}/p/get", json={"Uri": "x"})
        assert found.status_code == 200
        assert found.content == body


def parts_of(contents: list[bytes]) -> bytes:
    head = b"--BB\r\nContent-Type: application/dicom\r\n\r\n"
    return b"".join(head + content + b"\r\n" for content in contents)


@pytest.mark.parametrize("is_announced", [True, False], ids=["bytes", "instances"])
def test_progress_within_a_study(client: httpx.Client, is_announced: bool) -> None:
    """Half of the only one has come. Where the server does not say how long its answer is, it is
    asked how many instances there are."""
    contents = files(4)
    whole = parts_of(contents) + b"--BB--\r\n"
    at = len(parts_of(contents[:2])) + 6  # with the boundary that ends the second
    half, rest = whole[:at], whole[at:]
    goes_on = threading.Event()
    kind = 'Content-Type: multipart/related; type="application/dicom"; boundary=BB'
    length = f"Content-Length: {len(whole)}" if is_announced else "Connection: close"
    head = f"HTTP/1.1 200 OK\r\n{kind}\r\n{length}\r\n\r\n".encode()
    asked: list[str] = []

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            target = stream.readline().split()[1].decode()
            while stream.readline().strip():
                pass
            asked.append(target)
            if target.startswith("/studies?"):
                body = json.dumps([{"00201208": {"vr": "IS", "Value": [4]}}]).encode()
                connection.sendall(answer(200, body, "Content-Type: application/dicom+json"))
                return
            connection.sendall(head + half)
            goes_on.wait(PATIENCE)
            connection.sendall(rest)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            for _ in range(1 if is_announced else 2):
                threading.Thread(target=serve, args=(listener.accept()[0],)).start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        job = begun(client, url, "retrieve", {"Resources": [{"Study": "1"}]})
        until(lambda: 45 <= client.get(f"/jobs/{job}").json()["Progress"] <= 55)
        goes_on.set()
        found = wait_for(client, job, "Success")
        assert (found["Progress"], found["Content"]["ReceivedInstancesCount"]) == (100, "4")
        acceptor.join()
    assert ("/studies/1" in asked) and len(asked) == (1 if is_announced else 2)
