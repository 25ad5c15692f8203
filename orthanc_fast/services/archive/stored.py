"""Archives that are stored, not deflated: their length is known before, and any part of them can be
made without the rest, so that a download that broke off goes on where it was.

The same instances give the same bytes: members have no time. What an archive holds is looked up
twice, for its length and while it is sent; one that has changed in between is aborted.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from itertools import islice
from threading import Lock
from typing import Final, NamedTuple, TypeVar

import xxhash
from isal import isal_zlib

from orthanc_fast._ext.zip_records import Records
from orthanc_fast.errors import CorruptedFile, InternalError
from orthanc_fast.model import Attachment
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.archive.ordering import Step, in_order
from orthanc_fast.services.archive.packing import LARGE, STORED, LargeFile
from orthanc_fast.services.archive.stream import COMMENT, Store, flags_of
from orthanc_fast.services.archive.tree import Entry
from orthanc_fast.storage.compression import uncompress

_STAMP: Final = 0x21 << 16  # 1980-01-01, the first day there is
_TOGETHER: Final = 512 << 10  # bytes of small files that one thread reads at a time
_AT_ONCE: Final = 32
_REMEMBERED: Final = 1 << 15  # checksums

T = TypeVar("T")

Entries = Callable[[], Iterable[list[Entry]]]


class Checksums:
    """The CRC-32 of files that have been archived lately: what a download that goes on needs of all
    that has been sent already."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._lock = Lock()

    def get(self, uuid: str) -> int | None:
        with self._lock:
            return self._known.get(uuid)

    def put(self, uuid: str, crc: int) -> None:
        with self._lock:
            self._known[uuid] = crc
            if len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]


class _Wanted(NamedTuple):
    """A member, and what of it a part of the archive needs."""

    name: bytes
    file: Attachment
    crc: bool
    data: bool


class StoredArchive:
    """`length` bytes; `tag` changes with the files and their names. To be made in a thread: it
    reads the index."""

    def __init__(self, store: Store, checksums: Checksums, entries: Entries) -> None:
        self._store = store
        self._checksums = checksums
        self._entries = entries
        records, digest = Records(COMMENT, measures=True), xxhash.xxh3_64()
        for name, file in _members(entries()):
            records.member(name, flags_of(name), STORED, _STAMP, 0, file.size, file.size)
            digest.update(name + b"\0" + file.uuid.encode())
        self._directory = records.offset  # where it begins
        self.length = records.offset + records.directory_size
        self.tag = digest.hexdigest()

    async def part(self, first: int, stop: int) -> AsyncGenerator[bytes]:
        """The bytes from `first` up to `stop`. Raises what reading the files raises, InternalError
        where the archive is not what it was."""
        records = Records(COMMENT)
        async with aclosing(in_order(self._steps(records, first, stop))) as stream:
            async for chunk in stream:
                yield chunk
        if stop > self._directory:
            begin = records.offset
            if begin + records.directory_size != self.length:
                raise InternalError("the archive has changed while it was sent")
            for block in records.directory():
                for chunk in _cut(block, begin, first, stop):
                    yield chunk
                begin += len(block)

    async def _steps(self, records: Records, first: int, stop: int) -> AsyncGenerator[Step]:
        places = Records(COMMENT, measures=True)
        needs_all = stop > self._directory
        members = _members(self._entries())
        group: list[_Wanted] = []
        size = 0
        while (found := await asyncio.to_thread(_some, members)) and (
            needs_all or places.offset < stop
        ):
            for name, file in found:
                begin = places.offset
                places.member(name, flags_of(name), STORED, _STAMP, 0, file.size, file.size)
                is_sent = begin < stop and places.offset > first
                wanted = _Wanted(name, file, needs_all or is_sent, is_sent)
                if file.size < LARGE:
                    group.append(wanted)
                    size += file.size if is_sent else 0
                if group and (size >= _TOGETHER or file.size >= LARGE):
                    yield self._together(records, group, size, first, stop)
                    group, size = [], 0
                if file.size >= LARGE:
                    async for step in self._large(records, wanted, first, stop):
                        yield step
            if group:
                yield self._together(records, group, size, first, stop)
                group, size = [], 0

    def _together(
        self, records: Records, group: list[_Wanted], size: int, first: int, stop: int
    ) -> Step:
        def emit(made: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
            for wanted, (crc, data) in zip(group, made, strict=True):
                begin = records.offset
                header = _header(records, wanted, crc)
                yield from _cut(header, begin, first, stop)
                yield from _cut(data, begin + len(header), first, stop)

        work = self._run(lambda: [self._read(wanted) for wanted in group])
        return Step(size, work, emit)

    async def _large(
        self, records: Records, wanted: _Wanted, first: int, stop: int
    ) -> AsyncGenerator[Step]:
        crc = await self._run(lambda: self._large_crc(wanted))
        at = 0

        def begin(_: object) -> Iterator[bytes]:
            nonlocal at
            start = records.offset
            header = _header(records, wanted, crc)
            at = start + len(header)
            yield from _cut(header, start, first, stop)

        def part(data: bytes) -> Iterator[bytes]:
            nonlocal at
            yield from _cut(data, at, first, stop)
            at += len(data)

        yield Step(0, None, begin)
        if wanted.data:
            file = await self._run(partial(LargeFile, self._store.storage, wanted.file))
            for read, size, _ in file.parts():
                work = self._run(read)
                yield Step(size, work, part)
                if file.is_read_in_order:
                    await asyncio.wait([work])

    def _run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._store.threads, work)

    # What threads do

    def _read(self, wanted: _Wanted) -> tuple[int, bytes]:
        """Checksum and data of a small file, as far as they are wanted."""
        file = wanted.file
        crc = self._checksums.get(file.uuid)
        if not wanted.data and (crc is not None or not wanted.crc):
            return crc or 0, b""
        data = self._store.storage.read(file.uuid, 0, file.stored_size)
        if file.compressed:
            data = uncompress(data)
        if len(data) != file.size:
            raise CorruptedFile("a file does not have the size that the index knows")
        if crc is None:
            crc = isal_zlib.crc32(data)
            self._checksums.put(file.uuid, crc)
        return crc, data if wanted.data else b""

    def _large_crc(self, wanted: _Wanted) -> int:
        crc = self._checksums.get(wanted.file.uuid)
        if crc is not None or not wanted.crc:
            return crc or 0
        crc = 0
        for read, _, _ in LargeFile(self._store.storage, wanted.file).parts():
            crc = isal_zlib.crc32(read(), crc)
        self._checksums.put(wanted.file.uuid, crc)
        return crc


def _members(entries: Iterable[list[Entry]]) -> Iterator[tuple[bytes, Attachment]]:
    """Name and file of each instance that has one."""
    for some in entries:
        for entry in some:
            file = entry.instance.attachments.get(DICOM_ATTACHMENT)
            if file is not None:
                yield entry.path.encode(), file


def _some(members: Iterator[tuple[bytes, Attachment]]) -> list[tuple[bytes, Attachment]]:
    return list(islice(members, _AT_ONCE))


def _header(records: Records, wanted: _Wanted, crc: int) -> bytes:
    name, size = wanted.name, wanted.file.size
    return records.member(name, flags_of(name), STORED, _STAMP, crc, size, size)


def _cut(chunk: bytes, at: int, first: int, stop: int) -> Iterator[bytes]:
    """What of a chunk that begins at `at` lies between `first` and `stop`."""
    if at >= stop or at + len(chunk) <= first:
        return
    if at >= first and at + len(chunk) <= stop:
        yield chunk
    else:
        yield chunk[max(first - at, 0) : stop - at]
