"""Validators and ranges of answers that hold one content.

Source: RFC 9110, sections 8.8, 13 and 14; reference chapter 5, section 14.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Final, NamedTuple

from orthanc_fast.rest.byte_range import byte_range
from orthanc_fast.rest.entity_tags import is_any, is_named
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response, empty_response

AsyncHandler = Callable[[Request], Awaitable[Response]]

_RANGES: Final[HeaderField] = (b"accept-ranges", b"bytes")
# What another file may replace under the same UIDs is asked for again each time.
_CACHE: Final[HeaderField] = (b"cache-control", b"private, no-cache")
_VARY: Final[HeaderField] = (b"vary", b"Accept")
_OF_304: Final = frozenset({b"etag", b"cache-control", b"vary"})


class Part(NamedTuple):
    """What of a content is to be sent, with the status and headers for it."""

    first: int
    stop: int
    status: int
    headers: tuple[HeaderField, ...]


def validators(tag: str, weak: bool = False) -> tuple[HeaderField, ...]:
    """The headers that let a client ask whether it has the content already. `weak`: the bytes
    around it differ from answer to answer."""
    quoted = f'W/"{tag}"' if weak else f'"{tag}"'
    return (b"etag", quoted.encode()), _CACHE, _VARY


def not_modified(request: Request, headers: tuple[HeaderField, ...]) -> Response | None:
    """The 304 for a client that has what these validators name. Of `*` the answer itself tells
    whether there is something: see `conditional`."""
    return empty_response(304, headers) if is_named(request, headers[0][1]) else None


def conditional(handler: AsyncHandler) -> AsyncHandler:
    """The handler, for which `If-None-Match: *` means what RFC 9110, section 13.1.2, says: 304
    instead of an answer with a validator. It has to be made first, since there may be none, and a
    condition does not change an error (section 13.2.1)."""

    @wraps(handler)
    async def checked(request: Request) -> Response:
        response = await handler(request)
        if not is_any(request):
            return response
        headers = tuple(each for each in response.headers if each[0] in _OF_304)
        if not any(name == b"etag" for name, _ in headers):
            return response
        if response.stream is not None:
            await response.stream.aclose()
        return empty_response(304, headers)

    return checked


def asked_part(request: Request, size: int, headers: tuple[HeaderField, ...]) -> Part:
    """What the client wants of `size` bytes with these validators. Raises Unsatisfiable."""
    headers = (*headers, _RANGES)
    asked = request.header(b"range")
    if asked is not None and request.header(b"if-range") in (None, headers[0][1]):
        found = byte_range(asked, size)
        if found is not None:
            first, stop = found
            shown = b"bytes %d-%d/%d" % (first, stop - 1, size)
            return Part(first, stop, 206, (*headers, (b"content-range", shown)))
    return Part(0, size, 200, headers)
