"""The framing of the channel, and how its socket is reached whatever the length of its path."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LENGTH: Final = struct.Struct(">Q")
_LONGEST_PATH = 100  # bytes; the system takes 107


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """An address for the path of a socket that is valid within the block."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def send(line: socket.socket, message: bytes) -> None:
    """Raises OSError."""
    if len(message) < 1 << 16:
        line.sendall(LENGTH.pack(len(message)) + message)
    else:
        line.sendall(LENGTH.pack(len(message)))
        line.sendall(message)


def receive(line: socket.socket) -> bytes | None:
    """The next message, None where the other side has ended. Raises OSError."""
    head = _exactly(line, LENGTH.size)
    if head is None:
        return None
    body = _exactly(line, LENGTH.unpack(head)[0])
    return None if body is None else bytes(body)


def _exactly(line: socket.socket, size: int) -> bytearray | bytes | None:
    first = line.recv(size)
    if len(first) == size:
        return first
    if not first:
        return None
    whole = bytearray(size)
    whole[: len(first)] = first
    view = memoryview(whole)[len(first) :]
    while view:
        count = line.recv_into(view)
        if not count:
            return None
        view = view[count:]
    return whole
