"""The framing of the channel: messages arrive whole, however the system cuts them."""

import socket
import threading

import pytest

from orthanc_fast.services.scripts.lines import LENGTH, Messages, framed, receive, send


@pytest.mark.parametrize("size", [0, 1, 8, 16376, 16377, 65536, 5_000_000])
def test_messages_arrive_whole(size: int) -> None:
    message = bytes(range(256)) * (size // 256 + 1)
    message = message[:size]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for _ in range(3):
            sending = threading.Thread(target=send, args=(ours, message), daemon=True)
            sending.start()
            assert receive(theirs) == message
            sending.join()


def test_a_message_in_pieces_arrives_whole() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # cuts are kept
    message = LENGTH.pack(5) + b"whole"
    with ours, theirs:
        for piece in (message[:3], message[3:8], message[8:10], message[10:]):
            ours.send(piece)
        assert receive(theirs) == b"whole"


@pytest.mark.parametrize("sent", [b"", b"\0\0\0", LENGTH.pack(5), LENGTH.pack(5) + b"who"])
def test_who_ends_within_a_message_has_said_nothing(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(sent)
        assert receive(theirs) is None


SENT = (b"", b"one", b"", bytes(range(256)) * 3, b"x", b"the last")


@pytest.mark.parametrize("step", [1, 2, 3, 7, 8, 9, 11, 12, 100, 1000, 5000])
def test_messages_are_found_however_they_are_cut(step: int) -> None:
    stream = b"".join(framed(message) for message in SENT)
    messages = Messages()
    found: list[bytes] = []
    for at in range(0, len(stream), step):
        found += messages.of(stream[at : at + step])
    assert found == [*SENT]
    assert messages.of(framed(b"another")) == [b"another"]


@pytest.mark.parametrize("cut", range(1, 40))
def test_what_is_complete_does_not_wait_for_what_is_not(cut: int) -> None:
    first, second = framed(b"first"), framed(b"the second one")
    stream = first + second
    messages = Messages()
    found = messages.of(stream[:cut])
    assert found == [b"first", b"the second one"][: (cut >= len(first)) + (cut >= len(stream))]
    assert found + messages.of(stream[cut:]) == [b"first", b"the second one"]
