"""Answers. A response knows what to send, not how: only `send` knows ASGI. Source: reference
chapter 1, section 1.8."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

import msgspec

from orthanc_fast.errors import OrthancError
from orthanc_fast.model import SendablePath

HeaderField = tuple[bytes, bytes]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = (b"content-type", b"application/json; charset=utf-8")
PLAIN_JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain")
DICOM = (b"content-type", b"application/dicom")
OCTETS = (b"content-type", b"application/octet-stream")

encode_json = msgspec.json.Encoder().encode

# Above this a file is sent by the server from its descriptor; below one message costs less CPU.
PATHSEND_FROM = 1 << 20

# For each a client gets a second more than HttpBodyTimeout: who sends, or reads, steadily, if
# slowly, is not cut off.
BYTES_PER_SECOND = 16 << 10

NETWORK_PROTOCOL = 9


class Response:
    """Status, headers and one of: bytes, a file to be sent from `path`, a stream of chunks.

    Content-Length and the headers that every answer has are added by the application; a stream
    without `length` has none. `kind` is the Content-Type header, None for an empty body without
    one.
    """

    __slots__ = ("body", "headers", "kind", "length", "path", "status", "stream")

    def __init__(
        self,
        body: bytes | bytearray = b"",
        kind: HeaderField | None = None,
        status: int = 200,
        headers: tuple[HeaderField, ...] = (),
        path: SendablePath | None = None,
        length: int | None = None,
        stream: AsyncGenerator[bytes | bytearray] | AsyncGenerator[bytes] | None = None,
    ) -> None:
        self.body = body
        self.kind = kind
        self.status = status
        self.headers = headers
        self.path = path
        self.length = len(body) if length is None and stream is None else length
        self.stream = stream

    def start(self, common: list[HeaderField]) -> dict[str, Any]:
        """The message before the body; `common` are the headers that every answer has."""
        headers = [*common, *self.headers]
        if self.length is not None:
            headers.append((b"content-length", b"%d" % self.length))
        if self.kind is not None:
            headers.append(self.kind)
        return {"type": "http.response.start", "status": self.status, "headers": headers}

    async def send(
        self, send: Send, common: list[HeaderField], with_body: bool, patience: float = 0.0
    ) -> None:
        """Raises OrthancError 9 when a client does not take a chunk of a stream within `patience`
        seconds, and one more for every 16 KB; 0 is no limit. What the stream holds is freed."""
        await send(self.start(common))
        if not with_body:
            if self.stream is not None:
                await self.stream.aclose()
            await send({"type": "http.response.body", "body": b""})
        elif self.path is not None:
            await send({"type": "http.response.pathsend", "path": self.path})
        elif self.stream is not None:
            async with aclosing(self.stream) as stream:
                async for chunk in stream:
                    seconds = patience + len(chunk) / BYTES_PER_SECOND if patience else None
                    try:
                        async with asyncio.timeout(seconds):
                            await send(_part(chunk))
                    except TimeoutError as error:
                        raise OrthancError(
                            "The client has stopped reading", code=NETWORK_PROTOCOL
                        ) from error
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": self.body})


def _part(chunk: bytes | bytearray) -> dict[str, Any]:
    return {"type": "http.response.body", "body": chunk, "more_body": True}


def json_response(value: Any, status: int = 200) -> Response:
    """Any value that msgspec can encode."""
    return Response(encode_json(value), JSON, status)


def text_response(text: str = "") -> Response:
    return Response(text.encode(), TEXT)


def empty_response(status: int, headers: tuple[HeaderField, ...] = ()) -> Response:
    """The answers that Orthanc leaves without body and without Content-Type."""
    return Response(b"", None, status, headers)


def disposition(name: str) -> tuple[HeaderField, ...]:
    """The header that proposes a file name, none for an empty one. Orthanc removes CR, LF and
    quotation marks; no control character may be in a header."""
    name = "".join(c for c in name if c >= " " and c not in '"\x7f')
    return ((b"content-disposition", f'filename="{name}"'.encode()),) if name else ()


NOT_FOUND = empty_response(404)
