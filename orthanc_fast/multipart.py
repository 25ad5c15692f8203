"""Bodies of multipart/related, taken apart while they arrive: no more is held of one than the
header of a part and a boundary. Source: RFC 2046, section 5.1; RFC 2387.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from orthanc_fast.errors import BadFileFormat

LONGEST_HEADER: Final = 16 << 10  # bytes of the header of one part
LONGEST_BOUNDARY: Final = 256  # RFC 2046 says 70, Orthanc's have 73
_LONGEST_PADDING: Final = 64  # blanks between a boundary and the end of its line

_TYPE: Final = re.compile(r"\s*([^\s;,]+)\s*(?:;|\Z)")
_PARAMETER: Final = re.compile(r';\s*([^\s;=]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))')

# The headers of a part (names in lower case), then its content in pieces, then None at its end.
Event = dict[str, str] | bytes | None


class Related(NamedTuple):
    """What a Content-Type of multipart/related says; `type` is that of the parts, "" where none is
    named."""

    boundary: bytes
    type: str


def media_type(content_type: str) -> str:
    """Without its parameters, in lower case; "" where it is none."""
    match = _TYPE.match(content_type)
    return "" if match is None else match[1].lower()


def related(content_type: str) -> Related | None:
    """None for any other type. Raises BadFileFormat where the boundary is missing or too long."""
    if media_type(content_type) != "multipart/related":
        return None
    found = {
        match[1].lower(): match[3] if match[2] is None else re.sub(r"\\(.)", r"\1", match[2])
        for match in _PARAMETER.finditer(content_type)
    }
    boundary = found.get("boundary", "").encode("utf-8", "surrogateescape")
    if not 0 < len(boundary) <= LONGEST_BOUNDARY:
        raise BadFileFormat("multipart/related: the boundary is missing, or too long")
    return Related(boundary, found.get("type", "").lower())


class _State(Enum):
    PREAMBLE = 1
    HEADER = 2
    CONTENT = 3
    END = 4


class MultipartReader:
    """Takes one body apart."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._state = _State.PREAMBLE
        self._held = bytearray(b"\r\n")  # a body may begin with its first boundary
        self._skip = 0  # bytes held that belong to the header
        self._from = 0  # before there is no boundary

    @property
    def is_whole(self) -> bool:
        """Whether the closing boundary has come."""
        return self._state is _State.END

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """What the next bytes complete. Raises BadFileFormat for what is no header."""
        if self.is_whole:
            return  # the epilogue
        self._held += chunk
        while not self.is_whole:
            if self._state is _State.HEADER:
                headers = self._header()
                if headers is None:
                    return
                yield headers
            else:
                was = self._state
                content, is_over = self._content()
                if was is _State.CONTENT and content:
                    yield content
                if not is_over:
                    return
                if was is _State.CONTENT:
                    yield None

    def _header(self) -> dict[str, str] | None:
        """None if it is not complete."""
        end = self._held.find(b"\r\n\r\n")
        if max(end, len(self._held) - 4 if end < 0 else 0) > LONGEST_HEADER:
            raise BadFileFormat("multipart/related: the header of a part is too long")
        if end < 0:
            return None
        lines = bytes(self._held[:end]).decode("latin-1").split("\r\n")[1:]
        found: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadFileFormat("multipart/related: a part begins with what is no header")
            found[name.strip().lower()] = value.strip()
        # The line end before a boundary may be the one that ends the header.
        del self._held[: end + 2]
        self._skip, self._from = 2, 0
        self._state = _State.CONTENT
        return found

    def _content(self) -> tuple[bytes, bool]:
        """The bytes that have come of a content, and whether that was all of it."""
        held = self._held
        while True:
            at = held.find(self._delimiter, self._from)
            if at < 0:
                return self._take(max(len(held) - len(self._delimiter) + 1, self._from)), False
            line = self._boundary_line(at + len(self._delimiter))
            if line is None:
                self._from = at
                return self._take(at), False
            if line:
                content = self._take(at)
                del held[: line - at]
                self._from = 0
                return content, True
            self._from = at + 2  # it only begins like one

    def _boundary_line(self, at: int) -> int | None:
        """How many bytes to drop with the boundary that ends at `at`; 0 if it is none, None if that
        cannot be told yet. What follows it begins with the end of its line."""
        held = self._held
        after = bytes(held[at : at + _LONGEST_PADDING])
        if after.startswith(b"--"):
            self._state = _State.END
            return len(held)
        padding = len(after) - len(after.lstrip(b" \t"))
        rest = after[padding : padding + 2]
        if rest == b"\r\n":
            self._state = _State.HEADER
            return at + padding
        is_begun = rest in (b"", b"\r") or (rest == b"-" and not padding)
        return None if is_begun and len(after) < _LONGEST_PADDING else 0

    def _take(self, until: int) -> bytes:
        """The content up to there; what is behind it stays."""
        content = bytes(memoryview(self._held)[self._skip : until]) if until > self._skip else b""
        if until > 0:
            del self._held[:until]
            self._skip = max(0, self._skip - until)
            self._from = max(0, self._from - until)
        return content
