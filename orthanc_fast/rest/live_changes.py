"""Waiting for changes: the long poll and the stream of events of GET /changes.

Both are this server's own. The stream is that of the HTML standard (server-sent events): `id` is
the sequence number, `event` the type of the change, `data` its entry as JSON.
"""

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType

from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.model import Change
from orthanc_fast.rest.body import Disconnected
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, encode_json
from orthanc_fast.services.browse.change_feed import change_entry, change_types

EVENT_STREAM = (b"content-type", b"text/event-stream; charset=utf-8")
# Proxies must neither keep nor gather what is sent.
STREAM_HEADERS = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))

LONGEST_WAIT = 300.0  # seconds
HEARTBEAT = 15.0  # seconds of silence after which a comment is sent
PAGE = 500  # changes that are read and sent at a time

HELLO = b"retry: 2000\n\n"  # milliseconds until a browser comes back
COMMENT = b":\n\n"


class Presence:
    """Waits for changes on behalf of one client, and no longer than it is there."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._feed = request.services.change_feed

    async def __aenter__(self) -> "Presence":
        self._request.waited = True
        self._gone = asyncio.ensure_future(self._request.gone())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gone.cancel()

    async def beyond(self, known: int, timeout: float) -> bool:
        """As `ChangeFeed.beyond`. Raises Disconnected."""
        waiting = asyncio.ensure_future(self._feed.beyond(known, timeout))
        try:
            await asyncio.wait({waiting, self._gone}, return_when=asyncio.FIRST_COMPLETED)
            if self._gone.done():
                raise Disconnected
            return waiting.result()
        finally:
            waiting.cancel()


def patience(arguments: dict[str, str]) -> float:
    """The seconds of `wait`, 0 without it, at most LONGEST_WAIT. Raises ParameterOutOfRange."""
    text = arguments.get("wait", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:  # neither is NaN
        raise ParameterOutOfRange(f'"wait" must be a number of seconds from 0, found: {text}')
    return min(seconds, LONGEST_WAIT)


def is_wanted(request: Request) -> bool:
    """Whether the client asks for a stream of events."""
    accept = request.header(b"accept")
    return accept is not None and b"text/event-stream" in accept


def stream(request: Request) -> Response:
    """Changes after `since`, or after the header Last-Event-ID with which a browser comes back;
    without both from this moment on. `type` filters."""
    types = change_types(request.arguments.get("type", ""))
    since = _position(request)
    return Response(
        kind=EVENT_STREAM, headers=STREAM_HEADERS, stream=_events(request, since, types)
    )


def _position(request: Request) -> int:
    last_event = request.header(b"last-event-id")
    text = request.arguments.get("since") if last_event is None else last_event.decode("latin-1")
    if text is None:
        return request.services.change_feed.last()
    try:
        return max(int(text), 0)
    except ValueError:
        raise ParameterOutOfRange(f"Not a sequence number: {text}") from None


async def _events(
    request: Request, since: int, types: frozenset[int] | None
) -> AsyncGenerator[bytes]:
    services = request.services
    async with Presence(request) as presence:
        yield HELLO
        while True:
            page = await services.reads.run(
                services.change_log.page, request.caller, since, -1, PAGE, types
            )
            if page.changes:
                since = page.changes[-1][0]
                yield b"".join(_event(*row) for row in page.changes)
            if page.done:
                since = max(since, page.last_allocated)
                try:
                    grown = await presence.beyond(since, HEARTBEAT)
                except Disconnected:
                    return
                if services.change_feed.closed or await request.is_over():
                    return
                if not grown:
                    yield COMMENT


def _event(sequence: int, change: Change) -> bytes:
    entry = change_entry(sequence, change)
    head = f"id: {sequence}\nevent: {entry.ChangeType}\ndata: ".encode()
    return head + encode_json(entry) + b"\n\n"
