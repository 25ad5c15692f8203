"""One request: what the handlers see of it. Headers and arguments are looked at only when asked
for."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orthanc_fast.config_file import parse
from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.errors import DISK_FULL, BadFileFormat, BadRequest, FullStorage
from orthanc_fast.model import Caller
from orthanc_fast.rest.proxies import Place, base_url
from orthanc_fast.rest.response import Header, Response, empty_response
from orthanc_fast.rest.uri import arguments

if TYPE_CHECKING:
    from orthanc_fast.services.services import Services

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_NO_ARGUMENTS: dict[str, str] = {}


class Refused(Exception):
    """The request is answered by a bare status before any handler sees it."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__(str(response.status))


class Disconnected(Exception):
    """The client has gone before the request was complete."""


class _Patience:
    """Cancels a task that waits for too long; `ended` says that it has."""

    __slots__ = ("_task", "ended")

    def __init__(self, task: "asyncio.Task[Any]") -> None:
        self._task = task
        self.ended = False

    def ends(self) -> None:
        self.ended = True
        self._task.cancel()


class Request:
    """`method` is the effective one; `params` are the variable components of the path, in order."""

    __slots__ = (
        "_arguments",
        "_body",
        "_receive",
        "_scope",
        "headers",
        "method",
        "params",
        "proxied",
        "segments",
        "services",
        "username",
        "waited",
    )

    def __init__(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        services: "Services",
        segments: list[str],
        method: str,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._arguments: dict[str, str] | None = None
        self._body: bytes | None = None
        self.headers: list[Header] = scope["headers"]
        self.services = services
        self.segments = segments
        self.method = method
        self.params: list[str] = []
        self.proxied: Place | None = None  # what trusted proxies say, where there are any
        self.username = ""
        self.waited = False  # for something to happen, as a long poll does

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, given in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    @property
    def peer(self) -> str:
        """The address at the other end of the connection."""
        client = self._scope.get("client")
        return client[0] if client else ""

    @property
    def remote_ip(self) -> str:
        """The address of the client."""
        return self.peer if self.proxied is None else self.proxied.client

    @property
    def http_version(self) -> str:
        return str(self._scope["http_version"])

    @property
    def caller(self) -> Caller:
        """Who asks, for the services."""
        return Caller(origin="RestApi", user=self.username, address=self.remote_ip)

    @property
    def base_url(self) -> str | None:
        """The address of this server as the client sees it, without a slash at its end."""
        place = Place(self.peer) if self.proxied is None else self.proxied
        host = self.header(b"host")
        return base_url(
            place, self._scope["scheme"], None if host is None else host.decode("latin-1")
        )

    @property
    def path(self) -> str:
        return "/" + "/".join(self.segments)

    @property
    def arguments(self) -> dict[str, str]:
        """Those of the query string, of GET requests only."""
        if self._arguments is None:
            is_get = self._scope["method"] in ("GET", "HEAD")
            self._arguments = arguments(self._scope["query_string"]) if is_get else _NO_ARGUMENTS
        return self._arguments

    @property
    def form(self) -> Format:
        """The format of main tags: simplify, unless `short` or `full` is asked for."""
        given = self.arguments
        if "simplify" in given or not given:
            return "simplify"
        return "short" if "short" in given else "full" if "full" in given else "simplify"

    def part(self, headers: list[Header], body: bytes) -> "Request":
        """The same request with one part of a multipart body as its headers and body."""
        other = Request(self._scope, self._receive, self.services, self.segments, self.method)
        other.headers = headers
        other.params = self.params
        other.proxied = self.proxied
        other.username = self.username
        other._body = body
        return other

    async def body(self) -> bytes:
        """The whole body in memory. Raises Refused (413, 408), Disconnected."""
        if self._body is None:
            found = await self._read(None)
            assert isinstance(found, bytes)
            self._body = found
        return self._body

    async def upload(self) -> bytes | Path:
        """The body: bytes, or a file of the storage area's that now belongs to the caller."""
        if self._body is not None:
            return self._body
        return await self._read(self.services.settings.maximum_upload_memory_mb << 20)

    async def json(self) -> Any:
        """The body as JSON, leniently parsed. Raises BadRequest."""
        try:
            return parse(await self.body())
        except (msgspec.DecodeError, json.JSONDecodeError, ValueError) as error:
            raise BadRequest(f"Cannot parse the JSON body: {error}") from error

    async def json_object(self) -> dict[str, Any]:
        value = await self.json()
        if not isinstance(value, dict):
            raise BadRequest("The body must contain a JSON object")
        return value

    async def gone(self) -> None:
        """Returns when the client has closed the connection; for requests without a body."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def boolean_text(self) -> bool:
        """A body of 0, 1, true or false."""
        text = (await self.body()).strip()
        if text in (b"1", b"true"):
            return True
        if text in (b"0", b"false"):
            return False
        raise BadFileFormat("Boolean value expected: 0, 1, true or false")

    def check_size(self, size: int) -> None:
        """Refuses a body of more bytes than the configuration admits."""
        limit = self.services.settings.maximum_request_body_size_mb << 20
        if limit and size > limit:
            raise Refused(empty_response(413))

    async def _read(self, spill_above: int | None) -> bytes | Path:
        limit = self.services.settings.maximum_request_body_size_mb << 20
        header = self.header(b"content-length")
        if self.header(b"transfer-encoding") is not None:
            header = None  # which counts then
        announced = None if header is None else int(header)
        if announced is not None:
            self.check_size(announced)
        message = await self._next_chunk()
        chunk: bytes = message.get("body", b"")
        size = len(chunk)
        # Where all has come there is no need to wait for the word that it has: one hand-over
        # between the threads of the HTTP server less.
        if size == announced or not message.get("more_body", False):
            return chunk
        chunks = [chunk]
        large = announced is not None and spill_above is not None and announced > spill_above
        while not large:
            message = await self._next_chunk()
            chunk = message.get("body", b"")
            chunks.append(chunk)
            size += len(chunk)
            if limit and size > limit:
                raise Refused(empty_response(413))
            if size == announced or not message.get("more_body", False):
                return b"".join(chunks)
            large = spill_above is not None and size > spill_above
        return await self._spill(chunks, size, limit)

    async def _spill(self, chunks: list[bytes], size: int, limit: int) -> Path:
        path = self.services.storage.new_partial()
        try:
            with path.open("wb") as file:  # buffered: it writes all, or raises
                await asyncio.to_thread(file.writelines, chunks)
                more = True
                while more:
                    message = await self._next_chunk()
                    chunk = message.get("body", b"")
                    more = message.get("more_body", False)
                    size += len(chunk)
                    if limit and size > limit:
                        raise Refused(empty_response(413))
                    await asyncio.to_thread(file.write, chunk)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise FullStorage(
                    "no space left for the body", private=path, http_status=507
                ) from error
            raise
        return path

    async def _next_chunk(self) -> MutableMapping[str, Any]:
        task = asyncio.current_task()
        assert task is not None
        patience = _Patience(task)  # at a third of what `asyncio.timeout` costs
        timer = task.get_loop().call_later(
            self.services.settings.http_request_timeout, patience.ends
        )
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if patience.ended and task.uncancel() == 0:
                raise Refused(empty_response(408, ((b"connection", b"close"),))) from None
            raise
        finally:
            timer.cancel()
        if message["type"] == "http.disconnect":
            raise Disconnected
        return message
