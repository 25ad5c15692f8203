"""The bytes of one association: a socket, plain or TLS, with its reader."""

import contextlib
import select
import socket
import ssl
import time

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduReader
from orthanc_fast._ext.pdata_writer import MessageWriter

# A socket without time-out would be a blocking one, and its reads could not be woken.
NO_TIMEOUT = 365 * 86400

_LINGER = 2.0  # seconds that a peer gets to close after our last PDU
_AT_ONCE = 0.2  # seconds
_STAGING = 1 << 18  # bytes that are handed to TLS at once


class Channel:
    """One connection. Only the thread of its association uses it, but for `shut_down`."""

    def __init__(self, connection: socket.socket, timeout: int) -> None:
        """`timeout` is in seconds of silence, 0: none."""
        self.reader = PduReader()
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
        and not that of each of its bytes, so that nobody holds us with one byte now and then.
        """
        limit = self._timeout if timeout is None else timeout
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
            writer.write(self._socket.fileno(), self._timeout)
            return
        if self._staging is None:
            self._staging = bytearray(_STAGING)
        staging = memoryview(self._staging)
        while count := writer.fill(staging):
            self._tls.sendall(staging[:count])

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
