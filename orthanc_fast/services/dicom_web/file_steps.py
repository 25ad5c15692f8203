"""Stored files on their way into an answer: at once where they are in memory, else read ahead by
threads, so that neither the event loop nor the client waits for the disk file by file."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from typing import Final, TypeVar

from orthanc_fast.errors import CorruptedFile
from orthanc_fast.model import Attachment
from orthanc_fast.services.archive.ordering import Step
from orthanc_fast.services.archive.packing import LARGE, LargeFile
from orthanc_fast.storage.compression import uncompress
from orthanc_fast.storage.contract import Handle, Storage

T = TypeVar("T")

PIECE: Final = 1 << 20  # bytes of a large content that are sent at a time
_THREADS: Final = 4  # they wait for the disk
_TOGETHER: Final = 256 << 10  # bytes from which a message to the client costs little


Head = Callable[[int], bytes]
"""What stands before a content of so many bytes. Is asked for each in its order."""


class FileReader:
    """Reads the files of streams; one per process."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._threads = ThreadPoolExecutor(_THREADS, "retrieve")

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Has a thread do what waits for the disk."""
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Waits for what is being read."""
        self._threads.shutdown(cancel_futures=True)

    async def steps(self, file: Attachment, head: Head) -> AsyncGenerator[Step]:
        """The uncompressed content of a file, behind its head. Raises OrthancError 2006 where the
        file is missing; the steps raise CorruptedFile for one that is shorter than the index
        knows."""
        if file.size < LARGE:
            yield self._whole(file, head)
            return
        large = await self.run(partial(LargeFile, self._storage, file))
        yield Step(0, None, lambda _: (head(file.size),))
        for read, size, _ in large.parts():
            work = self.run(read)
            yield Step(size, work, lambda data: (data,))
            if large.is_read_in_order:
                await asyncio.wait([work])

    def _whole(self, file: Attachment, head: Head) -> Step:
        handle = self._storage.open(file.uuid)
        data = None if file.compressed else handle.read_now(0, file.size)
        if data is None or len(data) < file.size:
            work = self.run(partial(_read, handle, file))
            return Step(file.size, work, lambda found: (head(file.size), found))
        handle.close()
        return Step(file.size, None, lambda _: (head(file.size), data))

    async def part(self, file: Attachment, first: int, stop: int) -> AsyncGenerator[bytes]:
        """The bytes of an uncompressed file from `first` up to `stop`, in pieces. Raises
        OrthancError 2006, CorruptedFile."""
        with self._storage.open(file.uuid) as handle:
            while first < stop:
                size = min(PIECE, stop - first)
                data = handle.read_now(first, size)
                if data is None or len(data) < size:
                    data = await self.run(partial(handle.read, first, size))
                if len(data) < size:
                    raise CorruptedFile("a file is shorter than the index knows: it is damaged")
                yield data
                first += size


def _read(handle: Handle, file: Attachment) -> bytes:
    with handle:
        data = handle.read(0, file.stored_size)
    if file.compressed:
        data = uncompress(data)
    if len(data) != file.size:
        raise CorruptedFile(
            f"a file has {len(data)} bytes where the index knows of {file.size}: it is damaged"
        )
    return data


def pieces(head: bytes, data: bytes) -> Iterator[bytes]:
    """`head` and `data` in messages that are not too large."""
    yield head
    if len(data) <= PIECE:
        yield data
        return
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


async def gathered(stream: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same bytes in fewer messages, of which each costs more than copying small ones. What
    begins the stream goes at once."""
    waiting: list[bytes] = []
    size = 0
    threshold = 1
    async with aclosing(stream):
        async for chunk in stream:
            if len(chunk) >= _TOGETHER:
                if waiting:
                    yield b"".join(waiting)
                    waiting, size = [], 0
                yield chunk
                threshold = _TOGETHER
                continue
            waiting.append(chunk)
            size += len(chunk)
            if size >= threshold and len(waiting) > 1:
                yield b"".join(waiting)
                waiting, size = [], 0
                threshold = _TOGETHER
    if waiting:
        yield b"".join(waiting)
