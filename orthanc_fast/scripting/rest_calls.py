"""REST calls of scripts: the application is called in this process, without TCP, authentication or
request filter.

What only reads the index is answered in the script's own thread. For all else the application has
an event loop in a thread of its own; while scripts wait for that, callbacks that the call itself
leads to can run (see the hosts of the languages).
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterable, MutableMapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from orthanc_fast.model import Caller
from orthanc_fast.rest.app import App
from orthanc_fast.rest.inside import SCOPE_KEY, Inside
from orthanc_fast.rest.response import HeaderField
from orthanc_fast.services.processes.http import HttpServices

T = TypeVar("T")

# What may stand in the path and query of a request as it is; the percent sign too, since scripts
# encode what needs it.
_SAFE = "/?&=%:@!$'()*+,;~-._[]"


class Reply(msgspec.Struct, frozen=True):
    """The answer to a REST call; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return self.status == 200


class StartRefused(Exception):
    """The application could not open the store."""


class RestCalls:
    """The application of this process. `start` opens the services, which `services` gives then."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rest", daemon=True)
        self._said: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._heard: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()

    def start(self) -> None:
        """Raises StartRefused."""
        self._thread.start()
        self.run(self._start())

    def stop(self) -> None:
        """Waits for what is under way, then closes the services."""
        self._app.stopping()
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def services(self) -> HttpServices:
        """The services of this process. What is a coroutine in them is for `run`."""
        return self._app.services

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine in the event loop, for all other threads."""
        return self.begin_work(work).result()

    def begin_work(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """As `run`, for who does something else meanwhile."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(
        self,
        caller: Caller,
        method: str,
        uri: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        builtin: bool = False,
    ) -> Reply:
        """The answer to a request by a script. `builtin`: without the routes of scripts."""
        begun = self.begin(caller, method, uri, body, headers, builtin)
        return begun if isinstance(begun, Reply) else begun.result()

    def begin(
        self,
        caller: Caller,
        method: str,
        uri: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        builtin: bool = False,
    ) -> "Reply | Future[Reply]":
        """As `call`, for who does something else meanwhile: the answer itself where it is there at
        once."""
        scope = _scope(Inside(caller, builtin), method, uri, body, headers or {})
        if method == "GET" and not headers:
            found = self._app.read_at_once(scope, _receive_nothing)
            if found is not None:
                start = found.start([])
                return Reply(found.status, _texts(start["headers"]), bytes(found.body))
        return asyncio.run_coroutine_threadsafe(_call(self._app, scope, body), self._loop)

    async def _start(self) -> None:
        self._serving = asyncio.create_task(
            self._app({"type": "lifespan"}, self._said.get, self._heard.put)
        )
        await self._said.put({"type": "lifespan.startup"})
        answer = await self._heard.get()
        if answer["type"] != "lifespan.startup.complete":
            raise StartRefused(answer.get("message", "the store cannot be opened"))

    async def _stop(self) -> None:
        await self._said.put({"type": "lifespan.shutdown"})
        await self._serving


def _scope(
    inside: Inside, method: str, uri: str, body: bytes, headers: dict[str, str]
) -> dict[str, Any]:
    path, _, query = quote(uri, safe=_SAFE).partition("?")
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    fields = [
        field for field in fields if field[0] not in (b"content-length", b"transfer-encoding")
    ]
    fields.append((b"content-length", str(len(body)).encode()))
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": fields,
        "client": ("127.0.0.1", 0),
        "server": None,
        SCOPE_KEY: inside,
    }


async def _call(app: App, scope: dict[str, Any], body: bytes) -> Reply:
    status = 500
    headers: dict[str, str] = {}
    parts: list[bytes] = []
    asked = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.get_running_loop().create_future()  # this client never leaves
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.update(_texts(message["headers"]))
        elif message["type"] == "http.response.pathsend":
            parts.append(await asyncio.to_thread(Path(message["path"]).read_bytes))
        else:
            parts.append(bytes(message.get("body", b"")))

    await app(scope, receive, send)
    return Reply(status, headers, b"".join(parts))


async def _receive_nothing() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def _texts(headers: Iterable[HeaderField]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
