"""Bodies of multipart/form-data, split while they arrive. Source: reference chapter 1, section 1.7.

Where a form is not quite one, this is as lenient as Orthanc: what stands before the first
boundary, a part without header or one that does not end is passed over.
"""

import re

from orthanc_fast._ext.buffers import find
from orthanc_fast.errors import BadRequest
from orthanc_fast.multipart import (
    MAXIMUM_HEADER,
    MultipartParser,
    State,
    headers_of,
)
from orthanc_fast.rest.response import HeaderField

_TYPE = re.compile(rb"\s*multipart/form-data\s*(?:;|\Z)", re.IGNORECASE)
_BOUNDARY = re.compile(rb';\s*boundary\s*=\s*(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)


def boundary(content_type: bytes | None) -> bytes | None:
    """The boundary of a multipart/form-data body, None for any other type."""
    if content_type is None or _TYPE.match(content_type) is None:
        return None
    match = _BOUNDARY.search(content_type)
    return None if match is None else match[1] or match[2]


class FormParser(MultipartParser):
    """The parts of multipart/form-data."""

    def __init__(self, separator: bytes) -> None:
        super().__init__(b"\r\n--" + separator)
        self._first = b"--" + separator

    def _preamble(self) -> bool:
        at = find(self._held, self._first, self._at)
        if at < 0:
            self._drop(max(self._at, len(self._held) - len(self._first) + 1))
            return False
        self._drop(at + len(self._first))
        self._state = State.HEADER
        return True

    def _behind(self, at: int) -> int:
        return at

    def _header(self) -> list[HeaderField] | None:
        held = self._held
        while True:
            begin = self._at
            if held.startswith(b"--", begin):
                self._end()
                return None
            # Behind the end of the boundary's own line: a part without header does not count.
            # Where the next part begins nothing more is looked for: there may be very many.
            after = find(held, self._delimiter, begin)
            end = held.find(b"\r\n\r\n", begin + 2, len(held) if after < 0 else after + 3)
            if after >= 0 and end < 0:
                self._drop(after + len(self._delimiter))  # a part without content
                continue
            if end < 0:
                if len(held) - begin > MAXIMUM_HEADER:
                    raise BadRequest("the header of a part of the form is too long")
                return None
            headers = headers_of(held[begin:end])
            self._begin_content(end + 2, 2)
            return headers
