"""Keep-alive connections to one server, one per thread, of the standard library's `http.client`."""

import http.client
import threading
from types import TracebackType

from orthanc_fast.client.address import address_of

TIMEOUT = 300.0  # seconds without a byte


class Connections:
    """Sends requests to one server from any thread. `server` and `user` are those of
    `address_of`."""

    def __init__(self, server: str, user: str | None = None) -> None:
        self._address = address_of(server, user)
        self.url = self._address.url
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: list[http.client.HTTPConnection] = []

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        """The answer, of which the body is still to be read to its end before the thread sends
        again. A connection that the server has closed meanwhile, as it does with idle ones, is
        opened again; nothing is sent twice that may have been heard. Raises OSError or
        http.client.HTTPException."""
        connection = self._connection()
        was_open = connection.sock is not None
        try:
            return self._sent(connection, method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            connection.close()
            if not was_open:
                raise
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        try:
            return self._sent(connection, method, path, body, headers)
        except (OSError, http.client.HTTPException):
            connection.close()
            raise

    def drop(self) -> None:
        """Closes this thread's connection, as after an answer that was not read to its end."""
        self._connection().close()

    def _sent(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str] | None,
    ) -> http.client.HTTPResponse:
        all_headers = {**self._address.headers, **(headers or {})}
        connection.request(method, self._address.path + path, body, all_headers)
        return connection.getresponse()

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            address = self._address
            kind = http.client.HTTPSConnection if address.is_secure else http.client.HTTPConnection
            found = self._local.connection = kind(address.host, address.port, timeout=TIMEOUT)
            with self._lock:
                self._all.append(found)
        return found

    def close(self) -> None:
        """Closes the connections of all threads, none of which may be sending."""
        with self._lock:
            for connection in self._all:
                connection.close()

    def __enter__(self) -> "Connections":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
