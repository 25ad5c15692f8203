"""Peers that stall, lie and break off while we ask them: the right failure each time, and no
thread, no socket and no file left."""

import contextlib
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec
import pytest
from pydicom.dataset import Dataset
from support import evil_acceptor as evil
from support import requestor_target
from support.certificates import Authority
from support.dicom_peer import CT, EXPLICIT, IMPLICIT, VERIFICATION, p_data, pdv
from support.evil_acceptor import Script, acceptor, message, response

from orthanc_fast._ext.pdata import PduError
from orthanc_fast.config import Settings
from orthanc_fast.errors import NetworkProtocol, NoPresentationContext
from orthanc_fast.services.exchange.dicom_tls import TlsOptions, client_context, server_context
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.scu.retrieval import Retrieval
from orthanc_fast.upper_layer import pdu
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.failures import (
    NO_DATA,
    PEER_ABORTED,
    PEER_RELEASED,
    READ_TIMEOUT,
    REJECTED,
    AssociationFailed,
    RequestFailed,
)
from orthanc_fast.upper_layer.requestor import Target, associate, proposals
from orthanc_fast.upper_layer.requests import Requests
from orthanc_fast.upper_layer.sending import Sender

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
COMMITMENT = "1.2.840.10008.1.20.1"
CONTEXTS = proposals(
    (VERIFICATION, (IMPLICIT,)),
    (FIND, (IMPLICIT,)),
    (MOVE, (IMPLICIT,)),
    (COMMITMENT, (IMPLICIT,)),
    (CT, (EXPLICIT,)),
)
ECHO_CONTEXT, FIND_CONTEXT, CT_CONTEXT = 1, 3, 9


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread, no socket and no file."""
    threads, files = threading.active_count(), descriptors()
    yield
    end = time.monotonic() + 5
    while (threading.active_count(), descriptors()) != (threads, files):
        assert time.monotonic() < end, (threading.enumerate(), threads, descriptors(), files)
        time.sleep(0.01)


def target(port: int, timeout: int = 1) -> Target:
    return Target(called="PEER", calling="US", host="127.0.0.1", port=port, timeout=timeout)


QUERY = b"\x08\0\x52\0\6\0\0\0STUDY "  # in implicit VR


def information() -> Dataset:
    found = Dataset()
    found.TransactionUID = "1.2.3"
    return found


# While the association is asked for

ACCEPT = pdu.encode_accept(
    pdu.Request(b"PEER".ljust(16), b"US".ljust(16), "", (), 0, (), None, ""),
    [pdu.Answer(number, 0, "", IMPLICIT) for number in (1, 3, 5, 7)]
    + [pdu.Answer(9, 0, "", EXPLICIT)],
    16384,
    [],
    None,
)
ECHO_RESPONSE = message(ECHO_CONTEXT, response(0x8030, 1, 0))


@pytest.mark.parametrize(
    "script, text",
    [
        (evil.refuses, REJECTED),
        (evil.is_mute, READ_TIMEOUT),
        (evil.closes, PEER_ABORTED),
        (evil.closes_on_request, PEER_ABORTED),
        (evil.aborts_on_request, PEER_ABORTED),
        (evil.sends(ACCEPT[:7], close=False), READ_TIMEOUT),
        (evil.sends(ACCEPT[:-1], close=False), READ_TIMEOUT),
        (evil.sends(ACCEPT[:-1]), PEER_ABORTED),
        (evil.sends(pdu.RELEASE_REQUEST), PEER_RELEASED),
        (evil.sends(pdu.RELEASE_RESPONSE), "type 6"),
        (evil.sends(ECHO_RESPONSE), "P-DATA outside of an association"),
        (evil.sends(b"HTTP/1.0 400 Bad Request\r\n\r\n"), "unknown PDU type 0x48"),
        (evil.sends(b"\x02\0\xff\xff\xff\xff"), "a PDU of type 2"),
        (evil.sends(b"\x02\0\0\0\0\x04\0\1\0\0"), "ends within its fixed part"),
        (evil.sends(b"\x03\0\0\0\0\x02\0\1"), "A-ASSOCIATE-RJ of 8 bytes"),
    ],
)
def test_no_association(script: Script, text: str) -> None:
    with acceptor(script) as port, pytest.raises(AssociationFailed) as failure:
        associate(target(port), CONTEXTS)
    assert text in str(failure.value)


def trickles(conversation: evil.Conversation) -> None:
    """Takes longer for the answer than the time-out, and for no byte of it."""
    conversation.request()
    for at in range(len(ACCEPT)):
        conversation.send(ACCEPT[at : at + 1])
        time.sleep(1.5 / len(ACCEPT))


def test_bytes_that_trickle_in() -> None:
    """The time-out is that of the whole answer."""
    with acceptor(trickles) as port, pytest.raises(AssociationFailed, match=READ_TIMEOUT):
        associate(target(port), CONTEXTS)


def test_half_answers() -> None:
    """Every way to break off in an A-ASSOCIATE-AC."""
    left = iter(range(len(ACCEPT)))

    def script(conversation: evil.Conversation) -> None:
        conversation.request()
        conversation.send(ACCEPT[: next(left)])

    with acceptor(script) as port:
        for _ in range(len(ACCEPT)):
            with pytest.raises(AssociationFailed, match=r"Peer aborted Association"):
                associate(target(port), CONTEXTS)


def test_wrong_answers() -> None:
    """Changed bytes in an A-ASSOCIATE-AC: an association with what it says, or none."""
    rng = random.Random(13)
    wrong = []
    for _ in range(150):
        changed = bytearray(ACCEPT)
        for _ in range(rng.randrange(1, 4)):
            changed[rng.randrange(6, len(changed))] = rng.randrange(256)
        wrong.append(bytes(changed))
    left = iter(wrong)

    def script(conversation: evil.Conversation) -> None:
        conversation.request()
        conversation.send(next(left))

    outcomes = set()
    with acceptor(script) as port:
        for _ in wrong:
            try:
                association = associate(target(port), CONTEXTS)
            except AssociationFailed:
                outcomes.add(False)
            else:
                outcomes.add(True)
                accepted = association.agreement.contexts.values()
                known = {each.abstract_syntax for each in CONTEXTS}
                assert all(each.abstract_syntax in known for each in accepted)
                assert all(each.transfer_syntax in (IMPLICIT, EXPLICIT) for each in accepted)
                association.break_off()
    assert outcomes == {True, False}


def test_a_syntax_that_was_not_proposed() -> None:
    def script(conversation: evil.Conversation) -> None:
        conversation.send(conversation.answer(syntax="1.2.840.10008.1.2.4.50"))
        conversation.until_closed()

    with acceptor(script) as port:
        association = associate(target(port), CONTEXTS)
        assert not association.agreement.contexts
        assert [each.result for each in association.agreement.answers] == [4] * 5
        association.break_off()


def test_nothing_is_accepted() -> None:
    associations = Associations(Settings(raw={}))
    with (
        acceptor(evil.refuses_every_context) as port,
        pytest.raises(NoPresentationContext, match='with AET "PEER"'),
        associations.open(target(port), CONTEXTS),
    ):
        raise AssertionError("there is nothing to talk about")


# While a request waits for its answer

Ask = Callable[[Association], object]


def move(association: Association) -> int:
    requests = Requests(association, 1)
    requests.move(MOVE, QUERY, "US", 1)
    following = Retrieval("C-MOVE", MOVE, association, requests, 1, lambda told: None)
    return following.result().status


ASKS: dict[str, Ask] = {
    "C-ECHO": lambda association: Requests(association, 1).echo(),
    "C-FIND": lambda association: list(Requests(association, 1).find(FIND, QUERY)),
    "C-MOVE": move,
    "N-ACTION": lambda association: Requests(association, 1).n_action(
        COMMITMENT, "1.2", 1, information()
    ),
    "N-EVENT-REPORT": lambda association: Requests(association, 1).n_event_report(
        COMMITMENT, "1.2", 1, information()
    ),
    "C-STORE": lambda association: Sender(association).store(
        CT_CONTEXT, CT, "1.2", [bytes(100_000)], 1
    ),
}
FIELDS = {
    "C-ECHO": 0x8030,
    "C-FIND": 0x8020,
    "C-MOVE": 0x8021,
    "N-ACTION": 0x8130,
    "N-EVENT-REPORT": 0x8100,
    "C-STORE": 0x8001,
}


def failure(script: Script, ask: Ask) -> RequestFailed | PduError:
    """What comes of a request to such a peer."""
    with acceptor(script) as port:
        association = associate(target(port), CONTEXTS)
        try:
            failed = None
            try:
                ask(association)
            except (RequestFailed, PduError) as error:
                failed = error
            assert failed is not None, "the request has succeeded"
            assert association.in_operation  # so that nobody releases it
        finally:
            association.break_off()
    return failed


@pytest.mark.parametrize("operation", ASKS)
@pytest.mark.parametrize(
    "script, text",
    [
        (evil.accepts_and_aborts, PEER_ABORTED),
        (evil.accepts_and_closes, PEER_ABORTED),
        (evil.aborts_on_command, PEER_ABORTED),
        (evil.closes_on_command, PEER_ABORTED),
        (evil.stalls_on_command, NO_DATA),
        (evil.releases_on_command, PEER_RELEASED),
    ],
)
def test_no_answer(operation: str, script: Script, text: str) -> None:
    failed = failure(script, ASKS[operation])
    assert isinstance(failed, RequestFailed)
    assert (failed.operation, failed.text) == (operation, text)


def wrong_messages(operation: str) -> dict[str, bytes]:
    field, number = FIELDS[operation], 1
    context = CT_CONTEXT if operation == "C-STORE" else ECHO_CONTEXT
    good = response(field, number, 0)
    return {
        "to another message": message(context, response(field, number + 1, 0)),
        "of another kind": message(context, response(field ^ 0x0010, number, 0)),
        "of no kind": message(context, response(0xFFFF, number, 0)),
        "a request": message(context, response(field & 0x7FFF, number, 0)),
        "without a status": message(context, response(field, number, None)),
        "half of it": message(context, good)[:-9],
        "in another context": message(99, good),
        "for ever": p_data(pdv(context, bytes(16000), is_command=True, last=False)) * 3,
        "without an end": p_data(pdv(context, good, is_command=True, last=False)),
        "an element beyond its end": message(context, good[:-10] + b"\xff" * 10),
        "a data set first": p_data(pdv(context, good)),
        "too long a PDU": b"\x04\0\0\xff\xff\xff" + bytes(100),
        "an empty PDU": b"\x04\0\0\0\0\0",
        "another A-ASSOCIATE-AC": ACCEPT,
        "nonsense": random.Random(5).randbytes(500),
    }


WRONG = list(wrong_messages("C-ECHO"))


@pytest.mark.parametrize("operation", ASKS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_answer(operation: str, wrong: str) -> None:
    """Each is a failure of the request or of the protocol; the connection is closed afterwards, or
    the time-out has to end what is not complete."""
    ends = wrong in ("half of it", "without an end")
    script = evil.accepts_and_sends(wrong_messages(operation)[wrong], close=ends)
    failed = failure(script, ASKS[operation])
    assert not isinstance(failed, RequestFailed) or failed.operation == operation


@pytest.mark.parametrize("status", [0x0001, 0x7777, 0xBEEF, 0xFFFF])
def test_unknown_statuses(status: int) -> None:
    """They are passed on."""
    with acceptor(evil.answers_with(status)) as port:
        association = associate(target(port), CONTEXTS)
        requests = Requests(association, 1)
        assert requests.echo() == status
        assert [each for each, _ in requests.find(FIND, QUERY)] == [status]
        assert move(association) == status
        assert requests.n_action(COMMITMENT, "1.2", 1, information()) == status
        assert Sender(association).store(CT_CONTEXT, CT, "1.2", [b"1234"], 9) == status
        association.release(1)


def test_pending_for_ever() -> None:
    """Who has enough leaves: the association is broken off at once."""
    pending = message(FIND_CONTEXT, response(0x8020, 1, 0xFF00, FIND, data_set=True), QUERY)

    def script(conversation: evil.Conversation) -> None:
        conversation.accept()
        conversation.command()
        while True:
            conversation.send(100 * pending)

    associations = Associations(Settings(raw={}))
    with acceptor(script) as port, associations.open(target(port), CONTEXTS) as association:
        found = list(islice(Requests(association, 1).find(FIND, QUERY), 500))
        assert [status for status, _ in found] == [0xFF00] * 500
        assert association.in_operation


def test_pending_and_nothing_more() -> None:
    pending = message(FIND_CONTEXT, response(0x8020, 1, 0xFF00, FIND, data_set=True), b"")
    script = evil.accepts_and_sends(pending)
    failed = failure(script, ASKS["C-FIND"])
    assert isinstance(failed, RequestFailed) and failed.text == NO_DATA


def test_an_identifier_without_end() -> None:
    head = message(FIND_CONTEXT, response(0x8020, 1, 0xFF00, FIND, data_set=True))

    def script(conversation: evil.Conversation) -> None:
        conversation.accept()
        conversation.command()
        conversation.send(head)
        part = p_data(pdv(FIND_CONTEXT, bytes(100_000), last=False))
        while True:
            conversation.send(part)

    failed = failure(script, ASKS["C-FIND"])
    assert isinstance(failed, PduError) and "identifier" in failed.args[0]


def test_who_takes_nothing() -> None:
    """A peer that does not read what it has accepted."""

    def script(conversation: evil.Conversation) -> None:
        conversation.accept()
        closed.wait()

    closed = threading.Event()
    with acceptor(script) as port:
        association = associate(target(port), CONTEXTS)
        part = bytearray(30_000_000)
        with pytest.raises(RequestFailed, match=r"C-STORE: DUL network write timeout"):
            Sender(association).store(CT_CONTEXT, CT, "1.2", [part], 1)
        part.append(0)  # nobody holds it
        association.break_off()
        closed.set()


@pytest.mark.parametrize("maximum", [1, 7])
def test_who_takes_pdus_without_content(maximum: int) -> None:
    def script(conversation: evil.Conversation) -> None:
        conversation.accept(maximum)
        conversation.until_closed()

    associations = Associations(Settings(raw={}))
    with acceptor(script) as port:
        for ask in (lambda association: Sender(association), lambda a: Requests(a, 1).echo()):
            with (
                pytest.raises(NetworkProtocol, match=r"a maximum length of"),
                associations.open(target(port), CONTEXTS) as association,
            ):
                ask(association)


@pytest.mark.parametrize("maximum", [8, 9, 20, 0xFFFFFFFF])
def test_odd_maximum_lengths(maximum: int) -> None:
    def script(conversation: evil.Conversation) -> None:
        conversation.accept(maximum)
        for _ in range(2):
            evil.answer_whole(conversation, 0)
        conversation.until_closed()

    with acceptor(script) as port:
        association = associate(target(port), CONTEXTS)
        assert Requests(association, 1).echo() == 0
        assert Sender(association).store(CT_CONTEXT, CT, "1.2", [b"12", b"345", b"6"], 5) == 0
        association.break_off()


# By TLS


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> TlsOptions:
    """Of both sides."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    certificate, key = authority.issue("both")
    return TlsOptions(str(certificate), str(key), str(authority.certificate), True, 0, ())


@pytest.mark.parametrize("operation", ["C-ECHO", "C-STORE"])
@pytest.mark.parametrize(
    "script, text",
    [
        (evil.aborts_on_command, PEER_ABORTED),
        (evil.closes_on_command, PEER_ABORTED),
        (evil.stalls_on_command, NO_DATA),
        (evil.releases_on_command, PEER_RELEASED),
    ],
)
def test_no_answer_by_tls(options: TlsOptions, operation: str, script: Script, text: str) -> None:
    with acceptor(script, server_context(options)) as port:
        secure = msgspec.structs.replace(target(port), tls=client_context(options))
        association = associate(secure, CONTEXTS)
        with pytest.raises(RequestFailed) as failed:
            ASKS[operation](association)
        association.break_off()
    assert failed.value.text == text


def test_bytes_that_trickle_in_by_tls(options: TlsOptions) -> None:
    with acceptor(trickles, server_context(options)) as port:
        secure = msgspec.structs.replace(target(port), tls=client_context(options))
        with pytest.raises(AssociationFailed, match=READ_TIMEOUT):
            associate(secure, CONTEXTS)


# While somebody watches


class GivenUp(Exception):
    """What the one who watches raises."""


def takes_nothing(conversation: evil.Conversation) -> None:
    conversation.accept()
    threading.Event().wait(2)


def stops_within_a_record(conversation: evil.Conversation) -> None:
    """The header of a TLS record, or the beginning of a PDU, and nothing more."""
    conversation.accept()
    conversation.command()
    is_secure = isinstance(conversation.socket, ssl.SSLSocket)
    begun = b"\x17\x03\x03\x00\x40" if is_secure else ECHO_RESPONSE[:10]
    os.write(conversation.socket.fileno(), begun)
    conversation.until_closed()


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("has_timeout", [False, True])
@pytest.mark.parametrize(
    "script", [evil.stalls_on_command, takes_nothing, stops_within_a_record, trickles]
)
def test_a_silent_peer_is_waited_for_as_long_as_wanted(
    options: TlsOptions, script: Script, is_secure: bool, has_timeout: bool
) -> None:
    looks = 0

    def watch() -> None:
        nonlocal looks
        looks += 1
        if looks == 2 and not has_timeout:
            raise GivenUp

    size = (16 << 20) if script == takes_nothing else 6
    with acceptor(script, server_context(options) if is_secure else None) as port:
        tls = client_context(options) if is_secure else None
        peer = msgspec.structs.replace(target(port, 1 if has_timeout else 0), tls=tls)
        with pytest.raises(
            (RequestFailed, PduError, AssociationFailed) if has_timeout else GivenUp
        ):
            association = associate(peer, CONTEXTS, watch=watch)
            try:
                Sender(association).store(CT_CONTEXT, CT, "1.2", [bytes(size)], 1)
            finally:
                association.break_off()
    assert looks >= 2


@pytest.mark.parametrize("has_timeout", [False, True])
def test_a_peer_that_accepts_no_connection(has_timeout: bool) -> None:
    def watch() -> None:
        if not has_timeout:
            raise GivenUp

    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        address = listening.getsockname()
        for _ in range(4):  # more than the backlog holds: the kernel ignores what comes then
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        stack.enter_context(pytest.raises(AssociationFailed if has_timeout else GivenUp))
        associate(target(address[1], int(has_timeout)), CONTEXTS, watch=watch)


@pytest.mark.parametrize("has_timeout", [False, True])
@pytest.mark.parametrize("trickle", [False, True])
def test_a_tls_handshake_that_does_not_end(
    options: TlsOptions, trickle: bool, has_timeout: bool
) -> None:
    looks = 0

    def watch() -> None:
        nonlocal looks
        looks += 1
        if looks == 2 and not has_timeout:
            raise GivenUp

    def script(conversation: evil.Conversation) -> None:
        if trickle:  # of a record that never comes to its end
            for byte in b"\x16\x03\x03\x3f\xff\x02" + bytes(100):
                conversation.send(bytes((byte,)))
                time.sleep(0.05)
        conversation.until_closed()

    with acceptor(script) as port:
        peer = msgspec.structs.replace(
            target(port, 1 if has_timeout else 0), tls=client_context(options)
        )
        begin = time.monotonic()
        with pytest.raises(AssociationFailed if has_timeout else GivenUp):
            associate(peer, CONTEXTS, watch=watch)
        assert time.monotonic() - begin < 3
    assert looks >= 2


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "TLS"])
def test_a_release_that_nobody_answers(options: TlsOptions, is_secure: bool) -> None:
    """What was asked for is done: whoever gives up hears of no error."""
    looks = 0

    def watch() -> None:
        nonlocal looks
        looks += 1
        raise GivenUp

    def script(conversation: evil.Conversation) -> None:
        conversation.accept()
        conversation.until_closed()

    with acceptor(script, server_context(options) if is_secure else None) as port:
        tls = client_context(options) if is_secure else None
        association = associate(msgspec.structs.replace(target(port), tls=tls), CONTEXTS)
        association.channel.watch = watch
        begin = time.monotonic()
        association.release(30)
        assert time.monotonic() - begin < 3
    assert looks == 1


def test_requests_for_the_release_without_end() -> None:
    """Each of them would be waited for anew."""

    def script(conversation: evil.Conversation) -> None:
        conversation.accept()
        with contextlib.suppress(OSError):
            while True:
                conversation.send(pdu.RELEASE_REQUEST)
                time.sleep(0.1)

    with acceptor(script) as port:
        association = associate(target(port), CONTEXTS)
        begin = time.monotonic()
        association.release(1)
        assert time.monotonic() - begin < 3


@pytest.mark.filterwarnings("ignore")  # of pydicom, at odd values
def test_mutated_conversations() -> None:
    """The bounded version of tests/fuzz/fuzz_requestor.py: nothing but the failures that are
    foreseen comes out, and every connection is closed."""
    rng = random.Random(17)
    for seed in requestor_target.SEEDS:
        requestor_target.target(seed)
        for _ in range(60):
            changed = bytearray(seed)
            for _ in range(rng.randrange(1, 5)):
                at = rng.randrange(len(changed))
                if rng.random() < 0.2:
                    del changed[at : at + rng.randrange(1, 20)]
                    changed += b"\0" * (not changed)
                else:
                    changed[at] = rng.choice((0, 1, 2, 4, 0x7F, 0xFF, rng.randrange(256)))
            requestor_target.target(bytes(changed))


# At the end


@pytest.mark.parametrize(
    "last",
    [
        b"",
        pdu.RELEASE_REQUEST,
        evil.ABORT,
        pdu.RELEASE_RESPONSE[:5],
        ECHO_RESPONSE,
        b"nonsense" * 10,
        ACCEPT,
    ],
    ids=range(7),
)
def test_bad_ends(last: bytes) -> None:
    """What comes instead of the answer to the release does not matter any more."""

    def script(conversation: evil.Conversation) -> None:
        conversation.accept()
        evil.answer_next(conversation, 0)
        conversation.send(last)
        conversation.until_closed()

    with acceptor(script) as port:
        association = associate(target(port), CONTEXTS)
        assert Requests(association, 1).echo() == 0
        association.release(1)


def test_release_collision() -> None:
    """Both ask for it: both answer."""
    seen: list[int] = []

    def script(conversation: evil.Conversation) -> None:
        conversation.accept()
        seen.append(conversation.receive()[0])
        conversation.send(pdu.RELEASE_REQUEST)
        seen.append(conversation.receive()[0])
        conversation.send(pdu.RELEASE_RESPONSE)
        seen.append(len(conversation.receive()))

    with acceptor(script) as port:
        associate(target(port), CONTEXTS).release(5)
    assert seen == [pdu.RELEASE_RQ, pdu.RELEASE_RP, 0]


def test_an_association_that_is_broken_off_is_aborted() -> None:
    seen: list[bytes] = []

    def script(conversation: evil.Conversation) -> None:
        conversation.accept()
        seen.append(conversation.receive())

    with acceptor(script) as port:
        associate(target(port), CONTEXTS).break_off()
    assert seen == [pdu.encode_abort(0, 0)]
