"""Peers that are not there, die, stall, redirect, or answer what they should not; jobs that are
stopped meanwhile, and workers that are killed. Reference chapter 4, section 8."""

import itertools
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest
from support import generated
from support.http_peer import Behave, HttpPeer, Received, answer
from support.pair import Pair, started_pair
from support.ports import free_port
from support.process import workers
from support.server import OurServer

PATIENCE = 60.0
CONNECTIONS = 3

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The first stands before the second: `theirs` is Orthanc."""
    with started_pair(tmp_path_factory.mktemp("pair"), {"HttpTimeout": 1}) as pair:
        yield pair


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {"ConcurrentJobs": 1, "HttpWorkers": 1, "PeerStoreConnections": CONNECTIONS}
    with OurServer(tmp_path_factory.mktemp("server"), options) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as found:
        yield found


def uploaded(client: httpx.Client, count: int) -> list[str]:
    number, template = next(_numbers), generated.small()
    return [
        client.post("/instances", content=template.number(number, number, 1, each + 1)).json()["ID"]
        for each in range(count)
    ]


def send(client: httpx.Client, url: str, instances: list[str], **options: Any) -> httpx.Response:
    client.put("/peers/p", json=[url]).raise_for_status()
    return client.post("/peers/p/store", json={"Resources": instances, **options})


def wait_for(client: httpx.Client, job: str, *states: str) -> dict[str, Any]:
    """The job as soon as it is in one of the states."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found: dict[str, Any] = client.get(f"/jobs/{job}").json()
        if found["State"] in states:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# Beside Orthanc: all three routes to a peer that fails.

CLOSED: Behave = lambda received: None  # noqa: E731
GARBAGE: Behave = lambda received: b"no HTTP\r\n\r\n"  # noqa: E731
CUT_OFF: Behave = lambda received: answer(200, b"{}", "Connection: close")[:-1]  # noqa: E731
LOOP: Behave = lambda received: answer(307, b"", "Location: /again")  # noqa: E731


@pytest.mark.parametrize("behave", [CLOSED, GARBAGE, CUT_OFF, LOOP])
def test_answers_that_are_none(pair: Pair, behave: Behave) -> None:
    with HttpPeer(behave) as peer:
        compare(pair, peer.url)


def test_a_peer_that_stalls(pair: Pair) -> None:
    """Both give up after HttpTimeout; ours, where the peer has a time of its own, after that."""
    told = threading.Event()

    def behave(received: Received) -> bytes:
        told.wait(PATIENCE)
        return answer()

    with HttpPeer(behave) as peer:
        compare(pair, peer.url)
        began = time.monotonic()
        pair.ours.put("/peers/p", json={"Url": peer.url, "Timeout": 3}).raise_for_status()
        assert pair.ours.get("/peers/p/system").status_code == 500
        assert time.monotonic() - began >= 3
        told.set()


# What libcurl has said for twenty years, and says otherwise since its version 8.9.
RENAMED = {
    "Could not connect to server": "Couldn't connect to server",
    "Could not resolve hostname": "Couldn't resolve host name",
}


@pytest.mark.parametrize(
    "url", ["http://nobody.invalid/", "http://127.0.0.1:99999/", "127.0.0.1:1"]
)
def test_addresses_without_a_server(pair: Pair, url: str) -> None:
    compare(pair, url)


def test_a_port_that_is_closed(pair: Pair) -> None:
    compare(pair, f"http://127.0.0.1:{free_port()}/")


def compare(pair: Pair, peer: Any) -> None:
    """Code and text of the errors of all three routes."""
    found = []
    for client in (pair.ours, pair.theirs):
        client.put("/peers/p", json=[peer] if isinstance(peer, str) else peer).raise_for_status()
        answers = (
            client.post("/peers/p/store", json=[pair.names["instances"]]),
            client.post("/peers/p/store-straight", content=b"DICM"),
            client.get("/peers/p/system"),
        )
        found.append([_error(each) for each in answers])
    assert found[0] == found[1]
    assert all(text.startswith("libCURL error: ") for _, _, text in found[0])


def _error(answered: httpx.Response) -> tuple[int, int, str]:
    content = answered.json()
    text = content["Details"]
    for new, old in RENAMED.items():
        text = text.replace(new, old)
    return answered.status_code, content["OrthancStatus"], text


# Redirections


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirection_keeps_the_instance(client: httpx.Client, status: int) -> None:
    """Also those at which Orthanc sends GET, and takes the answer to that for success."""
    [instance] = uploaded(client, 1)
    with HttpPeer() as target:
        location = f"Location: {target.url}there"
        with HttpPeer(lambda received: answer(status, b"", location)) as peer:
            send(client, peer.url, [instance]).raise_for_status()
            assert client.get("/peers/p/system").json() == {}
        stored, asked = target.requests
        assert (stored.method, stored.target) == ("POST", "/there")
        assert stored.body == client.get(f"/instances/{instance}/file").content
        assert asked.method == "GET"


def test_see_other_is_asked_without_the_instance(client: httpx.Client) -> None:
    with HttpPeer(lambda received: answer(200, b"{}")) as target:
        location = f"Location: {target.url}result"
        with HttpPeer(lambda received: answer(303, b"", location)) as peer:
            send(client, peer.url, uploaded(client, 1)).raise_for_status()
        [received] = target.requests
        assert (received.method, received.body) == ("GET", b"")


def test_a_redirection_to_what_is_no_http(client: httpx.Client) -> None:
    """Orthanc would go there by FTP."""
    with HttpPeer(lambda received: answer(307, b"", "Location: ftp://127.0.0.1/")) as peer:
        answered = send(client, peer.url, uploaded(client, 1))
        text = f"libCURL error: Unsupported protocol while accessing {peer.url}instances"
        assert answered.json()["Details"] == text


def test_credentials_do_not_follow_to_another_server(client: httpx.Client) -> None:
    """But they do within one."""
    with HttpPeer() as target:
        locations = iter(["/b", target.url])
        with HttpPeer(lambda received: answer(307, b"", f"Location: {next(locations)}")) as peer:
            client.put("/peers/p", json=[peer.url, "user", "password"])
            client.post("/peers/p/store", json=uploaded(client, 1)).raise_for_status()
            assert all("authorization" in each.headers for each in peer.requests)
            assert [each.target for each in peer.requests] == ["/instances", "/b"]
        [received] = target.requests
        assert "authorization" not in received.headers


def test_a_user_in_the_address(client: httpx.Client) -> None:
    with HttpPeer() as peer:
        client.put("/peers/p", json=[peer.url.replace("127.", "user:pass%20word@127.")])
        assert client.get("/peers/p/system").status_code == 200
        [received] = peer.requests
        assert received.headers["authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="


# Connections


def test_connections_are_kept_and_used_at_the_same_time(client: httpx.Client) -> None:
    """While one request waits for its answer others are sent."""
    instances = uploaded(client, 12)
    together = threading.Barrier(CONNECTIONS)

    def behave(received: Received) -> bytes:
        together.wait(PATIENCE)
        return answer()

    with HttpPeer(behave) as peer:
        send(client, peer.url, instances).raise_for_status()
        assert peer.connections == CONNECTIONS
        assert len(peer.requests) == len(instances)


def test_a_kept_connection_that_the_peer_closes(client: httpx.Client) -> None:
    """Each is closed right after the second request has come, unanswered: it is sent again."""
    instances = uploaded(client, 9)
    seen: Counter[int] = Counter()

    def behave(received: Received) -> bytes | None:
        seen[threading.get_ident()] += 1
        return None if seen[threading.get_ident()] == 2 else answer()

    with HttpPeer(behave) as peer:
        content = send(client, peer.url, instances).raise_for_status().json()
        assert content["FailedInstancesCount"] == 0
        assert {each.body for each in peer.requests} == {
            client.get(f"/instances/{each}/file").content for each in instances
        }


# Failures


def test_the_first_failure_ends_the_job(client: httpx.Client) -> None:
    instances = uploaded(client, 20)
    with HttpPeer(lambda received: answer(500)) as peer:
        answered = send(client, peer.url, instances)
        assert (answered.status_code, answered.json()["OrthancStatus"]) == (500, 9)
        assert "Details" not in answered.json()
        assert len(peer.requests) <= 2 * CONNECTIONS


def test_a_permissive_job_tells_what_failed(client: httpx.Client) -> None:
    """Orthanc's counts none."""
    instances = uploaded(client, 6)
    bad = instances[2]
    file = client.get(f"/instances/{bad}/file").content
    gone = instances[4]

    def behave(received: Received) -> bytes:
        return answer(500 if received.body == file else 200)

    with HttpPeer(behave) as peer:
        client.delete(f"/instances/{gone}")
        known = [each for each in instances if each != gone]
        content = send(client, peer.url, known, Permissive=True).raise_for_status().json()
        assert content["InstancesCount"] == 5
        assert content["FailedInstancesCount"] == 1
        assert content["FailedInstances"] == [{"ID": bad, "ErrorCode": 9, "ErrorDetails": ""}]
        assert len(peer.requests) == 5
        assert content["Size"] == str(sum(len(each.body) for each in peer.requests))


def test_an_instance_that_is_deleted_meanwhile(client: httpx.Client) -> None:
    instances = uploaded(client, 100)
    go = threading.Event()

    def behave(received: Received) -> bytes:
        go.wait(PATIENCE)
        return answer()

    with HttpPeer(behave) as peer:
        job = send(client, peer.url, instances, Synchronous=False, Permissive=True).json()["ID"]
        until(lambda: len(peer.requests) == CONNECTIONS)
        client.delete(f"/instances/{instances[-1]}").raise_for_status()
        go.set()
        content = wait_for(client, job, "Success")["Content"]
        assert content["FailedInstancesCount"] == 1
        [failure] = content["FailedInstances"]
        assert (failure["ID"], failure["ErrorCode"]) == (instances[-1], 17)
        assert len(peer.requests) == 99


def test_a_smart_card_is_named_as_not_supported(client: httpx.Client) -> None:
    [instance] = uploaded(client, 1)
    client.put("/peers/p", json={"Url": "https://h/", "Pkcs11": True}).raise_for_status()
    answers = (
        client.post("/peers/p/store", json=[instance]),
        client.post("/peers/p/store-straight", content=b"x"),
        client.get("/peers/p/system"),
    )
    for answered in answers:
        assert (answered.status_code, answered.json()["OrthancStatus"]) == (500, 2)
        assert "Pkcs11" in answered.json()["Details"]


# Jobs that are stopped


class Slow:
    """Answers only what it is allowed to."""

    def __init__(self) -> None:
        self.allowed = threading.Semaphore(0)
        self.over = False

    def __call__(self, received: Received) -> bytes | None:
        while not self.allowed.acquire(timeout=0.05):
            if self.over:
                return None
        return answer()


@pytest.fixture
def slow() -> Iterator[tuple[Slow, HttpPeer]]:
    behave = Slow()
    with HttpPeer(behave) as peer:
        yield behave, peer
        behave.over = True


def test_a_job_is_cancelled_while_the_peer_stalls(
    client: httpx.Client, slow: tuple[Slow, HttpPeer]
) -> None:
    _, peer = slow
    job = send(client, peer.url, uploaded(client, 5), Synchronous=False).json()["ID"]
    until(lambda: len(peer.requests) == CONNECTIONS)
    client.post(f"/jobs/{job}/cancel").raise_for_status()
    assert wait_for(client, job, "Failure")["ErrorCode"] == 37


def test_a_job_is_paused_and_goes_on(client: httpx.Client, slow: tuple[Slow, HttpPeer]) -> None:
    behave, peer = slow
    instances = uploaded(client, 20)
    job = send(client, peer.url, instances, Synchronous=False).json()["ID"]
    for _ in range(10):
        behave.allowed.release()
    until(lambda: len(peer.requests) == 10 + CONNECTIONS)
    client.post(f"/jobs/{job}/pause").raise_for_status()
    wait_for(client, job, "Paused")
    assert 40 <= client.get(f"/jobs/{job}").json()["Progress"] <= 60
    for _ in range(100):
        behave.allowed.release()
    client.post(f"/jobs/{job}/resume").raise_for_status()
    content = wait_for(client, job, "Success")["Content"]
    assert content["FailedInstancesCount"] == 0
    bodies = Counter(each.body for each in peer.requests)
    assert len(bodies) == len(instances)
    assert sum(bodies.values()) == len(instances) + CONNECTIONS  # those that were under way


def test_a_worker_is_killed(server: OurServer, client: httpx.Client) -> None:
    """Another one goes on where it was about a second before."""
    instances = uploaded(client, 60)

    def behave(received: Received) -> bytes:
        time.sleep(0.15)
        return answer()

    with HttpPeer(behave) as peer:
        job = send(client, peer.url, instances, Synchronous=False).json()["ID"]
        until(lambda: len(peer.requests) > 40)
        assert server.process is not None
        [worker] = workers(server.process.pid, "jobs")
        os.kill(worker, signal.SIGKILL)
        assert wait_for(client, job, "Success")["Content"]["FailedInstancesCount"] == 0
        bodies = Counter(each.body for each in peer.requests)
        assert len(bodies) == len(instances)
        assert sum(bodies.values()) < 1.7 * len(instances)


def test_nothing_is_left(server: OurServer, client: httpx.Client) -> None:
    """Neither sockets nor threads nor files, after jobs that failed in every way."""
    assert server.process is not None
    [jobs] = workers(server.process.pid, "jobs")
    [http] = workers(server.process.pid, "http")
    instances = uploaded(client, 5)

    def fail_once() -> None:
        for behave in (CLOSED, GARBAGE, LOOP, lambda received: answer(500)):
            with HttpPeer(behave) as peer:
                assert send(client, peer.url, instances).status_code == 500
                client.get("/peers/p/system")
        send(client, "http://nobody.invalid/", instances)

    fail_once()
    before = [_held(process) for process in (jobs, http)]
    for _ in range(3):
        fail_once()
    until(lambda: [_held(process) for process in (jobs, http)] <= before)


def _held(pid: int) -> tuple[int, int]:
    process = psutil.Process(pid)
    connected = [each for each in process.net_connections("tcp") if each.status != "LISTEN"]
    return process.num_threads(), len(connected) + len(process.open_files())


def test_a_job_that_was_saved(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A restart of the server: the job goes on, to the peer as it was at the submission."""
    behave = Slow()
    options = {"ConcurrentJobs": 1, "HttpWorkers": 1, "PeerStoreConnections": 1}
    server = OurServer(tmp_path_factory.mktemp("saved"), options)
    with HttpPeer(behave) as peer:
        with server, httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            instances = uploaded(client, 4)
            job = send(client, peer.url, instances, Synchronous=False).json()["ID"]
            behave.allowed.release()
            until(lambda: len(peer.requests) == 2)
        with server, httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            assert client.get("/peers").json() == []
            for _ in range(9):
                behave.allowed.release()
            content = wait_for(client, job, "Success")["Content"]
            assert content["Peer"] == [peer.url]
            assert json.dumps(content["ParentResources"]) == json.dumps(sorted(instances))
        assert len({each.body for each in peer.requests}) == len(instances)
        behave.over = True
