"""A volume as a stream of bytes: read by several threads into a small ring of buffers, given in
order. Memory stays at the ring, whatever the size of the volume."""

import asyncio
import os
import zlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from isal import isal_zlib

from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.services.volumes.plan import Volume
from orthanc_fast.services.volumes.reading import Reader
from orthanc_fast.storage.contract import Storage, WouldWait

CHUNK = 1 << 19  # bytes that are made, and sent, at a time
AT_ONCE = 1 << 21  # bytes up to which an array is made on the event loop, where no disk is needed
RING = 32 << 20  # bytes of all buffers; more only where two frames need more
DEFLATE_LEVEL = 1

Made = TypeVar("Made")


class Piece(NamedTuple):
    """Some deflated bytes, and the CRC-32 and length of what they inflate to."""

    data: bytes
    crc: int
    length: int


class Streams:
    """Makes the streams of volumes; one per process, for its event loop."""

    def __init__(self, pixels: Pixels, storage: Storage) -> None:
        self._pixels = pixels
        self._storage = storage
        self._threads = max(os.cpu_count() or 1, 2)
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="volume")

    def at_once(self, volume: Volume, header: bytes) -> bytearray | None:
        """`header` and all bytes of a small volume whose files are in memory, else None; never
        waits."""
        if volume.nbytes > AT_ONCE or not all(source.layout for source in volume.sources):
            return None
        reader = Reader(volume, self._pixels, self._storage, may_wait=False)
        out = bytearray(len(header) + volume.nbytes)
        out[: len(header)] = header
        try:
            reader.read(0, len(volume.frames), memoryview(out)[len(header) :])
        except WouldWait:
            return None
        return out

    def raw(
        self, volume: Volume, first: int = 0, last: int | None = None
    ) -> AsyncGenerator[bytes | bytearray]:
        """The bytes of a volume from `first` up to `last`; only the frames that they touch are
        read. What is given is valid until the next one is asked for. Raises as `Reader.read`."""
        size = volume.frame_bytes
        end = volume.nbytes if last is None else last
        reader = self._reader(volume)

        def work(start: int, stop: int) -> Callable[[bytearray], bytes | bytearray]:
            def fill(buffer: bytearray) -> bytes | bytearray:
                length = (stop - start) * size
                view = memoryview(buffer)
                reader.read(start, stop, view[:length])
                low, high = max(first - start * size, 0), min(end - start * size, length)
                return buffer if (low, high) == (0, len(buffer)) else bytes(view[low:high])

            return fill

        batches = _batches(first // size, -(-end // size), self._frames_per_chunk(volume))
        return self._in_order((work(*batch) for batch in batches), volume)

    def deflated(self, volume: Volume, header: bytes) -> AsyncGenerator[Piece]:
        """`header` and the volume as one deflated stream in pieces."""
        size = volume.frame_bytes
        reader = self._reader(volume)
        count = len(volume.frames)

        def work(start: int, stop: int) -> Callable[[bytearray], Piece]:
            def fill(buffer: bytearray) -> Piece:
                view = memoryview(buffer)[: (stop - start) * size]
                reader.read(start, stop, view)
                head = header if start == 0 else b""
                packer = isal_zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
                data = packer.compress(head) + packer.compress(view)
                # A piece ends at a byte, so that what other threads make can follow.
                data += packer.flush(zlib.Z_FINISH if stop == count else zlib.Z_SYNC_FLUSH)
                crc = isal_zlib.crc32(view, isal_zlib.crc32(head))
                return Piece(data, crc, len(head) + len(view))

            return fill

        batches = _batches(0, count, self._frames_per_chunk(volume))
        return self._in_order((work(*batch) for batch in batches), volume)

    def _reader(self, volume: Volume) -> Reader:
        return Reader(volume, self._pixels, self._storage, keep=self._threads + 1)

    def _frames_per_chunk(self, volume: Volume) -> int:
        return max(CHUNK // volume.frame_bytes, 1)

    async def _in_order(
        self, works: Iterable[Callable[[bytearray], Made]], volume: Volume
    ) -> AsyncGenerator[Made]:
        """What `works` make, each of a buffer, in their order; several are in work at a time."""
        loop = asyncio.get_running_loop()
        size = self._frames_per_chunk(volume) * volume.frame_bytes
        depth = min(max(RING // size, 2), self._threads + 2)
        coming = iter(works)
        free: list[bytearray] = []
        pending: deque[tuple[asyncio.Future[Made], bytearray]] = deque()
        try:
            while True:
                while len(pending) < depth and (work := next(coming, None)) is not None:
                    buffer = free.pop() if free else bytearray(size)
                    pending.append((loop.run_in_executor(self._pool, work, buffer), buffer))
                if not pending:
                    return
                future, buffer = pending.popleft()
                yield await future
                free.append(buffer)
        finally:
            for future, _ in pending:
                future.cancel()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _batches(start: int, stop: int, step: int) -> Iterable[tuple[int, int]]:
    return ((first, min(first + step, stop)) for first in range(start, stop, step))
