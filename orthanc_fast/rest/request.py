"""One request: what the handlers see of it. Headers and arguments are looked at only when asked
for."""

import asyncio
import json
from collections.abc import AsyncGenerator, MutableMapping
from typing import TYPE_CHECKING, Any

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.config_file import parse
from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.errors import BadFileFormat, BadRequest
from orthanc_fast.model import Caller
from orthanc_fast.rest.body import Body, Receive
from orthanc_fast.rest.identity import SOMEBODY, Identity
from orthanc_fast.rest.json_body import LARGE, parse_large
from orthanc_fast.rest.proxies import Place, base_url
from orthanc_fast.rest.response import HeaderField
from orthanc_fast.rest.uri import arguments, shown
from orthanc_fast.services.ingest.uploads import ArrivingBody, Share, Spool

if TYPE_CHECKING:
    from orthanc_fast.services.audit.entries import Touched
    from orthanc_fast.services.processes.http import HttpServices

BODYLESS = frozenset({"GET", "HEAD"})  # as a rule

_NO_ARGUMENTS: dict[str, str] = {}


def session_cookie_name(settings: Settings) -> str:
    """Cookies are of a host, not of a port: several servers of one machine have their own."""
    return f"orthanc-session-{settings.http_port}"


class Request:
    """`method` is the effective one; `params` are the variable components of the path, in order;
    `who` makes the request, and `caller` is the same for services: known of whoever has been let
    in. `session` is the token of the session or share link that he has shown."""

    __slots__ = (
        "_arguments",
        "_body",
        "_incoming",
        "_receive",
        "_scope",
        "_share",
        "audited",
        "caller",
        "headers",
        "is_part",
        "method",
        "params",
        "proxied",
        "segments",
        "services",
        "session",
        "waited",
        "who",
    )

    caller: Caller

    def __init__(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        services: "HttpServices",
        segments: list[str],
        method: str,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._arguments: dict[str, str] | None = None
        self._body: bytes | Spool | None = None
        self._incoming: Body | None = None
        self._share: Share | None = None  # of the memory for uploads
        self.headers: list[HeaderField] = scope["headers"]
        self.services = services
        self.segments = segments
        self.method = method
        self.params: list[str] = []
        self.proxied: Place | None = None  # what trusted proxies say, where there are any
        self.who: Identity = SOMEBODY
        self.session: str | None = None
        self.is_part = False  # of a multipart body, whose other parts are still to come
        self.audited: Touched | None = None  # where an audit log is kept
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
        if self.proxied is not None:
            return self.proxied.client
        client = self._scope.get("client")
        return client[0] if client else ""

    @property
    def server_port(self) -> int | None:
        """The port at which the request came in."""
        server = self._scope.get("server")
        return server[1] if server else None

    @property
    def is_folder(self) -> bool:
        """Whether the path as it came ends with a slash."""
        path: bytes = self._scope["raw_path"]
        return path.partition(b"?")[0].endswith(b"/")

    @property
    def query(self) -> bytes:
        """The query string as it came."""
        query: bytes = self._scope["query_string"]
        return query

    @property
    def http_version(self) -> str:
        return str(self._scope["http_version"])

    @property
    def base_url(self) -> str | None:
        """The address of this server as the client sees it, without a slash at its end."""
        place = Place(self.peer) if self.proxied is None else self.proxied
        host = self.header(b"host")
        return base_url(
            place, self._scope["scheme"], None if host is None else host.decode("latin-1")
        )

    @property
    def is_head(self) -> bool:
        """Whether only the headers of a GET are asked for."""
        return bool(self._scope["method"] == "HEAD")

    @property
    def real_method(self) -> str:
        """The method as it came."""
        return str(self._scope["method"])

    @property
    def is_https(self) -> bool:
        """Whether the client speaks HTTPS, as far as this server and its proxies know."""
        place = self.proxied
        scheme = None if place is None else place.scheme
        return (scheme or self._scope["scheme"]) == "https"

    @property
    def prefix(self) -> str:
        """What a trusted proxy puts in front of all paths, "" for nothing."""
        return "" if self.proxied is None else self.proxied.prefix

    @property
    def session_cookie(self) -> str | None:
        """The token of a session or share link that a browser shows."""
        start = f"{session_cookie_name(self.services.settings)}=".encode()
        for name, value in self.headers:
            if name == b"cookie":
                for part in value.split(b";"):
                    if (pair := part.strip()).startswith(start):
                        return pair[len(start) :].decode("latin-1")
        return None

    @property
    def raw_path(self) -> bytes:
        """The path as it came."""
        path: bytes = self._scope["raw_path"]
        return path

    @property
    def path(self) -> str:
        """As errors name it."""
        return shown(self._scope["raw_path"])

    @property
    def arguments(self) -> dict[str, str]:
        """Those of the query string, of GET requests only."""
        found = self._arguments
        if found is None:
            query = self._scope["query_string"]
            is_read = query and self._scope["method"] in BODYLESS
            found = self._arguments = arguments(query) if is_read else _NO_ARGUMENTS
        return found

    @property
    def form(self) -> Format:
        """The format of main tags: simplify, unless `short` or `full` is asked for."""
        given = self.arguments
        if "simplify" in given or not given:
            return "simplify"
        return "short" if "short" in given else "full" if "full" in given else "simplify"

    def part(self, headers: list[HeaderField], body: bytes | Spool) -> "Request":
        """The same request with one part of a multipart body as its headers and body."""
        other = Request(self._scope, self._receive, self.services, self.segments, self.method)
        other.headers = headers
        other.params = self.params
        other.proxied = self.proxied
        other.caller, other.who, other.session = self.caller, self.who, self.session
        other.is_part = True
        other._body = body
        return other

    def _stream(self) -> Body:
        """The body as the HTTP server has it."""
        if self._incoming is None:
            self._incoming = Body(self._receive, self.headers, self.services.settings)
        return self._incoming

    @property
    def read_body(self) -> bytes | None:
        """The whole body, where somebody has read it into memory."""
        return self._body if isinstance(self._body, bytes) else None

    async def body(self) -> bytes:
        """The whole body in memory. Raises Refused (413, 408), Disconnected, BadRequest (413)."""
        if self._body is None:
            self._body = await self._stream().whole()
        elif isinstance(self._body, Spool):
            return await asyncio.to_thread(self._read_part, self._body)
        return self._body

    async def upload(self) -> bytes | Spool:
        """The body: bytes, or a spool that now belongs to the caller."""
        if self._body is not None:
            return self._body
        return await self._stream().spooled(self._arriving)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body as it comes."""
        body = self._stream()
        while not body.is_complete:
            yield await body.next()

    @property
    def is_body_left(self) -> bool:
        """Whether the client may still be sending; a body that GET had would be no use to it."""
        if self._incoming is not None:
            return self._incoming.is_left
        return self._scope["method"] not in BODYLESS and self._stream().is_left

    async def drain(self) -> bool:
        """Takes what is left of the body: see `Body.drain`."""
        return await self._stream().drain()

    async def forget(self) -> None:
        """Removes the spool of a part that its handler has not taken over."""
        if isinstance(self._body, Spool):
            await asyncio.to_thread(self._body.drop)

    def arriving(self) -> ArrivingBody:
        """For a body of unknown size: in memory up to MaximumUploadMemoryMB."""
        return self._arriving(self.services.settings.maximum_upload_memory_mb << 20)

    def _arriving(self, memory: int) -> ArrivingBody:
        if self._share is None:
            self._share = self.services.uploads.share()
        return self.services.uploads.arriving(memory, self._share)

    def release(self) -> None:
        """The bodies that have come so far are not in memory any longer."""
        if self._share is not None:
            self._share.release()

    def _read_part(self, spool: Spool) -> bytes:
        self._stream().check_memory(spool.size)
        return spool.read()

    async def json(self) -> Any:
        """The body as JSON, leniently parsed. Raises BadRequest."""
        try:
            body = await self.body()
            if len(body) > LARGE:
                return await asyncio.to_thread(parse_large, body)
            return parse(body)
        except (msgspec.DecodeError, json.JSONDecodeError, ValueError) as error:
            raise BadRequest(f"Cannot parse the JSON body: {error}") from error

    async def json_object(self) -> dict[str, Any]:
        value = await self.json()
        if not isinstance(value, dict):
            raise BadRequest("The body must contain a JSON object")
        return value

    async def is_over(self) -> bool:
        """Whether the session or link by which this request was let in has ended meanwhile."""
        if self.session is None:
            return False
        sessions, token = self.services.sessions, self.session
        return await self.services.reads.run(sessions.is_over, token)

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
        self._stream().check_size(size)
