"""Jobs that send to a peer: paused, cancelled, saved; workers that are killed; what they leave.
Reference chapter 4, section 8.3; chapter 3, section 3.8."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import psutil
import pytest
from support.http_peer import Behave, HttpPeer, Received, answer
from support.peer_jobs import PATIENCE, send, uploaded, wait_for
from support.process import workers
from support.server import OurServer
from support.waiting import until

CONNECTIONS = 3

BAD: tuple[Behave, ...] = (
    lambda received: None,
    lambda received: b"no HTTP\r\n\r\n",
    lambda received: answer(307, b"", "Location: /again"),
    lambda received: answer(500),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {"ConcurrentJobs": 1, "HttpWorkers": 1, "PeerStoreConnections": CONNECTIONS}
    with OurServer(tmp_path_factory.mktemp("server"), options) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as found:
        yield found


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
    until(lambda: 40 <= client.get(f"/jobs/{job}").json()["Progress"] <= 60)
    for _ in range(100):
        behave.allowed.release()
    client.post(f"/jobs/{job}/resume").raise_for_status()
    content = wait_for(client, job, "Success")["Content"]
    assert content["FailedInstancesCount"] == 0
    bodies = Counter(each.body for each in peer.requests)
    assert len(bodies) == len(instances)
    # Of those that were under way some may have come to an end before the job did.
    assert len(instances) <= sum(bodies.values()) <= len(instances) + CONNECTIONS


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
        for behave in BAD:
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
