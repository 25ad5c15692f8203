"""Keep-alive connections to one server, one per thread, of the standard library's `http.client`."""

import base64
import http.client
import threading
from types import TracebackType
from urllib.parse import urlsplit

TIMEOUT = 300.0  # seconds without a byte


class Connections:
    """Sends requests to one server from any thread. `server` is an address such as
    `http://host:8042` or `https://host/path`; `user` is "name:password" or None."""

    def __init__(self, server: str, user: str | None = None) -> None:
        address = urlsplit(server if "://" in server else f"http://{server}")
        self._secure = address.scheme == "https"
        self._host = address.hostname or "localhost"
        self._port = address.port
        self._path = address.path.rstrip("/")
        self._headers: dict[str, str] = {}
        if user is not None:
            token = base64.b64encode(user.encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"
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
        again. A connection that broke, as idle ones do, is tried once more. Raises OSError or
        http.client.HTTPException."""
        connection = self._connection()
        try:
            return self._sent(connection, method, path, body, headers)
        except (OSError, http.client.HTTPException):
            connection.close()
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
        connection.request(method, self._path + path, body, {**self._headers, **(headers or {})})
        return connection.getresponse()

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            found = self._local.connection = kind(self._host, self._port, timeout=TIMEOUT)
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
