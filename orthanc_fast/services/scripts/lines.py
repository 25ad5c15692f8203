"""The framing of the channel, and how its socket is reached whatever the length of its path."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LENGTH: Final = struct.Struct(">Q")
_AT_ONCE: Final = 16 << 10  # bytes: most messages are shorter, and come with one call
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


def framed(message: bytes) -> bytes:
    """As it goes over the line."""
    return LENGTH.pack(len(message)) + message


class Messages:
    """The messages in what comes over a line, however it is cut."""

    def __init__(self) -> None:
        self._begun = bytearray()  # the first bytes of a message, with its length
        self._size = 0  # of all of it, as far as that is known

    def of(self, data: bytes) -> list[bytes]:
        """Those that are complete with these bytes."""
        found: list[bytes] = []
        begun = self._begun
        if begun:
            begun += data
            if len(begun) < self._size:
                return found
            if self._size > LENGTH.size:
                found.append(bytes(memoryview(begun)[LENGTH.size : self._size]))
                data = bytes(memoryview(begun)[self._size :])
            else:
                data = bytes(begun)
            begun.clear()
        at, end = 0, LENGTH.size
        while end <= len(data):
            (size,) = LENGTH.unpack_from(data, at)
            end += size
            if end > len(data):
                break
            found.append(data[at + LENGTH.size : end])
            at, end = end, end + LENGTH.size
        if at < len(data):
            begun += memoryview(data)[at:]
            self._size = end - at
        return found


def send(line: socket.socket, message: bytes) -> None:
    """Raises OSError."""
    if len(message) < 1 << 16:
        line.sendall(LENGTH.pack(len(message)) + message)
    else:
        line.sendall(LENGTH.pack(len(message)))
        line.sendall(message)


def receive(line: socket.socket) -> bytes | None:
    """The next message, None where the other side has ended. Who sends it waits for an answer, so
    nothing comes behind it. Raises OSError."""
    first = line.recv(_AT_ONCE)
    while len(first) < LENGTH.size:
        more = line.recv(_AT_ONCE) if first else b""
        if not more:
            return None
        first += more
    (size,) = LENGTH.unpack_from(first)
    if len(first) == LENGTH.size + size:
        return first[LENGTH.size :]
    whole = bytearray(size)
    count = len(first) - LENGTH.size
    whole[:count] = first[LENGTH.size :]
    view = memoryview(whole)
    while count < size:
        got = line.recv_into(view[count:])
        if not got:
            return None
        count += got
    return bytes(whole)
