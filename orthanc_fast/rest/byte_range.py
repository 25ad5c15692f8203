"""The header Range as HTTP has it: RFC 9110, section 14. One range of bytes is answered."""

import re

from orthanc_fast.errors import BadRange
from orthanc_fast.rest.response import HeaderField

_RANGE = re.compile(rb"bytes=\s*([0-9]{0,1000})-([0-9]{0,1000})\s*\Z")


class Unsatisfiable(BadRange):
    """The range lies outside of the content, which has `size` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the range lies outside of the content, which has {size} bytes")
        self.content_range: HeaderField = (b"content-range", b"bytes */%d" % size)


def byte_range(header: bytes, size: int) -> tuple[int, int] | None:
    """(first byte, byte behind the last one); None for what is no range of bytes, or several. As
    in Orthanc the lone dash means everything. Raises Unsatisfiable."""
    match = _RANGE.match(header.strip())
    if match is None:
        return None
    if not match[1] and match[2]:  # so many of the last ones
        first, stop = max(size - int(match[2]), 0), size
    else:
        first = int(match[1] or 0)
        stop = min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < first:
            return None
    if first >= size:
        raise Unsatisfiable(size)
    return first, stop
