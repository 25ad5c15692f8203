"""Bodies of multipart/form-data: every part is a request of its own. Source: reference chapter
1, section 1.7."""

import re

from orthanc_fast.rest.response import Header

_BOUNDARY = re.compile(rb';\s*boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)


def boundary(content_type: bytes | None) -> bytes | None:
    """The boundary of a multipart/form-data body, None for any other type."""
    if content_type is None or not content_type.lower().startswith(b"multipart/form-data"):
        return None
    match = _BOUNDARY.search(content_type)
    return None if match is None else match[1] or match[2]


def parts(body: bytes, separator: bytes) -> list[tuple[list[Header], bytes]]:
    """(headers in lower case, content) of each complete part, in order."""
    found: list[tuple[list[Header], bytes]] = []
    delimiter = b"\r\n--" + separator
    at = body.find(b"--" + separator)
    while at >= 0:
        begin = at + len(delimiter) - (0 if body.startswith(b"\r\n", at) else 2)
        if body[begin : begin + 2] == b"--":
            break
        end = body.find(delimiter, begin)
        head_end = body.find(b"\r\n\r\n", begin)
        if end < 0 or head_end < 0:
            break
        if head_end < end:
            headers = _headers(body[begin:head_end])
            found.append((headers, body[head_end + 4 : end]))
        at = end
    return found


def _headers(raw: bytes) -> list[Header]:
    found: list[Header] = []
    for line in raw.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.append((name.strip().lower(), value.strip()))
    return found
