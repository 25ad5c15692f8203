"""Bodies of multipart/form-data, split while they arrive. Source: reference chapter 1, section 1.7.

Where a form is not quite one, this is as lenient as Orthanc: what stands before the first
boundary, a part without header or one that does not end is passed over.
"""

import re
from collections.abc import Iterator
from enum import Enum

from orthanc_fast.errors import BadRequest
from orthanc_fast.rest.response import HeaderField

# Bytes of the header of one part.
MAXIMUM_HEADER = 64 << 10

_TYPE = re.compile(rb"\s*multipart/form-data\s*(?:;|\Z)", re.IGNORECASE)
_BOUNDARY = re.compile(rb';\s*boundary\s*=\s*(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)


def boundary(content_type: bytes | None) -> bytes | None:
    """The boundary of a multipart/form-data body, None for any other type."""
    if content_type is None or _TYPE.match(content_type) is None:
        return None
    match = _BOUNDARY.search(content_type)
    return None if match is None else match[1] or match[2]


class _State(Enum):
    PREAMBLE = 1
    HEADER = 2
    CONTENT = 3


# The headers of a part (names in lower case), then its content in pieces, then None at its end.
Event = list[HeaderField] | bytes | None


class FormParser:
    """Splits one body; holds no more of it than a header and a boundary."""

    def __init__(self, separator: bytes) -> None:
        self._first = b"--" + separator
        self._delimiter = b"\r\n--" + separator
        self._state = _State.PREAMBLE
        self._has_ended = False
        self._held = bytearray()
        self._skip = 0  # bytes held that were given out, or belong to the header

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """What the next bytes of the body complete. Raises BadRequest for an endless header."""
        if self._has_ended:
            return
        self._held += chunk
        while True:
            if self._state is _State.CONTENT:
                yield from self._content()
                if self._state is _State.CONTENT:
                    return
            elif self._state is _State.HEADER:
                headers = self._header()
                if headers is not None:
                    yield headers
                else:
                    return
            elif not self._preamble():
                return

    def _drop(self, count: int) -> None:
        del self._held[:count]

    def _preamble(self) -> bool:
        at = self._held.find(self._first)
        if at < 0:
            self._drop(max(0, len(self._held) - len(self._first) + 1))
            return False
        self._drop(at + len(self._first))
        self._state = _State.HEADER
        return True

    def _header(self) -> list[HeaderField] | None:
        """None if it is not complete, or there is none."""
        held = self._held
        while True:
            if held[:2] == b"--":
                self._has_ended = True
                held.clear()
                return None
            # Behind the end of the boundary's own line: a part without header does not count.
            # Where the next part begins nothing more is looked for: there may be very many.
            after = held.find(self._delimiter)
            end = held.find(b"\r\n\r\n", 2, len(held) if after < 0 else after + 3)
            if after >= 0 and end < 0:
                self._drop(after + len(self._delimiter))  # a part without content
                continue
            if end < 0:
                if len(held) > MAXIMUM_HEADER:
                    raise BadRequest("the header of a part of the form is too long")
                return None
            headers = _headers(bytes(held[:end]))
            # The line end before a boundary may be the one that ends the header.
            self._drop(end + 2)
            self._skip = 2
            self._state = _State.CONTENT
            return headers

    def _content(self) -> Iterator[Event]:
        held = self._held
        end = held.find(self._delimiter)
        if end < 0:
            until = len(held) - len(self._delimiter) + 1
            if until > self._skip:
                yield bytes(memoryview(held)[self._skip : until])
                self._drop(until)
                self._skip = 0
            return
        if end > self._skip:
            yield bytes(memoryview(held)[self._skip : end])
        self._drop(end + len(self._delimiter))
        self._state = _State.HEADER
        yield None


def _headers(raw: bytes) -> list[HeaderField]:
    found: list[HeaderField] = []
    for line in raw.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.append((name.strip().lower(), value.strip()))
    return found
