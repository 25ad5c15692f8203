"""C-ECHO to modalities: every row of the table of network errors that it can show, side by side
with Orthanc 1.13. Reference chapter 4, sections 5.3, 5.4 and 7."""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from support import evil_acceptor as evil
from support.certificates import Authority
from support.dicom_door import Shelf, serving
from support.ports import free_port
from support.process import children
from support.reference_server import ReferenceServer
from support.server import OurServer

from orthanc_fast.services.exchange.dicom_tls import TlsOptions, server_context

Both = tuple[httpx.Client, httpx.Client]


class Answer(NamedTuple):
    status: int
    code: int | None
    details: str | None
    payload: Any
    kind: str | None


SUCCESS = Answer(200, None, None, None, "application/json")


def answer(response: httpx.Response) -> Answer:
    value = response.json() if response.content else {}
    return Answer(
        response.status_code,
        value.get("OrthancStatus"),
        value.get("Details"),
        value.get("ErrorPayload"),
        response.headers.get("content-type"),
    )


def put(client: httpx.Client, port: int, **fields: Any) -> None:
    modality = {"AET": "PEER", "Host": "127.0.0.1", "Port": port, "Timeout": 1, **fields}
    client.put("/modalities/evil", json=modality).raise_for_status()


def ask(both: Both, port: int, body: bytes = b"", **fields: Any) -> tuple[Answer, Answer]:
    for client in both:
        put(client, port, **fields)
    ours, theirs = (answer(each.post("/modalities/evil/echo", content=body)) for each in both)
    return ours, theirs


SCRIPTS = [
    evil.refuses,
    evil.refuses_every_context,
    evil.is_mute,
    evil.closes,
    evil.closes_on_request,
    evil.aborts_on_request,
    evil.aborts_on_command,
    evil.closes_on_command,
    evil.stalls_on_command,
    evil.releases_on_command,
    evil.never_releases,
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_bad_peers(both: Both, script: evil.Script) -> None:
    with evil.acceptor(script) as port:
        ours, theirs = ask(both, port)
    assert ours == theirs


@pytest.mark.parametrize("script", [evil.accepts_and_aborts, evil.accepts_and_closes])
def test_peers_that_go_at_once(both: Both, script: evil.Script) -> None:
    """Orthanc says now the one and now the other, as it meets the end while it reads or writes."""
    with evil.acceptor(script) as port:
        ours, theirs = ask(both, port)
    assert ours._replace(details=None) == theirs._replace(details=None)
    assert ours.details == (
        'DicomAssociation - C-ECHO to AET "PEER": Peer aborted Association (or never connected)'
    )


@pytest.mark.parametrize("status", [0x0000, 0x0122, 0xFF00, 0xFE00, 0xB000, 0xC123])
def test_statuses(both: Both, status: int) -> None:
    """Whatever is no success is a bare 500."""
    with evil.acceptor(evil.answers_with(status)) as port:
        for body in (b"", b'{"CheckFind": true}'):
            ours, theirs = ask(both, port, body)
            assert ours == theirs
            assert ours.status == (500 if status else 200)


@pytest.mark.parametrize("status", [0x0000, 0xA700, 0xC000, 0xFE00, 0xB001])
def test_check_find(both: Both, status: int) -> None:
    """One study-level query for a study that nobody has; the contexts are those of Orthanc."""
    asked: list[Any] = []

    def script(conversation: evil.Conversation) -> None:
        conversation.accept()
        proposals = conversation.requested.proposals
        asked.append([(each.abstract_syntax, each.transfer_syntaxes) for each in proposals])
        evil.answer_next(conversation, 0x0000)
        evil.answer_next(conversation, status)
        conversation.until_closed()

    with evil.acceptor(script) as port:
        ours, theirs = ask(both, port, b'{"CheckFind": true}')
    assert ours == theirs
    assert ours.status == {0x0000: 200, 0xC000: 422}.get(status, 500)
    assert asked[0] == asked[1]


def test_nobody_listens(both: Both) -> None:
    ours, theirs = ask(both, free_port(), Timeout=0)
    assert ours._replace(details=None) == theirs._replace(details=None)
    assert ours.details == (
        'DicomAssociation - connecting to AET "PEER": TCP Initialization Error: Connection refused'
    )


@pytest.mark.parametrize("host", ["nobody.invalid", "a b", ""])
def test_unknown_hosts(both: Both, host: str) -> None:
    ours, theirs = ask(both, 104, Host=host)
    assert ours == theirs
    assert ours.code == 9


BODIES: list[bytes] = [
    *(b"{}", b"[]", b"3", b"null", b'"x"', b"x", b"{", b'{"Timeout": 1}', b'{"timeout": "a"}'),
    *(b'{"Timeout": "1"}', b'{"Timeout": -1}', b'{"Timeout": 1.5}', b'{"Timeout": 4294967296}'),
    *(b'{"Timeout": null}', b'{"Timeout": true}', b'{"CheckFind": 1}', b'{"CheckFind": "true"}'),
    *(b'{"CheckFind": null}', b'{"CheckFind": false}'),
]


def test_bodies(both: Both) -> None:
    with evil.acceptor(evil.answers_with(0)) as port:
        for client in both:
            put(client, port)
        for path in ("/modalities/evil/echo", "/modalities/nobody/echo"):
            for body in BODIES:
                ours, theirs = (answer(client.post(path, content=body)) for client in both)
                assert ours[:2] == theirs[:2], (path, body)


def test_the_tool(both: Both) -> None:
    with evil.acceptor(evil.answers_with(0)) as port:
        whole = {"AET": "PEER", "Host": "127.0.0.1", "Port": port}
        values: list[Any] = [whole, [*whole.values()], ["PEER", "127.0.0.1", str(port), "GE"]]
        values += [{**whole, "Timeout": timeout} for timeout in (1, "x", -1)]
        values += [{**whole, "CheckFind": value} for value in (True, "x")]
        values += [{**whole, "Port": 0}, {"AET": "PEER"}, {}, [], ["PEER"], "x", 3]
        bodies = [json.dumps(value).encode() for value in values] + [b"", b"x"]
        for body in bodies:
            ours, theirs = (
                answer(client.post("/tools/dicom-echo", content=body)) for client in both
            )
            assert ours[:2] == theirs[:2], body
        assert [answer(each.post("/tools/dicom-echo", content=bodies[0])) for each in both] == [
            SUCCESS,
            SUCCESS,
        ]


def test_who_calls(both: Both) -> None:
    """`DicomAet`, whatever the `LocalAet`; titles are padded, and cut where they are too long."""
    titles: list[tuple[bytes, bytes]] = []

    def script(conversation: evil.Conversation) -> None:
        request = conversation.request()
        titles.append((request.calling, request.called))

    with evil.acceptor(script) as port:
        ask(both, port, LocalAet="OTHER")
        ask(both, port, AET="LONGER THAN 16 BYTES")
    assert titles[0] == titles[1] == (b"ORTHANC".ljust(16), b"PEER".ljust(16))
    assert titles[2] == titles[3]


# TLS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def secure(
    needs_reference: None, folder: Path, authority: Authority
) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Both with a certificate for what they ask of others, their own ports without TLS."""
    certificate, key = authority.issue("us")
    options = {
        "DicomServerEnabled": True,
        "DicomAlwaysAllowFind": True,
        "DicomTlsCertificate": str(certificate),
        "DicomTlsPrivateKey": str(key),
        "DicomTlsTrustedCertificates": str(authority.certificate),
    }
    with (
        OurServer(folder / "ours", {**options, "DicomPort": free_port()}) as ours,
        ReferenceServer(folder / "theirs", {**options, "DicomPort": free_port()}) as theirs,
        httpx.Client(base_url=ours.url, timeout=60) as left,
        httpx.Client(base_url=theirs.url, timeout=60) as right,
    ):
        yield left, right


def tls_door(authority: Authority, name: str, trusted: Authority) -> TlsOptions:
    certificate, key = authority.issue(name)
    return TlsOptions(str(certificate), str(key), str(trusted.certificate), True, 0, ())


def test_tls(secure: Both, authority: Authority, tmp_path: Path) -> None:
    """The name in the certificate is not looked at."""
    context = server_context(tls_door(authority, "some.other.host", authority))
    with serving(Shelf(tmp_path), context) as door:
        ours, theirs = ask(secure, door.port, UseDicomTls=True)
        assert ours == theirs == SUCCESS
        ours, theirs = ask(secure, door.port)  # plain, where TLS is spoken
        assert ours[:2] == theirs[:2] == (500, 9)


def test_certificates_of_others(secure: Both, authority: Authority, tmp_path: Path) -> None:
    """The peer's authority is not ours, or ours not the peer's."""
    stranger = Authority(tmp_path, "stranger")
    for context in (
        server_context(tls_door(stranger, "stranger-host", authority)),
        server_context(tls_door(authority, "host", stranger)),
    ):
        with serving(Shelf(tmp_path), context) as door:
            ours, theirs = ask(secure, door.port, UseDicomTls=True)
            assert ours[:2] == theirs[:2] == (500, 9)
            assert ours.details is not None
            assert ours.details.startswith('DicomAssociation - connecting to AET "PEER": ')


def test_a_certificate_that_has_expired(secure: Both, authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("expired", days=-1)
    options = TlsOptions(str(certificate), str(key), str(authority.certificate), True, 0, ())
    with serving(Shelf(tmp_path), server_context(options)) as door:
        ours, theirs = ask(secure, door.port, UseDicomTls=True)
    assert ours[:2] == theirs[:2] == (500, 9)
    assert "expired" in str(ours.details)


def test_tls_where_it_is_not_spoken(secure: Both, tmp_path: Path) -> None:
    with serving(Shelf(tmp_path)) as door:
        ours, theirs = ask(secure, door.port, UseDicomTls=True)
    assert ours[:2] == theirs[:2] == (500, 9)


def test_a_peer_that_is_mute_in_the_handshake(secure: Both) -> None:
    """Orthanc waits for ever here."""
    with evil.acceptor(evil.is_mute) as port:
        put(secure[0], port, UseDicomTls=True)
        ours = answer(secure[0].post("/modalities/evil/echo"))
    assert ours[:3] == (
        *(500, 9),
        'DicomAssociation - connecting to AET "PEER": DUL network read timeout',
    )


def test_tls_without_a_certificate(both: Both) -> None:
    ours, theirs = ask(both, 104, UseDicomTls=True)
    assert ours == theirs
    assert ours.code == 6


def test_the_servers_answer_each_other(secure: Both) -> None:
    def dicom_port(client: httpx.Client) -> int:
        return int(client.get("/system").json()["DicomPort"])

    for client, other in (secure, secure[::-1]):
        put(client, dicom_port(other), Timeout=10)
        body = json.dumps({"CheckFind": True}).encode()
        assert client.post("/modalities/evil/echo", content=body).json() == {}


# What is left behind


def test_waiting_for_peers_holds_nobody_up(ours: httpx.Client) -> None:
    """Far more stalled calls than there are threads for requests, and the server answers."""
    asked, is_over = threading.Semaphore(0), threading.Event()

    def script(conversation: evil.Conversation) -> None:
        conversation.request()
        asked.release()
        is_over.wait()

    with evil.acceptor(script) as port:
        put(ours, port, Timeout=60)
        statuses: list[int] = []

        def call() -> None:
            statuses.append(ours.post("/modalities/evil/echo").status_code)

        callers = [threading.Thread(target=call) for _ in range(40)]
        for each in callers:
            each.start()
            asked.acquire()
        body = b"[" + b"1," * 300_000 + b"1]"  # is parsed in a thread
        assert ours.post("/tools/dicom-echo", content=body).status_code == 400
        assert not statuses
        is_over.set()
        for each in callers:
            each.join()
    assert statuses == [500] * 40


def held(server: OurServer) -> list[tuple[int, int]]:
    """Threads and descriptors of each process of the server."""
    assert server.process is not None
    return [
        (len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd")))
        for pid in children(server.process.pid)
    ]


def test_nothing_is_left(our_server: OurServer, ours: httpx.Client) -> None:
    """Neither threads nor sockets, whatever peers do."""

    def all_scripts() -> None:
        for script in (*SCRIPTS, evil.answers_with(0), evil.answers_with(0xC000)):
            with evil.acceptor(script) as port:
                put(ours, port)
                for body in (b"", b'{"CheckFind": true}'):
                    ours.post("/modalities/evil/echo", content=body)

    all_scripts()  # what is made once, as threads of the event loop, is there afterwards
    before = held(our_server)
    all_scripts()
    end = time.monotonic() + 10
    while any(now > then for now, then in zip(sums(held(our_server)), sums(before), strict=True)):
        assert time.monotonic() < end, (before, held(our_server))
        time.sleep(0.05)


def sums(numbers: list[tuple[int, int]]) -> tuple[int, int]:
    return sum(threads for threads, _ in numbers), sum(files for _, files in numbers)
