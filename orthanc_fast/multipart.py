"""Multipart bodies, split while they arrive: those of clients, and what other servers answer.
Source: RFC 2046, section 5.1; RFC 2387.

`MultipartParser` is what multipart/form-data (`rest.form_data`) and multipart/related have in
common. The second is strict where bytes would be lost in silence: a part whose header does not end
and a body that does are errors. It is as lenient as others in what is before the first boundary and
behind the last, in blanks behind a boundary, and in lines that end with LF alone.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from enum import Enum
from typing import Final

from orthanc_fast._ext.buffers import find
from orthanc_fast.errors import BadRequest

HeaderField = tuple[bytes, bytes]

# Bytes of the header of one part.
MAXIMUM_HEADER = 64 << 10
# Bytes before the first boundary: who sends more may never come to an end.
MAXIMUM_PREAMBLE = 64 << 10
# Blanks behind a boundary (RFC 2046: transport padding).
MAXIMUM_PADDING = 1000

_HEADER_END: Final = re.compile(rb"\n(\r?\n)")
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
_BLANKS: Final = re.compile(rb"[ \t]*")

# The headers of a part (names in lower case), then its content in pieces, which are views into the
# chunks where that spares a copy, then None at its end.
Event = list[HeaderField] | bytes | memoryview | None


class State(Enum):
    PREAMBLE = 1
    HEADER = 2
    CONTENT = 3


class MultipartParser(ABC):
    """Splits one body; holds no more of it than a chunk, a header and a boundary. The events are
    the same however the body is cut into chunks, but for the pieces that a content comes in."""

    def __init__(self, delimiter: bytes) -> None:
        """`delimiter`: what ends the content of a part."""
        self._delimiter = delimiter
        self._state = State.PREAMBLE
        self._has_ended = False
        # The last chunk, behind what was left of those before, and places in it:
        self._held = b""
        self._at = 0  # here begins what is not done with: a content, header or preamble
        self._seen = 0  # no delimiter begins before
        self._skip = 0  # bytes at the begin of a content that belong to the header

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """What the next bytes of the body complete. Raises BadRequest for an endless header."""
        if self._has_ended:
            return
        rest = self._hold(chunk)
        if rest:
            yield rest
        while not self._has_ended:
            if self._state is State.CONTENT:
                yield from self._content()
                if self._state is State.CONTENT:
                    return
            elif self._state is State.HEADER:
                headers = self._header()
                if headers is not None:
                    yield headers
                else:
                    return
            elif not self._preamble():
                return

    @abstractmethod
    def _preamble(self) -> bool:
        """Whether the first boundary is there; it is dropped."""

    @abstractmethod
    def _header(self) -> list[HeaderField] | None:
        """The header of the next part, which is dropped; None if it is not complete, or there is
        none."""

    @abstractmethod
    def _behind(self, at: int) -> int | None:
        """Where a part begins, or the end of the body is told, behind the delimiter that ends at
        this byte; -1 if that is none, None if more bytes have to come to tell."""

    @property
    def has_ended(self) -> bool:
        """Whether the end of the body was told: what follows says nothing."""
        return self._has_ended

    def _begin_content(self, at: int, line_end: int) -> None:
        """At `at` is the line end of so many bytes that ends a header: it may be the one before a
        boundary too."""
        self._drop(at)
        self._skip = line_end
        self._state = State.CONTENT

    def _end(self) -> None:
        """What follows is no part of the body any longer."""
        self._has_ended = True
        self._held = b""

    def _drop(self, until: int) -> None:
        self._at = self._seen = until

    def _hold(self, chunk: bytes) -> bytes:
        """Goes on with a chunk. Gives the content in what was left of the one before, where the
        chunk decides about it, so that the two need not be joined."""
        left = self._held[self._at :]
        seen, self._at, self._seen = self._seen - self._at, 0, 0
        if not left:
            self._held = chunk
            return b""
        reach = len(self._delimiter) - 1
        is_content = self._state is State.CONTENT and not self._skip and len(chunk) >= reach
        if is_content and find(left + chunk[:reach], self._delimiter) < 0:
            self._held = chunk
            return left
        self._held = left + chunk
        self._seen = seen
        return b""

    def _content(self) -> Iterator[Event]:
        while (at := find(self._held, self._delimiter, self._seen)) >= 0:
            after = self._behind(at + len(self._delimiter))
            if after is None:
                yield from self._given(at)
                return
            if after >= 0:
                yield from self._given(at)
                self._drop(after)
                self._skip = 0
                self._state = State.HEADER
                yield None
                return
            self._seen = at + 1
        yield from self._given(len(self._held) - len(self._delimiter) + 1)

    def _given(self, until: int) -> Iterator[Event]:
        """The content before `until`, which is done with; no delimiter begins in it."""
        begin = self._at + self._skip
        if until > begin:
            yield memoryview(self._held)[begin:until]
            self._drop(until)
            self._skip = 0


class RelatedParser(MultipartParser):
    """The parts of multipart/related."""

    def __init__(self, boundary: bytes) -> None:
        self._line = b"\n--" + boundary
        super().__init__(b"\r" + self._line)
        self._held = b"\n"  # as if a line had ended: the body may begin with the boundary
        self._before = 0  # bytes of the preamble that were dropped

    def close(self) -> None:
        """All has been fed. Raises BadRequest where the body ends too early."""
        if not self._has_ended:
            raise BadRequest(
                "The multipart body has no boundary"
                if self._state is State.PREAMBLE
                else "The multipart body was cut off: its closing boundary is missing"
            )

    def _preamble(self) -> bool:
        held = self._held
        while (at := find(held, self._line, self._seen)) >= 0:
            after = self._behind(at + len(self._line))
            if after is None:
                self._count_preamble(at)
                self._drop(at)
                return False
            if after >= 0:
                self._count_preamble(at)
                if held[after : after + 1] == b"\n":
                    self._delimiter = self._line  # lines end so in this body
                self._drop(after)
                self._state = State.HEADER
                return True
            self._seen = at + 1
        until = max(self._at, len(held) - len(self._line) + 1)
        self._count_preamble(until)
        self._drop(until)
        return False

    def _count_preamble(self, until: int) -> None:
        self._before += until - self._at
        if self._before > MAXIMUM_PREAMBLE:
            raise BadRequest(
                f"The multipart body has no boundary in its first {MAXIMUM_PREAMBLE >> 10} KB"
            )

    def _behind(self, at: int) -> int | None:
        held = self._held
        if held.startswith(b"--", at):
            return at
        if len(held) - at < 2 and held[at:] in (b"", b"-"):
            return None
        match = _BLANKS.match(held, at)
        assert match is not None  # it matches no blanks too
        end = match.end()
        if end - at > MAXIMUM_PADDING:
            raise BadRequest("There are too many blanks behind a boundary of the multipart body")
        rest = held[end : end + 2]
        if rest in (b"", b"\r"):
            return None
        return end if rest == b"\r\n" or rest[:1] == b"\n" else -1

    def _header(self) -> list[HeaderField] | None:
        # At `_at` is the end of the line of the boundary, or "--".
        held, begin = self._held, self._at
        if held.startswith(b"--", begin):
            self._end()
            return None
        match = _HEADER_END.search(held, self._seen)
        end = len(held) if match is None else match.start()
        if held.find(self._line, max(begin, self._seen - len(self._line)), end) >= 0:
            raise BadRequest("The header of a part of the multipart body has no end")
        if end - begin > MAXIMUM_HEADER + (match is None) * 2:
            raise BadRequest("The header of a part of the multipart body is too long")
        if match is None:
            self._seen = max(begin, end - 2)
            return None
        headers = headers_of(_FOLD.sub(b" ", held[begin : match.start() + 1]))
        self._begin_content(match.start(1), len(match[1]))
        return headers


def headers_of(lines: bytes) -> list[HeaderField]:
    """The fields, names in lower case; what is no field is left out."""
    found: list[HeaderField] = []
    for line in lines.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.append((name.strip().lower(), value.strip()))
    return found
