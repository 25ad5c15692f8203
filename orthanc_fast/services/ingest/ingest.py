"""The one way into the store: every door gives its DICOM files here.

A file passes these stages; each stands once, and runs on an event loop, in one of its threads or in
the thread of an association, where the coroutines that they are are never suspended:

    receive     hooks see the bytes: keep, replace or discard them
    transcode   IngestTranscoding
    filter      one pass of the compiled reader; what is there already is left; hooks may discard
    store       hashed, compressed, written and synced with what arrives at the same time, entered
                into the index in their common transaction
    announce    durable: hooks hear of it, then whoever waits
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.identifiers import identify
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.part10 import Buffer, DicomFile, opened_at_once
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import BadFileFormat, BadParameterType, LacksIdentifier
from orthanc_fast.index.contract import Promise
from orthanc_fast.model import Caller, Header, Level, NewInstance
from orthanc_fast.registries import DICOM_ATTACHMENT, UNTIL_PIXEL_DATA_ATTACHMENT
from orthanc_fast.services.ingest.announced import Announced, Noted, Timed
from orthanc_fast.services.ingest.contract import NOBODY, IngestRequest, Stored
from orthanc_fast.services.ingest.files import from_memory, from_spool
from orthanc_fast.services.ingest.hooks import Candidate, Decision, Hooks
from orthanc_fast.services.ingest.records import new_instance
from orthanc_fast.services.ingest.write import StoreWrite
from orthanc_fast.services.retention.recycling import quota_of
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.visibility import restricted
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.storage.contract import Content, Pending, Spool, Storage

T = TypeVar("T")

# Bodies in memory up to so many bytes pass the stages in the event loop itself, in at most a
# millisecond or two; to hand a body over to a thread costs a tenth of one.
QUICK = 4 << 20
QUICK_COMPRESSION = 128 << 10
QUICK_SCRIPTED = 1 << 20  # where a script is asked, which may see all of the file
SCRIPTED = 64  # threads at most where scripts are asked; made as they are needed

_EMPTY = "Received an empty DICOM file"

# The write that stores a file, or what became of it where nothing is to be stored. Both know the
# identifiers, as `publics`.
Prepared = StoreWrite | Stored

Noting = Callable[[Caller, NewInstance], None]


class Ingest:
    """Accepts files; one per process. Its methods may be called from any thread, but `store`."""

    def __init__(
        self,
        settings: Settings,
        reads: Reads,
        storage: Storage,
        writes: Writes,
        main_tags: MainTags,
        dictionary: Dictionary,
        default_character_set: Callable[[], str],
        transcode: Callable[[Buffer], bytes | None] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """`loop` is the event loop of this process; None where threads wait for promises."""
        self.hooks = Hooks()
        self.took: Callable[[float], None] = lambda seconds: None  # told of each that is stored
        self.noted: Noting | None = None  # told who has stored what
        self._settings = settings
        self._read = reads
        self._storage = storage
        self._writes = writes
        self._main_tags = main_tags
        self._dictionary = dictionary
        self._signatures = main_tags.signatures
        quota = quota_of(settings)
        self._make_room = quota.room_for_instance if quota.is_limited else None
        self._default_character_set = default_character_set
        self._transcode = transcode
        self._loop = loop
        self._quick = QUICK_COMPRESSION if settings.storage_compression else QUICK
        # Who waits for a script needs no processor, and the script may upload something itself.
        threads = os.cpu_count() if settings.scripting is None else SCRIPTED
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="ingest")

    def new_spool(self) -> Spool:
        """For a body that is too large for memory. Raises FullStorage or StorageFault."""
        return self._storage.new_spool()

    async def store(self, request: IngestRequest) -> Stored:
        """Stores one DICOM file; returns when it would survive a power cut.

        Raises what the reader refuses (BadFileFormat, InexistentTag, BadParameterType), what a hook
        raises, FullStorage, StorageFault, or what `restricted` raises of the caller.
        """
        assert self._loop is not None
        began = perf_counter()
        body = _Body(request)
        if self._is_quick(body):
            prepared = await self._prepared(body, request, True)
        else:
            run = self._loop.run_in_executor
            prepared = await run(self._threads, self._prepared_now, body, request)
        promise = self._loop.create_future()
        self._commit(prepared, request.caller, promise)
        stored: Stored = await promise
        self.took(perf_counter() - began)
        return stored

    def submit(self, request: IngestRequest, promise: Promise) -> None:
        """The same for a thread: what must not be stored is raised at once, the promise gets the
        rest."""
        self.commit(self.prepare(request), request.caller, promise)

    def prepare(self, request: IngestRequest) -> Prepared:
        """The first half of `submit`, which raises: all that comes before anything is written."""
        return self._prepared_now(_Body(request), request)

    def commit(self, prepared: Prepared, caller: Caller, promise: Promise) -> None:
        """The second half, by whose promise the rest is told."""
        self._commit(prepared, caller, Timed(promise, self.took))

    def close(self) -> None:
        """Waits for what is under way."""
        self._threads.shutdown()

    def _is_quick(self, body: "_Body") -> bool:
        hooks = self.hooks
        if hooks.receivers or hooks.filters or self._transcode is not None:
            return False
        if body.spool is not None or not self._read.in_place or len(body.data) > self._quick:
            return False
        if len(body.data) > QUICK_SCRIPTED and hooks.may_refuse:
            return False
        # A deflated data set may be a thousand times as large as its file.
        return body.open_at_once()

    def _commit(self, prepared: Prepared, caller: Caller, promise: Promise) -> None:
        if isinstance(prepared, Stored):
            promise.set_result(prepared)
            return
        if self.noted is not None:
            promise = Noted(promise, partial(self.noted, caller, prepared.new))
        if self.hooks.announcements:
            wake = None if self._loop is None else self._loop.call_soon_threadsafe
            promise = Announced(promise, self.hooks.announcements, caller, self._threads, wake)
        self._writes.submit(caller, prepared, promise)

    def _prepared_now(self, body: "_Body", request: IngestRequest) -> Prepared:
        """As `_prepared`, in a thread that waits itself."""
        return result_of(self._prepared(body, request, False))

    async def _prepared(self, body: "_Body", request: IngestRequest, in_loop: bool) -> Prepared:
        """The write that stores the file, or what became of it where nothing is to be stored.
        Nothing suspends it but scripts that are asked `in_loop`, and what follows from that."""
        try:
            prepared = await restricted(request.caller, self._passed)(body, request, in_loop)
        except BaseException:
            body.drop()
            raise
        if isinstance(prepared, Stored):
            body.drop()
        return prepared

    async def _passed(self, body: "_Body", request: IngestRequest, in_loop: bool) -> Prepared:
        body.open()
        if not await self._receive(body, request.caller, in_loop):
            return Stored("FilteredOut", self._discarded(body))
        if in_loop and body.opened is None and not self._is_quick(body):  # a script's own bytes
            assert self._loop is not None
            run = self._loop.run_in_executor
            return await run(self._threads, lambda: result_of(self._examined(body, request, False)))
        return await self._examined(body, request, in_loop)

    async def _examined(self, body: "_Body", request: IngestRequest, in_loop: bool) -> Prepared:
        if self._transcode is not None and request.may_transcode:
            body.replace(self._transcode(body.data))
        header = read_header(
            body.data if body.opened is None else body.opened,
            self._main_tags,
            self._dictionary,
            self._default_character_set(),
        )
        if request.examine is not None:
            request.examine(header)
        publics = identify(header)
        overwrite = request.overwrite or self._settings.overwrite_instances
        stored = Stored("Success", publics, header.sop_class, header.sop_uid)
        is_left = overwrite == "Never" and not request.labels_known
        if is_left and self._is_known(request.caller, publics):
            return msgspec.structs.replace(stored, status="AlreadyStored")
        if self.hooks.may_refuse:
            candidate = Candidate(body.data, header, publics, request.caller)
            if not await self._filter(candidate, in_loop):
                return msgspec.structs.replace(stored, status="FilteredOut")
        new = new_instance(header, publics, self._signatures, request.caller, overwrite)
        md5 = self._md5_to_compare(request.caller, new, body)
        files = self._files(new, header, body, request.is_cold)
        if md5 is not None:
            new.attachments[DICOM_ATTACHMENT].md5 = md5
        return StoreWrite(new, files, stored, self._make_room, request)

    def _discarded(self, body: "_Body") -> tuple[bytes, bytes, bytes, bytes]:
        """Where a file would have been: Orthanc names the parents in its answer, and refuses what
        is no DICOM file. Raises BadFileFormat."""
        try:
            header = read_header(
                body.data, self._main_tags, self._dictionary, self._default_character_set()
            )
        except (LacksIdentifier, BadParameterType):
            return NOBODY
        patient, study, series, _ = identify(header)
        return patient, study, series, b""

    async def _receive(self, body: "_Body", caller: Caller, in_loop: bool) -> bool:
        """False if a hook discards the file."""
        hooks = self.hooks
        for receiver in hooks.receivers:
            if not body.obey(receiver(body.data, caller)):
                return False
        if hooks.scripts is None or not hooks.scripts.may_refuse:
            return True
        return body.obey(await hooks.scripts.receive(body.data, caller, in_loop))

    def _is_known(self, caller: Caller, publics: tuple[bytes, bytes, bytes, bytes]) -> bool:
        instance = publics[Level.INSTANCE]
        return self._read(caller, lambda snapshot: snapshot.exists(Level.INSTANCE, instance))

    def _md5_to_compare(self, caller: Caller, new: NewInstance, body: "_Body") -> str | None:
        """The MD5 of the file where one that another server has stored is there already, and has no
        other checksum by which it can be told whether it has changed."""
        if new.overwrite != "IfChanged" or not self._settings.store_dicom:
            return None
        instance = new.publics[Level.INSTANCE]
        found = self._read(caller, lambda view: view.resource(Level.INSTANCE, instance))
        old = None if found is None else found.attachments.get(DICOM_ATTACHMENT)
        if old is None or old.digest or old.md5 is None:
            return None
        return hashlib.md5(body.data, usedforsecurity=False).hexdigest()

    async def _filter(self, candidate: Candidate, in_loop: bool) -> bool:
        """False if a hook discards the file."""
        scripts = self.hooks.scripts
        return all(keeps(candidate) for keeps in self.hooks.filters) and (
            scripts is None or await scripts.keeps(candidate, in_loop)
        )

    def _files(
        self, new: NewInstance, header: Header, body: "_Body", is_cold: bool
    ) -> list[Pending]:
        """The files to be written, with their attachments entered into `new`."""
        if not self._settings.store_dicom:
            body.drop()
            return []
        owner = new.publics[Level.INSTANCE]
        compressed = self._settings.storage_compression
        if body.spool is None:
            attachment, file = from_memory(self._storage, owner, body.data, compressed, is_cold)
        else:
            attachment, file = from_spool(self._storage, owner, body.spool, compressed)
        new.attachments[DICOM_ATTACHMENT] = attachment
        if not compressed or header.pixel_data_offset is None:
            return [file]
        head = memoryview(body.data)[: header.pixel_data_offset]
        try:
            attachment, head_file = from_memory(self._storage, owner, head, compressed)
        except BaseException:
            file.drop()
            raise
        new.attachments[UNTIL_PIXEL_DATA_ATTACHMENT] = attachment
        return [file, head_file]


def result_of(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives that is never suspended."""
    try:
        work.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    work.close()
    raise RuntimeError("a coroutine waits where there is no event loop")


class _Body:
    """The bytes on their way through the stages, and the spool that holds them if there is one.
    `opened` is what was learnt of them by who had to look before the reader does."""

    __slots__ = ("data", "opened", "spool")

    def __init__(self, request: IngestRequest) -> None:
        given = request.data
        self.spool = given if isinstance(given, Spool) else None
        self.data: Content = b"" if isinstance(given, Spool) else given
        self.opened: Buffer | DicomFile | None = None

    def open_at_once(self) -> bool:
        """False where they are deflated."""
        self.opened = opened_at_once(self.data)
        return self.opened is not None

    def open(self) -> None:
        """Looks into the spool. Raises BadFileFormat if there are no bytes, FullStorage or
        StorageFault if they could not be written."""
        if self.spool is not None:
            self.data = self.spool.buffer()
        if not len(self.data):
            raise BadFileFormat(_EMPTY)

    def obey(self, decision: Decision | bytes) -> bool:
        """Goes on with the bytes that somebody wants in their place; False where he wants none."""
        if decision is Decision.DISCARD:
            return False
        if not isinstance(decision, Decision):
            self.replace(decision)
        return True

    def replace(self, data: bytes | None) -> None:
        """Goes on with other bytes, if there are any."""
        if data is not None:
            self.drop()
            self.data = data
            self.opened = None

    def drop(self) -> None:
        """The spool is not needed any longer."""
        if self.spool is not None:
            self.spool.drop()
            self.spool = None
