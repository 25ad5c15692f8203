"""Bodies of multipart/form-data: every part is a request of its own. Source: reference chapter
1, section 1.7."""

import re

from orthanc_fast.errors import OrthancError
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Header

NETWORK_PROTOCOL = 9

_SIZE = re.compile(rb"[0-9]{1,18}")
_BOUNDARY = re.compile(rb';\s*boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)


def boundary(content_type: bytes | None) -> bytes | None:
    """The boundary of a multipart/form-data body, None for any other type."""
    if content_type is None or not content_type.lower().startswith(b"multipart/form-data"):
        return None
    match = _BOUNDARY.search(content_type)
    return None if match is None else match[1] or match[2]


def chunked_file(request: Request) -> tuple[str, int] | None:
    """(name, size) of the file whose chunks the parts are, None where each is a file. Raises code 9
    if one of the two headers is missing or wrong, Refused (413)."""
    name, announced = request.header(b"x-file-name"), request.header(b"x-file-size")
    if name is None and announced is None:
        return None
    if name is None or announced is None or not _SIZE.fullmatch(announced):
        raise OrthancError(
            "X-File-Name and X-File-Size, a number of bytes, belong together", code=NETWORK_PROTOCOL
        )
    size = int(announced)
    request.check_size(size)
    return name.decode("latin-1"), size


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
