"""The job that modifies or anonymizes resources: each instance becomes a new one, which is stored.

Doing it twice changes nothing: new identifiers follow from the order, and what is stored already
counts as done. Source: reference chapter 3, sections 3.2.7, 3.2.9, 3.4 and 3.10.
"""

import time
from collections import Counter, deque
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import Level, Resource, timestamp
from orthanc_fast.registries import ANONYMIZED_FROM, MODIFIED_FROM, RECEPTION_DATE
from orthanc_fast.services.administration.reconstruct import Reading, SetTags
from orthanc_fast.services.attachments.reading import dicom_attachment, opened
from orthanc_fast.services.ingest.contract import IngestRequest, MadeFrom, Spool, Stored
from orthanc_fast.services.ingest.ingest import Ingest, Prepared
from orthanc_fast.services.ingest.write import StoreWrite
from orthanc_fast.services.jobs.contract import Kind, Run
from orthanc_fast.services.modification.apply import Modifier
from orthanc_fast.services.modification.files import Files
from orthanc_fast.services.modification.identifiers import Identifiers
from orthanc_fast.services.modification.identifiers import Kind as Identifier
from orthanc_fast.services.modification.modification import Modification
from orthanc_fast.services.modification.not_judged import told
from orthanc_fast.services.modification.orders import KIND, Order, decode_order
from orthanc_fast.services.modification.outputs import output, outputs
from orthanc_fast.services.modification.plan import KIND_OF_KEY, Plan
from orthanc_fast.services.modification.request import KEYS, PATIENT_ID
from orthanc_fast.services.modification.sources import Publics, Source, Sources
from orthanc_fast.services.retention.deletion import Delete
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.storage.contract import Content, Storage

CANNOT_STORE: Final = 2018

# Instances that are on their way into the store at the same time. Half of them share a commit,
# while the others are made.
_IN_FLIGHT: Final = 32
_BYTES_IN_FLIGHT: Final = 8 << 20
_DELETED_AT_ONCE: Final = 64


class _Memory(msgspec.Struct):
    """What is remembered: since when the job works in place, and, once all is stored, the new
    identifiers and how many instances failed."""

    since: int = 0
    stored: list[tuple[bytes, bytes, bytes, bytes]] | None = None
    failed: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Memory).decode


class _Waiting(Future[Stored]):
    """An instance that is being stored. The thread does not wait for it at once: others shall join
    its commit."""

    is_awaited = False

    def __init__(self, data: Content | Spool, prepared: Prepared) -> None:
        super().__init__()
        self.data = data
        self.prepared = prepared
        self.size = 0 if isinstance(data, Spool) else len(data)


class ModificationJob(Kind):
    """Jobs of one process."""

    name = KIND

    def __init__(
        self,
        settings: Settings,
        reads: Reads,
        writes: Writes,
        storage: Storage,
        ingest: Ingest,
        main_tags: MainTags,
        dictionary: Dictionary,
        modification: Modification,
    ) -> None:
        self.settings = settings
        self.read = reads
        self.writes = writes
        self.storage = storage
        self.ingest = ingest
        self.main_tags = main_tags
        self.dictionary = dictionary
        self.modification = modification

    def run(self, run: Run) -> None:
        Running(self, run, decode_order(run.payload)).all()

    def give_up(self, run: Run) -> None:
        """Jobs of lists tell what they have made when all is there; now they tell what there is."""
        if run.announced:
            made = [
                source for some in Sources(self.read, run.caller, run.announced) for source in some
            ]
            run.tell(Resources=outputs([each.publics for each in made if each is not None]))


class Running:
    """One run of one job. What other jobs do in their own way they override."""

    def __init__(self, kind: ModificationJob, run: Run, order: Order) -> None:
        self._kind = kind
        self._run = run
        self._order = order
        self._memory = _Memory() if run.recalled is None else _decode(run.recalled)
        self._plan = self._planned()
        self._sources = Sources(kind.read, run.caller, order.instances)
        syntax = self._plan.asked.transcode
        self._files = Files(kind.settings, kind.ingest, kind.dictionary, syntax)
        self._ready: list[_Waiting] = []
        self._waiting: deque[_Waiting] = deque()
        self._stored: list[Publics] = list(self._memory.stored or ())
        self._done = 0
        self._total = order.count + (1 if order.keep_source else 2)
        self._failed = self._memory.failed
        self._has_output = False
        self._bytes = 0
        self._not_judged: Counter[str] = Counter()

    def _planned(self) -> Plan:
        asked = self._kind.modification.asked(self._order.body, self._order.is_anonymization)
        return self._kind.modification.plan(asked, self._order.level, self._order.patient_name)

    def all(self) -> None:
        if self._memory.stored is None:
            self._begin_in_place()
            try:
                self._store_all()
            finally:
                self._settle(0)
            self._refresh_parents()
        self._tell_outputs()
        if not self._order.keep_source:
            self._remember(stored=self._stored)
            self._delete_sources()
        if self._plan.is_judged:
            self._run.tell(NotJudged=told(self._not_judged))
        self._run.tell(FailedInstancesCount=self._failed)

    # Storing

    def _store_all(self) -> None:
        modifier = self._kind.modification.modifier(self._plan, self._identifiers())
        self._look_at_all(modifier)
        for sources in self._sources:
            for source in sources:
                self._run.step(self._done, self._total)
                try:
                    if source is None:
                        raise UnknownResource
                    if not self._is_done_in_place(source):
                        self._store(modifier, source)
                except OrthancError as error:
                    self._fail(error)
                    self._done += 1
                # Where the result is must be told as soon as there is some of it.
                is_told = self._has_output or self._order.is_list
                self._settle(_IN_FLIGHT if is_told else 0)
        self._settle(0)

    def _look_at_all(self, modifier: Modifier) -> None:
        """What identifies may stand in one data set, and the text that mentions it in another."""
        if not self._plan.cleans:
            return
        for sources in self._sources:
            for source in sources:
                self._run.step(self._done, self._total)
                with suppress(OrthancError):  # which is told when its turn comes
                    if source is not None:
                        file = opened(self._kind.storage, dicom_attachment(source.instance))
                        modifier.look_at(file)

    def _store(self, modifier: Modifier, source: Source) -> None:
        old = opened(self._kind.storage, dicom_attachment(source.instance))
        modified = modifier.modified(old)
        self._not_judged.update(modified.not_judged)
        data = self._files.file(modified)
        try:
            prepared = self._kind.ingest.prepare(
                IngestRequest(
                    caller=self._run.caller,
                    data=data,
                    made_from=self._made_from(source),
                    labels=source.labels if self._plan.asked.keep_labels else {},
                    may_transcode=self._plan.asked.transcode is None,
                    is_cold=True,
                )
            )
        except BaseException:
            self._files.give_back(data)
            raise
        self._ready.append(_Waiting(data, prepared))
        self._bytes += self._ready[-1].size

    def _made_from(self, source: Source) -> MadeFrom | None:
        number = ANONYMIZED_FROM if self._order.is_anonymization else MODIFIED_FROM
        return MadeFrom(number, source.publics)

    def _settle(self, left: int) -> None:
        """Waits until no more than `left` instances, and few enough bytes, are on their way; in the
        order in which they came."""
        error: OrthancError | None = None
        size = sum(each.size for each in self._ready)
        if len(self._ready) > left // 2 or size >= _BYTES_IN_FLIGHT // 2:
            self._commit()
        while len(self._waiting) > left or (self._waiting and self._bytes > _BYTES_IN_FLIGHT):
            waiting = self._waiting.popleft()
            self._bytes -= waiting.size
            self._done += 1
            try:
                self._take(waiting.result())
            except OrthancError as failure:
                try:
                    self._fail(failure)
                except OrthancError as stopping:
                    error = error or stopping
            finally:
                self._files.give_back(waiting.data)
        if error is not None:
            raise error

    def _commit(self) -> None:
        """What is ready is stored, together."""
        ready, self._ready = self._ready, []
        try:
            if self._order.is_list:  # else the first one tells where the result is
                new = [each.prepared for each in ready if isinstance(each.prepared, StoreWrite)]
                self._run.announce(b"".join(each.publics[Level.INSTANCE] for each in new))
        except BaseException:
            for each in ready:
                if isinstance(each.prepared, StoreWrite):
                    each.prepared.withdraw()
            raise
        for waiting in ready:
            self._waiting.append(waiting)
            self._kind.ingest.commit(waiting.prepared, self._run.caller, waiting)

    def _take(self, stored: Stored) -> None:
        if stored.status not in ("Success", "AlreadyStored"):
            raise OrthancError(code=CANNOT_STORE)
        self._stored.append(stored.publics)
        if not self._has_output and not self._order.is_list:
            self._has_output = True
            self._tell_output(stored.publics)

    def _fail(self, error: OrthancError) -> None:
        """One instance could not be made: as Orthanc, the job does not say which one or why."""
        if not self._order.permissive:
            raise OrthancError(code=error.code) from error
        self._failed += 1
        self._run.tell(FailedInstancesCount=self._failed)

    def _identifiers(self) -> Identifiers:
        """Those that the request sets itself hold for references to all sources."""
        identifiers = Identifiers(self._order.secret)
        given = self._plan.given if self._order.is_anonymization else {}
        if given:
            for sources in self._sources:
                for source in sources:
                    for tag, new in given.items():
                        kind = KIND_OF_KEY[tag]
                        if source is not None and kind is not Identifier.INSTANCE:
                            old = source.line[int(kind)].tags.get(tag, "")
                            identifiers.give(kind, old.encode("latin-1", "ignore"), new)
        return identifiers

    # In place

    def _begin_in_place(self) -> None:
        """Where the new instances take the place of the old ones, the job must know after a pause
        which it has done: doing them again would map what is mapped."""
        asked = self._plan.asked
        if KEYS - {PATIENT_ID} <= asked.kept and not self._memory.since:
            self._remember(since=int(time.time()))

    def _is_done_in_place(self, source: Source) -> bool:
        since = self._memory.since
        if not since or self._run.recalled is None:
            return False
        number = ANONYMIZED_FROM if self._order.is_anonymization else MODIFIED_FROM
        metadata = source.instance.metadata
        if metadata.get(number) != to_text(source.instance.public):
            return False
        if metadata.get(RECEPTION_DATE, "") < timestamp(since):
            return False
        self._done += 1
        self._stored.append(source.publics)
        return True

    def _remember(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self._memory, name, value)
        self._memory.failed = self._failed
        self._run.remember(_encode(self._memory))

    # At the end

    def _refresh_parents(self) -> None:
        """One new instance of each series gives its tags to what stands above it."""
        self._run.step(self._order.count, self._total)
        firsts = {publics[Level.SERIES]: publics for publics in reversed(self._stored)}
        readings = [
            reading
            for source in self._sources.of([each[Level.INSTANCE] for each in firsts.values()])
            if source is not None and (reading := self._reading(source.instance)) is not None
        ]
        if readings:
            self._write(SetTags(readings, self._kind.main_tags.signatures, None))

    def _reading(self, instance: Resource) -> Reading | None:
        try:
            attachment = dicom_attachment(instance)
            data = opened(self._kind.storage, attachment)
            header = read_header(
                data,
                self._kind.main_tags,
                self._kind.dictionary,
                self._kind.modification.default_character_set(),
            )
        except OrthancError:
            return None  # it was deleted meanwhile
        return Reading(instance.public, attachment.uuid, header)

    def _delete_sources(self) -> None:
        kept = {publics[Level.INSTANCE] for publics in self._stored}
        sources = [each for each in unpack(self._order.instances) if each not in kept]
        for start in range(0, len(sources), _DELETED_AT_ONCE):
            self._run.step(self._total - 1, self._total)
            part = sources[start : start + _DELETED_AT_ONCE]
            self._write(Delete([(Level.INSTANCE, public) for public in part]))

    def _write(self, write: Any) -> None:
        promise: Future[Any] = Future()
        self._kind.writes.submit(self._run.caller, write, promise)
        promise.result()

    # What clients see

    def _tell_outputs(self) -> None:
        if self._order.is_list:
            self._run.tell(Resources=outputs(self._stored))
        elif self._stored:
            self._tell_output(self._stored[0])

    def _tell_output(self, publics: Publics) -> None:
        level = self._order.level
        assert level is not None
        made = output(level, publics[level])
        self._run.tell(**made, PatientID=to_text(publics[Level.PATIENT]))
