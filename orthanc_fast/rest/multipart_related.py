"""Answers of multipart/related, byte by byte as Orthanc's: the body begins with its first boundary.

Source: RFC 2387; reference chapter 5, section 1.4.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from secrets import token_hex

from orthanc_fast.rest.response import HeaderField


class MultipartWriter:
    """What surrounds the parts of one answer: for each `head`, then its bytes; at last `end`."""

    __slots__ = ("_boundary", "_is_first")

    def __init__(self) -> None:
        # 70 characters, the most that a boundary may have (RFC 2046, section 5.1.1).
        self._boundary = token_hex(35).encode()
        self._is_first = True

    def kind(self, part_type: str) -> HeaderField:
        """The Content-Type of the answer; `part_type` may have parameters of its own."""
        value = b'multipart/related; type="%s"; boundary=%s' % (part_type.encode(), self._boundary)
        return b"content-type", value

    def head(self, part_type: str, length: int, location: str | None = None) -> bytes:
        """What stands before the `length` bytes of a part; `location` is its own address."""
        start = b"--" if self._is_first else b"\r\n--"
        self._is_first = False
        lines = [start + self._boundary]
        if location is not None:
            lines.append(b"Content-Location: " + location.encode())
        lines.append(b"Content-Type: " + part_type.encode())
        lines.append(b"Content-Length: %d" % length)
        lines.append(b"MIME-Version: 1.0\r\n\r\n")
        return b"\r\n".join(lines)

    def end(self) -> bytes:
        """What stands behind the last part; all that there is of an answer without parts."""
        start = b"--" if self._is_first else b"\r\n--"
        return start + self._boundary + b"--\r\n"

    async def closed(self, parts: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """A stream of parts, each behind its head, and the end. Where the stream fails there is no
        end, so that nobody takes it for whole."""
        async with aclosing(parts):
            async for chunk in parts:
                yield chunk
        yield self.end()
