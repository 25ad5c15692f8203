"""The framing of the channel: messages arrive whole, however the system cuts them."""

import socket
import threading

import pytest

from orthanc_fast.services.scripts.lines import LENGTH, receive, send


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
