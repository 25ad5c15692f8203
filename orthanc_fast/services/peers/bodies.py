"""Bodies of requests that are sent part by part: they need no more memory than a part, however
large they are. A redirection may have them sent again."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from orthanc_fast.storage.contract import Spool

PART: Final = 1 << 20  # bytes of what is read at a time
_SLICE: Final = 256 << 10  # bytes of what is in memory that are given to the socket at a time


class Body(aiohttp.Payload):
    """`sent` counts the bytes of the last sending."""

    def __init__(self, value: Any, size: int | None) -> None:
        super().__init__(value)
        self._size = size
        self.sent = 0

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise TypeError("the body of a file is no text")


class BufferBody(Body):
    """Bytes that are in memory."""

    def __init__(self, data: bytes | memoryview) -> None:
        super().__init__(data, len(data))

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.sent = len(self._value)
        view = memoryview(self._value)
        for at in range(0, len(view), _SLICE):
            await writer.write(view[at : at + _SLICE])


class PartsBody(Body):
    """What `parts` gives, anew at each call, from a thread that may wait for the disk. Without
    `size` it is sent chunk by chunk."""

    def __init__(self, parts: Callable[[], Iterator[bytes]], size: int | None) -> None:
        super().__init__(parts, size)

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.sent = 0
        parts = self._value()
        try:
            while part := await asyncio.to_thread(next, parts, b""):
                self.sent += len(part)
                await writer.write(part)
        finally:
            parts.close()


def body_of(content: bytes | Spool) -> Body:
    """Of what has been uploaded."""
    if isinstance(content, Spool):
        return PartsBody(lambda: content.parts(PART), content.size)
    return BufferBody(content)
