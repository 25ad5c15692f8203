"""Validators and ranges of answers that hold one content.

Source: RFC 9110, sections 8.8, 13 and 14; reference chapter 5, section 14.
"""

from typing import Final, NamedTuple

from orthanc_fast.rest.byte_range import byte_range
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response, empty_response

_RANGES: Final[HeaderField] = (b"accept-ranges", b"bytes")
# What another file may replace under the same UIDs is asked for again each time.
_CACHE: Final[HeaderField] = (b"cache-control", b"private, no-cache")
_VARY: Final[HeaderField] = (b"vary", b"Accept")


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
    """The 304 for a client that has what these validators name."""
    known = request.header(b"if-none-match")
    if known is None:
        return None
    # The comparison is the weak one: RFC 9110, section 13.1.2.
    tags = {each.strip().removeprefix(b"W/") for each in known.split(b",")}
    if headers[0][1].removeprefix(b"W/") in tags or b"*" in tags:
        return empty_response(304, headers)
    return None


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
