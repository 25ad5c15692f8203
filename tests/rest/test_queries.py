"""Queries of modalities: peers that misbehave, side by side with Orthanc 1.13 where that survives
them; many answers; all processes of a server."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import evil_acceptor as evil
from support import generated
from support.find_scp import STUDY_ROOT
from support.ports import free_port
from support.process import workers
from support.server import OurServer

from orthanc_fast.upper_layer.pdu import RELEASE_RQ

Both = tuple[httpx.Client, httpx.Client]

QUERY = {"Level": "Study", "Query": {"PatientName": "A*"}}
# In explicit VR little endian, which is proposed first.
ANSWER = b"\x10\x00\x20\x00LO\x02\x00P1" + b"\x20\x00\x0d\x00UI\x06\x001.2.3\x00"
GARBAGE = b"\x10\x00\x20\x00LO\xff\x7fP1"

C_FIND_RSP = 0x8020


def modality(client: httpx.Client, port: int, **fields: Any) -> str:
    value = {"AET": "PEER", "Host": "127.0.0.1", "Port": port, "Timeout": 1, **fields}
    client.put("/modalities/evil", json=value).raise_for_status()
    return "/modalities/evil"


def asked(conversation: evil.Conversation) -> tuple[int, int]:
    """Accepts the association and waits for the C-FIND: its context and message."""
    conversation.accept()
    number = int.from_bytes(conversation.command()[0x00000110], "little")
    context = next(
        each.number
        for each in conversation.requested.proposals
        if each.abstract_syntax == STUDY_ROOT
    )
    assert conversation.receive()  # the identifier
    return context, number


def answering(*answers: tuple[int, bytes], then: bytes = b"") -> evil.Script:
    """(status, data set) to the query, and then these bytes."""

    def script(conversation: evil.Conversation) -> None:
        context, number = asked(conversation)
        for status, data_set in answers:
            head = evil.response(C_FIND_RSP, number, status, STUDY_ROOT, bool(data_set))
            conversation.send(evil.message(context, head, data_set))
        if then:
            conversation.send(then)
        received = conversation.receive()
        if received and received[0] == RELEASE_RQ:
            conversation.send(evil.RELEASE_RP)
        conversation.until_closed()

    return script


def answers_another(conversation: evil.Conversation) -> None:
    """The answer to another message."""
    context, number = asked(conversation)
    head = evil.response(C_FIND_RSP, number + 7, 0xFF00, STUDY_ROOT, True)
    conversation.send(evil.message(context, head, ANSWER))
    conversation.until_closed()


def answers_no_status(conversation: evil.Conversation) -> None:
    context, number = asked(conversation)
    head = evil.response(C_FIND_RSP, number, None, STUDY_ROOT)
    conversation.send(evil.message(context, head))
    conversation.until_closed()


def answers_half(conversation: evil.Conversation) -> None:
    """A PDU that does not come to its end."""
    context, number = asked(conversation)
    head = evil.response(C_FIND_RSP, number, 0xFF00, STUDY_ROOT, True)
    conversation.send(evil.message(context, head, ANSWER)[:-5])
    conversation.until_closed()


def answers_echo(conversation: evil.Conversation) -> None:
    context, number = asked(conversation)
    conversation.send(evil.message(context, evil.response(0x8030, number, 0x0000)))
    conversation.until_closed()


BAD: dict[str, evil.Script] = {
    "refuses": evil.refuses,
    "mute": evil.is_mute,
    "aborts": evil.aborts_on_command,
    "closes": evil.closes_on_command,
    "stalls": evil.stalls_on_command,
    "releases": evil.releases_on_command,
    "never releases": evil.never_releases,
    "one answer and nothing more": answering((0xFF00, ANSWER)),
    "one answer and abort": answering((0xFF00, ANSWER), then=evil.ABORT),
    "data set with the end": answering((0xFF00, ANSWER), (0x0000, ANSWER)),
    "garbage": answering((0xFF00, GARBAGE), (0x0000, b"")),
    "pending without data set": answering((0xFF00, b""), (0x0000, b"")),
    "another message": answers_another,
    "no status": answers_no_status,
    "echo": answers_echo,
}
# Where Orthanc has other words for it.
OTHER_WORDS = {"garbage", "pending without data set", "another message", "no status", "echo"}


@pytest.mark.parametrize("name", BAD)
def test_bad_peers(both: Both, name: str) -> None:
    with evil.acceptor(BAD[name]) as port:
        seen = []
        for client in both:
            answer = client.post(f"{modality(client, port)}/query", json=QUERY)
            value = answer.json()
            details = None if name in OTHER_WORDS else value.get("Details")
            seen.append((answer.status_code, value.get("OrthancStatus"), details))
    assert seen[0] == seen[1]
    assert seen[0][0] == 500 or name in ("never releases", "data set with the end")


@pytest.mark.parametrize("path", ["query", "find-worklist", "find", "find-patient"])
@pytest.mark.parametrize(
    "fields", [{}, {"Host": "no.such.host.invalid"}, {"UseDicomTls": True}], ids=repr
)
def test_network_errors(both: Both, path: str, fields: dict[str, Any]) -> None:
    """Nobody listens, nobody knows the host, or there is no certificate of ours."""
    port = free_port()
    seen = []
    for client in both:
        body = QUERY if path == "query" else {}
        answer = client.post(f"{modality(client, port, **fields)}/{path}", json=body)
        value = answer.json()
        seen.append((answer.status_code, value["OrthancStatus"], value["Details"]))
    assert seen[0][0] == 500
    assert seen[0][:2] == seen[1][:2]
    if "in progress" not in seen[1][2]:  # what Orthanc says where a kernel answers late
        assert seen[0] == seen[1]


def test_half_an_answer(ours: httpx.Client) -> None:
    """For which Orthanc waits for ever."""
    with evil.acceptor(answers_half) as port:
        answer = ours.post(f"{modality(ours, port)}/query", json=QUERY)
        assert answer.status_code == 500
        assert "DIMSE No data available" in answer.json()["Details"]


def test_answers_without_end_stop_when_the_client_leaves(ours: httpx.Client) -> None:
    left = threading.Event()
    sent = threading.Event()

    def script(conversation: evil.Conversation) -> None:
        context, number = asked(conversation)
        head = evil.response(C_FIND_RSP, number, 0xFF00, STUDY_ROOT, True)
        answer = evil.message(context, head, ANSWER)
        try:
            while True:
                conversation.send(answer * 10)
                sent.set()
                if left.wait(0.01):
                    conversation.socket.settimeout(0.01)
        finally:
            over.set()

    over = threading.Event()
    with evil.acceptor(script) as port:
        path = f"{modality(ours, port)}/query"
        known = ours.get("/queries").json()
        with pytest.raises(httpx.ReadTimeout):
            ours.post(path, json=QUERY, timeout=2)
        assert sent.is_set()
        assert over.wait(20)  # the association is broken off
        assert ours.get("/queries").json() == known


@pytest.mark.parametrize("call", ["query", "echo", "store-straight", "storage-commitment"])
def test_a_silent_peer_is_left_when_the_client_leaves(ours: httpx.Client, call: str) -> None:
    reached, over = threading.Event(), threading.Event()

    def script(conversation: evil.Conversation) -> None:
        conversation.accept()
        conversation.command()
        reached.set()
        conversation.until_closed()
        over.set()

    bodies: dict[str, str | bytes] = {
        "query": json.dumps(QUERY),
        "echo": "{}",
        "store-straight": generated.small().number(1, 1, 1, 1),
        "storage-commitment": json.dumps({"DicomInstances": [["1.2.3", "1.2.4"]]}),
    }
    with evil.acceptor(script) as port:
        path = f"{modality(ours, port, Timeout=0)}/{call}"
        with pytest.raises(httpx.ReadTimeout):
            ours.post(path, content=bodies[call], timeout=2)
        assert reached.is_set()
        assert over.wait(5)  # less than DicomScuTimeout


def test_the_server_stops_though_a_silent_peer_is_waited_for(tmp_path: Path) -> None:
    reached = threading.Event()

    def script(conversation: evil.Conversation) -> None:
        asked(conversation)
        reached.set()
        conversation.until_closed()

    with (
        evil.acceptor(script) as port,
        ThreadPoolExecutor(1) as pool,
        OurServer(tmp_path, {"HttpWorkers": 1}) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        path = f"{modality(client, port, Timeout=1000)}/query"
        answer = pool.submit(client.post, path, json=QUERY)
        assert reached.wait(20)
        assert server.stop() == 0
        assert "The server is stopping" in answer.result().text


def test_queries_in_a_form(ours: httpx.Client) -> None:
    """Each part is a request of its own: what comes while one waits is for the next."""
    sent = threading.Event()

    def script(conversation: evil.Conversation) -> None:
        sent.wait(20)
        answering((0xFF00, ANSWER), (0x0000, b""))(conversation)

    def parts() -> Iterator[bytes]:
        head = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
        for _ in range(3):
            yield head + json.dumps(QUERY).encode() + b"\r\n"
            time.sleep(0.2)  # so that it is read before the next part comes
        yield b"--B--\r\n"
        sent.set()

    with evil.acceptor(script) as port:
        path = f"{modality(ours, port, Timeout=20)}/query"
        known = ours.get("/queries").json()
        headers = {"Content-Type": "multipart/form-data; boundary=B"}
        answer = ours.post(path, content=parts(), headers=headers)
        assert answer.status_code == 200
        assert len(ours.get("/queries").json()) - len(known) == 3


def test_every_process_knows_a_query(tmp_path: Path) -> None:
    """Two HTTP workers; QueryRetrieveSize holds for both together."""
    script = answering(*[(0xFF00, ANSWER)] * 250, (0x0000, b""))
    with (
        OurServer(tmp_path, {"HttpWorkers": 2, "QueryRetrieveSize": 3}) as server,
        evil.acceptor(script) as port,
    ):
        clients = [httpx.Client(base_url=server.url, timeout=30) for _ in range(8)]
        asking = modality(clients[0], port) + "/query"
        paths = [client.post(asking, json=QUERY).json()["Path"] for client in clients[:3]]
        shown = {
            "0008,0005": "ISO_IR 100",
            "0008,0052": "STUDY",
            "0010,0020": "P1",
            "0020,000d": "1.2.3",
        }
        for path in paths:
            for client in clients:
                assert client.get(f"{path}/answers").json() == [str(n) for n in range(250)]
                content = client.get(f"{path}/answers?expand&short")
                assert content.json() == [shown] * 250
                assert client.get(f"{path}/answers/249/content?short").json() == shown
        clients[0].get(paths[0])
        last = clients[1].post(asking, json=QUERY).json()["Path"]
        for client in clients:
            found = [f"/queries/{each}" for each in client.get("/queries").json()]
            assert found == sorted([paths[0], paths[2], last])
            assert client.get(paths[1]).status_code == 404
            client.close()


def test_a_killed_worker_leaves_no_query_behind(tmp_path: Path) -> None:
    """It dies between two answers."""
    stuck = threading.Event()

    def script(conversation: evil.Conversation) -> None:
        context, number = asked(conversation)
        head = evil.response(C_FIND_RSP, number, 0xFF00, STUDY_ROOT, True)
        for _ in range(150):
            conversation.send(evil.message(context, head, ANSWER))
        stuck.set()
        conversation.until_closed()

    with OurServer(tmp_path, {"HttpWorkers": 1}) as server, evil.acceptor(script) as port:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            path = f"{modality(client, port, Timeout=30)}/query"
            asking = threading.Thread(target=ignoring(client.post, path, json=QUERY))
            asking.start()
            assert stuck.wait(20)
            assert server.process is not None
            for pid in workers(server.process.pid):
                os.kill(pid, signal.SIGKILL)
            asking.join(20)
            assert not asking.is_alive()
        with httpx.Client(
            base_url=server.url, timeout=30, transport=httpx.HTTPTransport(retries=20)
        ) as client:
            assert client.get("/queries").json() == []
            assert modality(client, port) == "/modalities/evil"


def ignoring(call: Callable[..., Any], *arguments: Any, **named: Any) -> Callable[[], None]:
    def run() -> None:
        with contextlib.suppress(httpx.TransportError):
            call(*arguments, **named)

    return run
