"""ETag, If-None-Match and Cache-Control of what DICOMweb sends. Source: RFC 9110, sections 8.8.3
and 13.1.2."""

from typing import Final

from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response, empty_response

# Kept by the client alone, and used after asking whether it is still what the server has.
_CACHE_CONTROL: Final[HeaderField] = (b"cache-control", b"private, no-cache")


def headers_of(version: str) -> tuple[HeaderField, ...]:
    """The headers of an answer with this version; what is compressed on the way stays the same."""
    return (b"etag", b'W/"%s"' % version.encode()), _CACHE_CONTROL


def not_modified(request: Request, version: str) -> Response | None:
    """The 304, where the client has this version."""
    header = request.header(b"if-none-match")
    if header is None:
        return None
    known = {part.strip().removeprefix(b"W/").strip(b'"') for part in header.split(b",")}
    if version.encode() in known or b"*" in known:
        return empty_response(304, headers_of(version))
    return None
