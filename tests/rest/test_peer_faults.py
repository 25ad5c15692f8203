"""Peers that are not there, die, stall, redirect, or answer what they should not. Reference chapter
4, section 8."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.http_peer import Behave, HttpPeer, Received, answer
from support.pair import Pair, started_pair
from support.peer_jobs import PATIENCE, send, uploaded, wait_for
from support.ports import free_port
from support.server import OurServer
from support.waiting import until

CONNECTIONS = 3


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


def test_headers_of_a_peer_do_not_follow_to_another_server(client: httpx.Client) -> None:
    """They may be keys (X-Api-Key). What says what the body is does follow."""
    with HttpPeer() as target:
        locations = iter(["/b", target.url])
        with HttpPeer(lambda received: answer(307, b"", f"Location: {next(locations)}")) as peer:
            headers = {"X-Api-Key": "secret", "cookie": "secret"}
            client.put("/peers/p", json={"Url": peer.url, "HttpHeaders": headers})
            client.post("/peers/p/store", json=uploaded(client, 1)).raise_for_status()
            assert [each.headers["x-api-key"] for each in peer.requests] == ["secret"] * 2
        [received] = target.requests
        assert "secret" not in received.headers.values()
        assert received.headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_user_in_the_address(client: httpx.Client) -> None:
    with HttpPeer() as peer:
        client.put("/peers/p", json=[peer.url.replace("127.", "user:pass%20word@127.")])
        assert client.get("/peers/p/system").status_code == 200
        [received] = peer.requests
        assert received.headers["authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="
        job = client.post("/peers/p/store", json=uploaded(client, 1)).json()
        assert job["Peer"] == [peer.url]


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_errors_do_not_show_a_user_in_the_address(client: httpx.Client, scheme: str) -> None:
    """Orthanc's do."""
    host = f"127.0.0.1:{free_port()}/"
    client.put("/peers/p", json=[f"{scheme}user:pass@word@{host}"]).raise_for_status()
    stored = client.post("/peers/p/store", json=uploaded(client, 1))
    for answered, path in ((client.get("/peers/p/system"), "system"), (stored, "instances")):
        text = f"libCURL error: Couldn't connect to server while accessing {scheme}{host}{path}"
        assert answered.json()["Details"] == text


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
