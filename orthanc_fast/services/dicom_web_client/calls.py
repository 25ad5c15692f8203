"""Requests to one server of DICOMweb. Source: reference chapter 5, section 11; chapter 4, section
8.4.

A transfer may take any time as long as bytes move: its time-out is that of a server which is
silent, or reads nothing. Who sends next to nothing within the time-out counts as silent, else one
that trickles would keep a job for ever. A small call has it as a whole.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from orthanc_fast.config import Settings
from orthanc_fast.errors import OrthancError
from orthanc_fast.services.dicom_web_client.bodies import StowBody
from orthanc_fast.services.dicom_web_client.server import Server
from orthanc_fast.services.exchange.addresses import without_user
from orthanc_fast.services.exchange.call_faults import FAULTS, NETWORK_PROTOCOL, call_failed
from orthanc_fast.services.exchange.outgoing import OutgoingCalls
from orthanc_fast.services.exchange.redirections import answered
from orthanc_fast.services.peers.calls import PeerCalls, content, private_headers

_BAD_REQUEST: Final = 8
_UNAUTHORIZED: Final = 29
_UNKNOWN_RESOURCE: Final = 17
_CODES: Final = {
    400: _BAD_REQUEST,
    401: _UNAUTHORIZED,
    403: _UNAUTHORIZED,
    404: _UNKNOWN_RESOURCE,
}
_EXCERPT: Final = 300  # bytes of an answer that are written into the log

Headers = Mapping[str, str]


class Pace(NamedTuple):
    """How long, in seconds, a server may be silent, None for any time; and how many bytes a second
    it has to send on average of so long a time."""

    timeout: float | None
    rate: int


class WebCalls:
    """Opens connections to servers of DICOMweb, for one process."""

    def __init__(self, settings: Settings, outgoing: OutgoingCalls) -> None:
        self._settings = settings
        self._outgoing = outgoing
        self._peers = PeerCalls(settings, outgoing)

    @asynccontextmanager
    async def open(self, server: Server, connections: int = 1) -> AsyncGenerator["WebSession"]:
        """Requests that share up to so many kept connections within the block. Raises as
        `PeerCalls.open`."""
        timeout = server.timeout or self._settings.http_timeout
        async with self._peers.connected(server, server.url, 0, connections) as client:
            pace = Pace(timeout or None, self._settings.dicom_web.client_minimum_rate)
            yield WebSession(client, self._outgoing, server, pace)


class WebSession:
    """Requests to one server, also several at the same time. What fails for want of an answer is
    OrthancError 9."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        outgoing: OutgoingCalls,
        server: Server,
        pace: Pace,
    ) -> None:
        self._client = client
        self._outgoing = outgoing
        self._server = server
        self._pace = pace

    async def call(
        self, method: str, uri: str, arguments: Headers, headers: Headers
    ) -> tuple[int, bytes]:
        """Status and body of a small answer, which may take the time-out as a whole. Raises
        OrthancError 9 for one that is too long too."""
        url = self._url(uri, arguments)
        try:
            async with asyncio.timeout(self._pace.timeout), AsyncExitStack() as stack:
                answer = await self._answer(stack, method, url, {}, headers, None)
                return answer.status, await content(answer.content)
        except FAULTS as error:
            raise call_failed(str(url), error) from error

    @asynccontextmanager
    async def transfer(
        self,
        method: str,
        uri: str,
        arguments: Headers,
        defaults: Headers,
        headers: Headers,
        body: StowBody | None = None,
    ) -> AsyncGenerator["WebAnswer"]:
        """An answer whose body is still to come. `headers` replace those of the server's entry, and
        they the `defaults`."""
        url = self._url(uri, arguments)
        async with AsyncExitStack() as stack:
            try:
                async with _silence(self._pace.timeout, body):
                    answer = await self._answer(stack, method, url, defaults, headers, body)
            except FAULTS as error:
                if body is not None and body.fault is not None:
                    raise body.fault from error
                raise call_failed(str(url), error) from error
            yield WebAnswer(answer, url, self._pace, body)

    async def _answer(
        self,
        stack: AsyncExitStack,
        method: str,
        url: URL,
        defaults: Headers,
        headers: Headers,
        body: StowBody | None,
    ) -> aiohttp.ClientResponse:
        """Where the server has just closed a connection that was kept, once more: nothing that is
        asked of it does harm when it is asked twice."""
        private = merged(private_headers(self._server, url), headers)
        if body is not None:
            private = {k: v for k, v in private.items() if k.lower() != "content-type"}
            defaults = {**defaults, "Content-Type": body.kind}
        given = {name.lower() for name in private}
        public = {name: value for name, value in defaults.items() if name.lower() not in given}
        call = (self._client, self._outgoing, method, url, public, private, body)
        try:
            return await stack.enter_async_context(answered(*call))
        except (aiohttp.ServerDisconnectedError, ConnectionError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                raise
            return await stack.enter_async_context(answered(*call))

    def _url(self, uri: str, arguments: Headers) -> URL:
        """Raises OrthancError 9 for what is no address."""
        base = self._server.url if "://" in self._server.url else f"http://{self._server.url}"
        path = "/".join(part for part in uri.split("/") if part)
        if uri.endswith("/") and path:
            path += "/"
        try:
            url = URL(base + quote(path, safe="/%:@!$&'()*+,;=~"))
            if arguments:
                query = urlencode(sorted(arguments.items()), quote_via=quote, safe="")
                url = URL(f"{url}?{query}", encoded=True)
        except ValueError as error:
            raise call_failed(base + path, error) from error
        return url


class WebAnswer:
    """An answer whose body comes."""

    def __init__(
        self,
        answer: aiohttp.ClientResponse,
        url: URL,
        pace: Pace,
        body: StowBody | None = None,
    ) -> None:
        """`body` is that of the request: it may still be on its way."""
        self._answer = answer
        self._url = url
        self._pace = pace
        self._body = body
        self.received = 0  # bytes of the body that have come

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def content_type(self) -> str:
        return self._answer.headers.get("Content-Type", "")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names are as they came."""
        return list(self._answer.headers.items())

    @property
    def length(self) -> int | None:
        """Bytes of the body, None where they are not announced."""
        return self._answer.content_length

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body. Raises OrthancError 9 where it breaks off, or nothing, or next to nothing,
        comes for too long. The time in which nobody asks for more does not count."""
        stream, (timeout, rate) = self._answer.content, self._pace
        now = asyncio.get_running_loop().time
        waited, came = 0.0, 0
        try:
            while True:
                began = now()
                async with asyncio.timeout(timeout):
                    chunk = await stream.readany()
                if not chunk:
                    return
                self.received += len(chunk)
                waited += now() - began
                came += len(chunk)
                if timeout is not None and waited >= timeout:
                    if came < rate * waited:
                        raise TimeoutError(f"{came} bytes in {waited:.0f} seconds")
                    waited, came = 0.0, 0
                yield chunk
        except FAULTS as error:
            raise call_failed(str(self._url), error) from error

    async def content(self) -> bytes:
        """All of it. Raises as `chunks`, and OrthancError 9 where it is too long for memory."""
        try:
            async with _silence(self._pace.timeout, self._body):
                return await content(self._answer.content)
        except FAULTS as error:
            raise call_failed(str(self._url), error) from error

    async def require_success(self) -> None:
        """Raises what `refused` gives."""
        if not 200 <= self.status < 300:
            excerpt = b""
            async for chunk in self.chunks():
                excerpt += chunk
                if len(excerpt) >= _EXCERPT:
                    break
            raise refused(self.status, str(self._url), excerpt)


@asynccontextmanager
async def _silence(seconds: float | None, body: StowBody | None) -> AsyncGenerator[None]:
    """Raises TimeoutError where the block takes longer; while the body of the request moves, the
    time begins anew."""
    async with asyncio.timeout(seconds) as deadline:
        now = asyncio.get_running_loop().time

        def moved() -> None:
            if seconds is not None and not deadline.expired():
                deadline.reschedule(now() + seconds)

        if body is not None:
            body.moved = moved
        try:
            yield
        finally:
            if body is not None:
                # A server may answer before it has read all: then the body goes on moving.
                body.moved = StowBody.moved


def refused(status: int, url: str, answer: bytes) -> OrthancError:
    """The error of an answer that is none of success: 8, 29 or 17 where the client may have to do
    with it, else 9."""
    return OrthancError(
        f"The DICOMweb server has answered with HTTP status {status} to {without_user(url)}",
        private=answer[:_EXCERPT].decode("utf-8", "replace"),
        code=_CODES.get(status, NETWORK_PROTOCOL),
    )


def merged(first: Headers, second: Headers) -> dict[str, str]:
    """The headers of both; those of the second replace others of the same name."""
    given = {name.lower() for name in second}
    return {name: value for name, value in first.items() if name.lower() not in given} | dict(
        second
    )
