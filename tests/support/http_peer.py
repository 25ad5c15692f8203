"""A server of HTTP in threads, which answers as a test tells it, byte by byte if need be."""

import socket
import ssl
import threading
from collections.abc import Callable
from typing import BinaryIO, NamedTuple


class Received(NamedTuple):
    """One request; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Behave = Callable[[Received], bytes | None]


def answer(status: int = 200, body: bytes = b"{}", *headers: str) -> bytes:
    """The bytes of a whole answer."""
    head = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


class HttpPeer:
    """`behave` gives the bytes that answer a request, None to close the connection; it may take its
    time. `connections` counts those that came."""

    def __init__(
        self,
        behave: Behave = lambda received: answer(),
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self._behave = behave
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://{host}:{self.port}/"

    def __enter__(self) -> "HttpPeer":
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        with self._lock:
            for each in self._sockets:
                _shut(each)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._sockets.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        self._count(1)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._sockets.append(connection)
            with connection, connection.makefile("rb") as stream:
                while received := _read(stream):
                    self.requests.append(received)
                    reply = self._behave(received)
                    if reply is None:
                        return
                    connection.sendall(reply)
                    if b"\r\nConnection: close\r\n" in reply:
                        return
        except (OSError, ValueError):
            return  # the other side has gone
        finally:
            self._count(-1)
            connection.close()

    def _count(self, change: int) -> None:
        with self._lock:
            self.open += change
            self.most_open = max(self.most_open, self.open)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _read(stream: BinaryIO) -> Received | None:
    line = stream.readline()
    if not line:
        return None
    method, target, _ = line.decode().split()
    headers = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding") == "chunked":
        return Received(method, target, headers, _chunks(stream))
    body = stream.read(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body)


def _chunks(stream: BinaryIO) -> bytes:
    parts = []
    while size := int(stream.readline(), 16):
        parts.append(stream.read(size))
        stream.readline()
    stream.readline()
    return b"".join(parts)
