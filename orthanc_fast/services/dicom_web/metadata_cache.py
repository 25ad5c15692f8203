"""The metadata of whole series, kept as an attachment of each: one read instead of one file for
each instance.

An attachment says of which instances it was made, and under which options. Instances that are
deleted, added or replaced have other numbers in the index, transcoded ones another size, so that
what is out of date is never sent, and is written anew. Source: reference chapter 5, section 4.4.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future
from typing import Any, Final
from uuid import uuid4

import msgspec
import xxhash

from orthanc_fast.config import Settings
from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Snapshot, Transaction
from orthanc_fast.log import Category, logger
from orthanc_fast.model import SERVER, Attachment, Caller, Level, Outcome, Resource
from orthanc_fast.services.attachments.parts import ContentParts, compressed_spool
from orthanc_fast.services.dicom_web.series_json import SeriesJson
from orthanc_fast.services.retention.recycling import quota_of
from orthanc_fast.services.store.file_effects import FilesWrite
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.storage.contract import Handle, Pending, Spool, Storage

METADATA_CACHE: Final = 4301
"""The number of the attachment, as of the plugin of Orthanc."""

_FORMAT: Final = b"2"  # to be raised whenever other bytes are made of the same files
_STEP: Final = 512 << 10  # bytes that are read, and sent, at a time
_WRITTEN_WITHIN: Final = 600  # seconds


class MetadataCache:
    """What is kept of series, and how it gets there."""

    def __init__(
        self,
        settings: Settings,
        reads: Reads,
        writes: Writes,
        storage: Storage,
        made: SeriesJson,
        default_character_set: Callable[[], str],
    ) -> None:
        self.is_used = settings.dicom_web.enable_metadata_cache
        self._may_write = self.is_used and not settings.read_only
        self._is_compressed = settings.storage_compression
        self._limit = quota_of(settings).size
        self._read = reads
        self._write = writes
        self._storage = storage
        self._parts = ContentParts(storage)
        self._made = made
        self._default_character_set = default_character_set
        self.options = msgspec.json.encode(
            [settings.dicom_web.other_binary_mode, settings.raw.get("Dictionary")]
        )
        self._tasks: set[asyncio.Task[None]] = set()

    # What is kept

    def state(self, view: Snapshot, series: Resource) -> bytes:
        """What the metadata of a series depend on, as 16 bytes."""
        digest = xxhash.xxh3_128(_FORMAT + self.options + self._default_character_set().encode())
        digest.update(view.numbered(Level.INSTANCE, view.children_packed(series)))
        # Files that are transcoded keep the number of their instance, but not their size.
        digest.update(b"%d" % series.dicom_uncompressed_size)
        return digest.digest()

    async def stream(self, series: Resource, state: bytes) -> AsyncGenerator[bytes] | None:
        """The objects of a series with commas between them, if they are kept: from memory at once,
        from the disk in a thread."""
        attachment = series.attachments.get(METADATA_CACHE)
        if attachment is None or not self.is_used:
            return None
        head = _head(state)
        try:
            if attachment.compressed:
                parts = self._parts.content(attachment)
                first = await asyncio.to_thread(next, parts, b"")
                return _rest_of(first, parts, head) if first.startswith(head) else None
            with self._storage.open(attachment.uuid) as handle:
                first = await _read_part(handle, 0)
        except OrthancError:
            return None  # it has been replaced
        if not first.startswith(head):
            return None
        return self._kept(attachment.uuid, first[len(head) :], len(first))

    async def _kept(self, uuid: str, first: bytes, at: int) -> AsyncGenerator[bytes]:
        yield first
        if at < _STEP:
            return
        with self._storage.open(uuid) as handle:
            size = handle.size
            while at < size:
                part = await _read_part(handle, at)
                yield part
                at += len(part)

    # How it gets there

    async def recorded(
        self, caller: Caller, series: Resource, state: bytes
    ) -> AsyncGenerator[bytes]:
        """The same, made from the files, and kept from now on."""
        parts = self._made.parts(caller, series)
        spool = None
        if self._may_write:
            spool = await asyncio.to_thread(self._new_spool, state)
        comma = b""
        try:
            while (group := await asyncio.to_thread(next, parts, None)) is not None:
                chunk = comma + b",".join(group) if group else b""
                comma = comma or (b"," if group else b"")
                if spool is not None:
                    await asyncio.to_thread(spool.write, chunk)
                yield chunk
            if spool is not None:
                task = asyncio.create_task(self._keep_later(series, spool))
                self._tasks.add(task)  # the loop has only weak references to tasks
                task.add_done_callback(self._tasks.discard)
                spool = None
        finally:
            if spool is not None:
                spool.drop()

    async def _keep_later(self, series: Resource, spool: Spool) -> None:
        await asyncio.to_thread(self._keep, series, spool)

    def _new_spool(self, state: bytes) -> Spool:
        spool = self._storage.new_spool()
        spool.write(_head(state))
        return spool

    def renew(self, series: Resource) -> None:
        """Makes sure that the metadata of a series are kept, in a thread. What goes wrong is
        logged: they are made from the files then."""
        if not self._may_write:
            return
        state = self._read(SERVER, lambda view: self.state(view, series))
        attachment = series.attachments.get(METADATA_CACHE)
        try:
            if attachment is not None and self._is_current(attachment, state):
                return
            spool = self._new_spool(state)
            try:
                parts = filter(None, self._made.parts(SERVER, series))
                for number, group in enumerate(parts):
                    spool.write((b"," if number else b"") + b",".join(group))
            except BaseException:
                spool.drop()
                raise
            self._keep(series, spool)
        except OrthancError as error:
            logger.warning(Category.GENERIC, f"The metadata of a series are not kept: {error}")

    def _is_current(self, attachment: Attachment, state: bytes) -> bool:
        head = _head(state)
        found = b"".join(self._parts.excerpt(attachment, 0, min(len(head), attachment.size)))
        return found == head

    def _keep(self, series: Resource, spool: Spool) -> None:
        """Attaches what has been made. The spool belongs to this method."""
        promise: Future[Any] = Future()
        with spool:
            digest = xxhash.xxh3_128()
            for part in spool.parts(_STEP):
                digest.update(part)
            size = spool.size
            stored = spool
            if self._is_compressed:
                stored = compressed_spool(self._storage, spool.parts(_STEP), size)
            attachment = Attachment(
                str(uuid4()), size, stored.size, self._is_compressed, digest.digest()
            )
            pending = self._storage.new_file(series.public, attachment.uuid, stored)
        self._write.submit(SERVER, _Keep(series.public, attachment, pending, self._limit), promise)
        promise.result(_WRITTEN_WITHIN)


def _head(state: bytes) -> bytes:
    return b"DICOMweb metadata %s\n" % state.hex().encode()


async def _rest_of(first: bytes, parts: Iterator[bytes], head: bytes) -> AsyncGenerator[bytes]:
    yield first[len(head) :]
    while part := await asyncio.to_thread(next, parts, b""):
        yield part


async def _read_part(handle: Handle, at: int) -> bytes:
    size = min(_STEP, max(handle.size - at, 0))
    part = handle.read_now(at, size)
    return await asyncio.to_thread(handle.read, at, size) if part is None else part


class _Keep(FilesWrite):
    """Nothing is deleted to make room for what can be made again."""

    is_quick = False

    def __init__(self, series: bytes, attachment: Attachment, file: Pending, limit: int) -> None:
        super().__init__([file])
        self._series = series
        self._attachment = attachment
        self._limit = limit

    def apply(self, transaction: Transaction) -> Outcome:
        series = transaction.resource(Level.SERIES, self._series)
        room = self._limit - transaction.totals.disk_size
        if series is None or (self._limit and self._attachment.stored_size > room):
            return Outcome()
        return transaction.put_attachment(series, METADATA_CACHE, self._attachment)
