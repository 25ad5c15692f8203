"""The bytes of one association: a socket, plain or TLS, with its reader."""

import contextlib
import math
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduReader
from orthanc_fast._ext.pdata_writer import MessageWriter

# A socket without time-out would be a blocking one, and its reads could not be woken.
NO_TIMEOUT = 365 * 86400

_LINGER = 2.0  # seconds that a peer gets to close after our last PDU
_AT_ONCE = 0.2  # seconds
_STAGING = 1 << 18  # bytes that are handed to TLS at once
LOOK = 250  # milliseconds of silence between two calls of `watch`

Watch = Callable[[], None]
"""Raises what it likes when the peer is not to be waited for any longer."""


class Channel:
    """One connection. Only the thread of its association uses it, but for `shut_down`."""

    def __init__(self, connection: socket.socket, timeout: int) -> None:
        """`timeout` is in seconds of silence, 0: none."""
        self.reader = PduReader()
        self.watch: Watch | None = None  # called again and again while a silent peer is waited for
        self._socket = connection
        self._timeout = -1
        self.set_timeout(timeout)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tls = connection if isinstance(connection, ssl.SSLSocket) else None
        self._staging: bytearray | None = None

    def set_timeout(self, timeout: int) -> None:
        """Seconds of silence, 0: none."""
        self._timeout = timeout * 1000 if timeout else -1
        self._socket.settimeout(timeout or NO_TIMEOUT)

    def wait(self, wake: int = -1, timeout: int | None = None, whole: bool = False) -> int:
        """The next event of the reader; see `PduReader.wait`. Raises PduError or OSError.

        `timeout` in milliseconds replaces that of the channel; with `whole` it is that of the event
        and not that of each of its bytes, so that nobody holds us with one byte now and then. Where
        there is a `watch`, it always is that of the event, and what `watch` raises is raised.
        """
        limit = self._timeout if timeout is None else timeout
        if self.watch is None:
            return self._wait(wake, limit, whole)
        end = time.monotonic() + limit / 1000 if limit >= 0 else math.inf
        with contextlib.nullcontext() if self._tls is None else self._at_once(self._tls):
            return self._wait_watching(self.watch, wake, end)

    def _wait_watching(self, watch: Watch, wake: int, end: float) -> int:
        while True:
            left = max(0.0, (end - time.monotonic()) * 1000)
            event = self._wait(wake, int(min(left, LOOK)), True)
            if event != pdata.TIMEOUT or left <= LOOK:
                return event
            watch()

    def _wait(self, wake: int, limit: int, whole: bool) -> int:
        if self._tls is None:
            return self.reader.wait(self._socket.fileno(), limit, wake, whole)
        return self._wait_tls(self._tls, wake, limit, whole)

    def _wait_tls(self, connection: ssl.SSLSocket, wake: int, timeout: int, whole: bool) -> int:
        end = time.monotonic() + timeout / 1000 if whole and timeout >= 0 else None
        while True:
            event = self.reader.next()
            if event != pdata.NEED_DATA:
                return event
            if not connection.pending():
                if end is not None:
                    timeout = max(0, int((end - time.monotonic()) * 1000))
                event = _poll(connection.fileno(), wake, timeout)
                if event != pdata.NEED_DATA:
                    return event
            try:
                count = connection.recv_into(self.reader.window())
            except ssl.SSLWantReadError:
                continue  # a part of a record
            except TimeoutError:
                return pdata.TIMEOUT
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return pdata.CLOSED
            if not count:
                return pdata.CLOSED
            self.reader.received(count)

    def send(self, data: bytes, more: bool = False) -> None:
        """Sends all of it; with `more` the kernel may keep it for a moment, to send it together
        with what comes next. Raises OSError (TimeoutError if the peer does not take it)."""
        if more and self._tls is None:
            self._socket.sendall(data, socket.MSG_MORE)
        else:
            self._socket.sendall(data)

    def send_at_once(self, data: bytes) -> None:
        """Sends the last bytes of an association, to whoever takes them. Raises OSError."""
        self._socket.settimeout(_AT_ONCE)
        self._socket.sendall(data)

    def write(self, writer: MessageWriter) -> None:
        """Sends the whole message that the writer has begun. Raises OSError (TimeoutError if the
        peer does not take it)."""
        if self._tls is None:
            self._write(writer)
            return
        if self._staging is None:
            self._staging = bytearray(_STAGING)
        staging = memoryview(self._staging)
        while count := writer.fill(staging):
            self._write_tls(self._tls, staging[:count])

    def _write(self, writer: MessageWriter) -> None:
        fd = self._socket.fileno()
        if self.watch is None:
            writer.write(fd, self._timeout)
            return
        while True:
            try:
                writer.write(fd, LOOK)  # goes on where it was
                return
            except TimeoutError:
                self._until_it_takes()

    def _write_tls(self, connection: ssl.SSLSocket, data: memoryview) -> None:
        if self.watch is None:
            connection.sendall(data)
            return
        with self._at_once(connection):
            while data:
                try:
                    data = data[connection.send(data) :]
                except ssl.SSLWantWriteError:
                    self._until_it_takes()

    def _until_it_takes(self) -> None:
        """Waits until the peer has taken something. Raises TimeoutError, and what `watch` does."""
        assert self.watch is not None
        end = time.monotonic() + self._timeout / 1000 if self._timeout >= 0 else math.inf
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLOUT)
        while not poll.poll(LOOK):
            if time.monotonic() >= end:
                raise TimeoutError("the peer does not take data")
            self.watch()

    @contextlib.contextmanager
    def _at_once(self, connection: socket.socket) -> Iterator[None]:
        """Nothing waits in here but what we wait for ourselves."""
        connection.settimeout(0)
        try:
            yield
        finally:
            connection.settimeout(self._timeout / 1000 if self._timeout >= 0 else NO_TIMEOUT)

    def drain(self) -> None:
        """After our last PDU: waits a moment for the peer to close, so that it gets that PDU
        instead of a reset."""
        deadline = time.monotonic() + _LINGER
        with contextlib.suppress(OSError, ValueError):
            self._socket.settimeout(_LINGER)
            if self._tls is None:
                self._socket.shutdown(socket.SHUT_WR)
            while time.monotonic() < deadline and self._socket.recv(65536):
                pass

    def shut_down(self) -> None:
        """Ends the connection from another thread: its own sees the end of the stream."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        self.reader.release()
        self._socket.close()


def _poll(fd: int, wake: int, timeout: int) -> int:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if wake >= 0:
        poll.register(wake, select.POLLIN)
    ready = poll.poll(timeout if timeout >= 0 else None)
    if not ready:
        return pdata.TIMEOUT
    if wake >= 0 and any(each == wake for each, _ in ready):
        return pdata.WOKEN
    return pdata.NEED_DATA
