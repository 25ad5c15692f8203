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

Range = tuple[int, int]  # first byte, byte behind the last one

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
        if not file.compressed:
            handle = self._storage.open(file.uuid)
            for step in self.range_steps(handle, [(0, file.size)], head):
                yield step
        elif file.size < LARGE:
            work = self.run(partial(_uncompressed, self._storage.open(file.uuid), file))
            yield Step(file.size, work, lambda found: (head(file.size), found))
        else:
            large = await self.run(partial(LargeFile, self._storage, file))
            yield Step(0, None, lambda _: (head(file.size),))
            for read, size, _ in large.parts():
                work = self.run(read)
                yield Step(size, work, lambda data: (data,))
                await asyncio.wait([work])  # no part can be inflated before the one in front of it

    def range_steps(self, handle: Handle, ranges: list[Range], head: Head) -> Iterator[Step]:
        """The same for some ranges of bytes of a stored file, one after the other."""
        size = _length(ranges)
        if size < LARGE:
            data = read_now(handle, ranges)
            if data is not None:
                yield Step(size, None, lambda _: (head(size), data))
            else:
                work = self.run(partial(read, handle, ranges))
                yield Step(size, work, lambda found: (head(size), found))
            return
        yield Step(0, None, lambda _: (head(size),))
        for piece in _in_pieces(ranges):
            work = self.run(partial(read, handle, [piece]))
            yield Step(piece[1] - piece[0], work, lambda data: (data,))

    async def ranges(self, handle: Handle, ranges: list[Range]) -> bytes:
        """Some ranges of bytes of a stored file, joined. Raises CorruptedFile."""
        data = read_now(handle, ranges) if _length(ranges) < LARGE else None
        return await self.run(partial(read, handle, ranges)) if data is None else data

    async def pieces_of(self, uuid: str, ranges: list[Range]) -> AsyncGenerator[bytes]:
        """The same, piece by piece. Raises OrthancError 2006, CorruptedFile."""
        handle = self._storage.open(uuid)
        for piece in _in_pieces(ranges):
            yield await self.ranges(handle, [piece])


def cut(ranges: list[Range], first: int, stop: int) -> list[Range]:
    """What of the bytes in `ranges` lies between `first` and `stop`, counted through them."""
    found = []
    at = 0
    for begin, end in ranges:
        low, high = max(first - at, 0), min(stop - at, end - begin)
        if low < high:
            found.append((begin + low, begin + high))
        at += end - begin
    return found


def read_now(handle: Handle, ranges: list[Range]) -> bytes | None:
    """The bytes of some ranges if they are in memory."""
    parts = []
    for begin, end in ranges:
        data = handle.read_now(begin, end - begin)
        if data is None or len(data) < end - begin:
            return None
        parts.append(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read(handle: Handle, ranges: list[Range]) -> bytes:
    """The bytes of some ranges. Waits for the disk. Raises CorruptedFile."""
    parts = [handle.read(begin, end - begin) for begin, end in ranges]
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    if len(data) < _length(ranges):
        raise CorruptedFile("a file is shorter than the index knows: it is damaged")
    return data


def _length(ranges: list[Range]) -> int:
    return sum(end - begin for begin, end in ranges)


def _in_pieces(ranges: list[Range]) -> Iterator[Range]:
    for begin, end in ranges:
        for start in range(begin, end, PIECE):
            yield start, min(start + PIECE, end)


def _uncompressed(handle: Handle, file: Attachment) -> bytes:
    with handle:
        data = uncompress(handle.read(0, file.stored_size))
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
