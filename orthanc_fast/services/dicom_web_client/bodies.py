"""Instances as one body of multipart/related, streamed from the storage. Source: PS3.18, section
10.5; reference chapter 5, section 11.2."""

import asyncio
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from typing import Final, Protocol
from uuid import uuid4

from aiohttp.abc import AbstractStreamWriter

from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.model import Attachment
from orthanc_fast.services.exchange.instances import Outgoing
from orthanc_fast.services.peers.bodies import Body

_AT_ONCE: Final = 256 << 10  # bytes that are given to the socket at a time
_HEAD: Final = "--{}\r\nContent-Type: application/dicom\r\nContent-Length: {}\r\n\r\n"

Moved = Callable[[], None]


class Files(Protocol):
    """Where the files come from: `ContentParts`, for those that are stored."""

    def content(self, attachment: Attachment, /) -> Iterator[bytes]: ...


class StowBody(Body):
    """The files of some instances. `moved` is called whenever the socket has taken a block; of
    `begun` instances the sending has begun. `fault` is what failed here meanwhile."""

    moved: Moved = staticmethod(lambda: None)

    def __init__(self, parts: Files, instances: Sequence[Outgoing], is_chunked: bool) -> None:
        """Without `is_chunked` the size is told ahead. Raises UnknownResource for an instance whose
        file is gone."""
        self._boundary = str(uuid4())
        self._parts = parts
        self._files = [_file(each) for each in instances]
        self.begun = 0
        self.fault: OrthancError | None = None
        super().__init__(self._boundary, None if is_chunked else self._length())

    @property
    def kind(self) -> str:
        """The Content-Type of the request."""
        return f'multipart/related; type="application/dicom"; boundary={self._boundary}'

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.sent, self.begun, self.fault = 0, 0, None
        blocks = _joined(self._content())
        try:
            while block := await asyncio.to_thread(next, blocks, b""):
                await writer.write(block)
                self.sent += len(block)
                self.moved()
        except OrthancError as error:
            self.fault = error
            raise
        finally:
            with suppress(ValueError):  # a thread that is still reading ends it
                blocks.close()

    def _content(self) -> Iterator[bytes]:
        for file in self._files:
            self.begun += 1
            yield self._head(file)
            yield from self._parts.content(file)
            yield b"\r\n"
        yield self._end

    def _head(self, file: Attachment) -> bytes:
        return _HEAD.format(self._boundary, file.size).encode()

    @property
    def _end(self) -> bytes:
        return f"--{self._boundary}--\r\n".encode()

    def _length(self) -> int:
        around = sum(len(self._head(file)) + file.size + 2 for file in self._files)
        return around + len(self._end)


def _file(instance: Outgoing) -> Attachment:
    if instance.file is None:
        raise UnknownResource("The instance is gone, or this server keeps no file of it")
    return instance.file


def _joined(parts: Iterator[bytes]) -> Generator[bytes]:
    """The same bytes in blocks that are worth a call: files may be small, heads are."""
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= _AT_ONCE:
            yield b"".join(held)
            held.clear()
            size = 0
    if held:
        yield b"".join(held)
