"""An archive as a stream of bytes, made while it is sent.

Files are packed by several threads at a time, and what they make is sent in order. Small members
have sizes and checksums in their local headers; large ones are deflated in parts, and have a
descriptor behind them, so that a reader may take the archive from front to back in either case.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from isal import isal_zlib

from orthanc_fast._ext.zip_records import Records
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Attachment, Caller, Level, Resource
from orthanc_fast.registries import DICOM_ATTACHMENT, TRANSFER_SYNTAX
from orthanc_fast.services.archive.ordering import Step, in_order
from orthanc_fast.services.archive.packing import (
    DEFLATED,
    LARGE,
    LargeFile,
    Packed,
    PackingThreads,
    at_most,
    may_deflate,
    pack,
    pack_compressed,
    pack_part,
)
from orthanc_fast.services.archive.tree import Entry
from orthanc_fast.services.attachments.reading import opened, require_all
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.storage.compression import uncompress
from orthanc_fast.storage.contract import MISSING_FILE, Content, Storage

T = TypeVar("T")

COMMENT: Final = b"Created by Orthanc"
UTF8: Final = 1 << 11

_TOGETHER: Final = 512 << 10  # bytes of small files that one thread packs at a time


class Store(NamedTuple):
    """What archives need of the store."""

    reads: Reads
    storage: Storage
    dictionary: Dictionary
    threads: PackingThreads


class Target(NamedTuple):
    """The transfer syntax that all files get; `quality`, 1 to 100, is that of lossy ones."""

    syntax: str
    quality: int


class Member(NamedTuple):
    """A file that has been packed, and what `Archive.inspected` has found in it."""

    packed: Packed
    found: Any


class Last(NamedTuple):
    """A member of `size` bytes that is made in parts, of a megabyte or so."""

    name: bytes
    size: int
    parts: Iterable[bytes]


Watch = Callable[[int], None]
"""Is told how many instances are done; what it raises ends the archive."""


def flags_of(name: bytes) -> int:
    """The general purpose bits of a member with this name."""
    return 0 if name.isascii() else UTF8


def now_stamp() -> int:
    """The local time as MS-DOS writes it: date << 16 | time, by two seconds."""
    year, month, day, hour, minute, second, *_ = time.localtime()
    date = max(year - 1980, 0) << 9 | month << 5 | day
    return date << 16 | hour << 11 | minute << 5 | second // 2


class Archive:
    """One archive on its way. `entries` gives its instances, some at a time; each step of it may
    wait. After the last byte `size` is that of the archive."""

    def __init__(
        self,
        store: Store,
        caller: Caller,
        entries: Iterable[list[Entry]],
        target: Target | None,
        watch: Watch,
    ) -> None:
        self._store = store
        self._caller = caller
        self._entries = entries
        self._target = target
        self._watch = watch
        self._records = Records(COMMENT)
        self._stamp = now_stamp()
        self._done = 0

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._records.offset

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The bytes of the archive. Raises what reading the files raises: an instance that has been
        deleted is left out, one whose file is lost is not."""
        async with aclosing(in_order(self._steps())) as stream:
            async for chunk in stream:
                yield chunk
        if (last := self.last()) is not None:
            async with aclosing(self._chunks_of(last)) as stream:
                async for chunk in stream:
                    yield chunk
        for block in self._records.directory():
            yield block

    async def _chunks_of(self, last: "Last") -> AsyncGenerator[bytes]:
        name, size, parts = last
        if size < LARGE:
            content = b"".join(parts)
            packed = await self._run(lambda: pack(content, True))
            yield self._header(name, packed)
            yield packed.data
            return
        total = _Sum()
        yield self._records.begin(name, flags_of(name), DEFLATED, self._stamp, at_most(size))
        for part in parts:
            is_last = total.size + len(part) == size
            packed = await self._run(partial(pack_part, partial(bytes, part), is_last))
            total.add(packed)
            yield packed.data
        yield self._records.finish(total.crc, total.packed, total.size)

    # What is done in the event loop

    async def _steps(self) -> AsyncGenerator[Step]:
        coming = iter(self._entries)
        while (entries := await asyncio.to_thread(next, coming, None)) is not None:
            group: list[Entry] = []
            size = 0
            for entry in entries:
                file = entry.instance.attachments.get(DICOM_ATTACHMENT)
                if file is not None and file.size >= LARGE and self._target is None:
                    if group:
                        yield self._together(group, size)
                        group, size = [], 0
                    async for step in self._large(entry, file):
                        yield step
                    continue
                group.append(entry)
                size += 0 if file is None else file.size
                if size >= _TOGETHER:
                    yield self._together(group, size)
                    group, size = [], 0
            if group:
                yield self._together(group, size)

    def _together(self, entries: list[Entry], size: int) -> Step:
        work = self._run(lambda: [self._packed(entry.instance) for entry in entries])
        return Step(size, work, partial(self._members, entries))

    def _members(self, entries: list[Entry], made: Sequence[Member | None]) -> Iterator[bytes]:
        """The members that small files became."""
        parts: list[bytes] = []
        for entry, member in zip(entries, made, strict=True):
            if member is not None:
                self.included(entry, member.found)
                name, packed = entry.path.encode(), member.packed
                parts += (self._header(name, packed), packed.data)
        self._tell(len(entries))
        if len(entries) == 1:  # it may be large
            yield from parts
        elif parts:
            yield b"".join(parts)

    async def _large(self, entry: Entry, file: Attachment) -> AsyncGenerator[Step]:
        try:
            opened_file = await self._run(partial(LargeFile, self._store.storage, file))
        except OrthancError as error:
            await asyncio.to_thread(self._raise_unless_gone, entry.instance, error)
            return
        content = partial(opened, self._store.storage, file)
        found = await self._run(lambda: self.inspected(content))
        async for step in self._large_steps(entry, opened_file, found):
            yield step

    async def _large_steps(self, entry: Entry, file: LargeFile, found: Any) -> AsyncGenerator[Step]:
        total = _Sum()

        def begin(_: object) -> Iterator[bytes]:
            self.included(entry, found)
            name = entry.path.encode()
            yield self._records.begin(
                name, flags_of(name), DEFLATED, self._stamp, at_most(file.size)
            )

        def part(packed: Packed) -> Iterator[bytes]:
            total.add(packed)
            yield packed.data

        def finish(_: object) -> Iterator[bytes]:
            self._tell(1)
            yield self._records.finish(total.crc, total.packed, total.size)

        yield Step(0, None, begin)
        for read, size, is_last in file.parts():
            work = self._run(partial(pack_part, read, is_last))
            yield Step(size, work, part)
            if file.is_read_in_order:
                await asyncio.wait([work])
        yield Step(0, None, finish)

    def _header(self, name: bytes, packed: Packed) -> bytes:
        return self._records.member(
            name,
            flags_of(name),
            packed.method,
            self._stamp,
            packed.crc,
            len(packed.data),
            packed.size,
        )

    def _tell(self, count: int) -> None:
        self._done += count
        self._watch(self._done)

    # What kinds of archives differ in

    def inspected(self, content: Callable[[], Content]) -> Any:
        """What has to be known of a file, in a thread; `content` opens it. Raises OrthancError,
        which ends the archive."""
        return None

    def included(self, entry: Entry, found: Any) -> None:
        """Is told of each member, in order."""

    def last(self) -> "Last | None":
        """The member behind the instances, if there is one."""
        return None

    def _run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._store.threads, work)

    # What threads do

    def _packed(self, instance: Resource) -> Member | None:
        """The member that the file of an instance becomes, None for one that is left out."""
        file = instance.attachments.get(DICOM_ATTACHMENT)
        if file is None:
            return None
        if self._target is not None:
            return self._transcoded(file, self._target)
        try:
            stored = self._store.storage.read(file.uuid, 0, file.stored_size)
        except OrthancError as error:
            self._raise_unless_gone(instance, error)
            return None
        require_all(stored, file.stored_size)
        if file.compressed:
            data = uncompress(stored)
            return Member(pack_compressed(stored, data), self.inspected(lambda: data))
        packed = pack(stored, may_deflate(stored, instance.metadata.get(TRANSFER_SYNTAX)))
        return Member(packed, self.inspected(lambda: stored))

    def _transcoded(self, file: Attachment, target: Target) -> Member | None:
        try:
            source = opened(self._store.storage, file)
            made = transcode(source, target.syntax, target.quality, self._store.dictionary)
        except OrthancError:  # as Orthanc does
            return None
        packed = pack(made.data, may_deflate(made.data, target.syntax))
        return Member(packed, self.inspected(lambda: made.data))

    def _raise_unless_gone(self, instance: Resource, error: OrthancError) -> None:
        """A file that is missing was deleted with its instance, or is lost."""

        def is_there() -> bool:
            public = instance.public
            return self._store.reads(self._caller, lambda view: view.exists(Level.INSTANCE, public))

        if error.code != MISSING_FILE or is_there():
            raise error


class _Sum:
    """What parts are together."""

    crc = packed = size = 0

    def add(self, part: Packed) -> None:
        self.crc = isal_zlib.crc32_combine(self.crc, part.crc, part.size)
        self.packed += len(part.data)
        self.size += part.size
