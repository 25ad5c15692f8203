"""The job that modifies or anonymizes resources: each instance becomes a new one, which is stored.

Doing it twice changes nothing: new identifiers follow from the order, and what is stored already
counts as done. Source: reference chapter 3, sections 3.2.7, 3.2.9, 3.4 and 3.10.
"""

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import NotImplementedYet, OrthancError, UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SHA1, Level, Resource, timestamp
from orthanc_fast.registries import ANONYMIZED_FROM, MODIFIED_FROM, RECEPTION_DATE
from orthanc_fast.services.administration.reconstruct import Reading, SetTags
from orthanc_fast.services.attachments.reading import dicom_attachment, opened
from orthanc_fast.services.browse.describe import PLURALS
from orthanc_fast.services.ingest.contract import IngestRequest, MadeFrom, Spool, Stored
from orthanc_fast.services.ingest.ingest import Ingest
from orthanc_fast.services.jobs.contract import Kind, Run
from orthanc_fast.services.modification.apply import Modified, Modifier
from orthanc_fast.services.modification.buffers import Buffers
from orthanc_fast.services.modification.identifiers import Identifiers
from orthanc_fast.services.modification.identifiers import Kind as Identifier
from orthanc_fast.services.modification.modification import Modification
from orthanc_fast.services.modification.not_judged import told
from orthanc_fast.services.modification.orders import KIND, LEVEL_NAMES, Order, decode_order
from orthanc_fast.services.modification.plan import KIND_OF_KEY, Plan
from orthanc_fast.services.modification.request import KEYS, PATIENT_ID
from orthanc_fast.services.retention.deletion import Delete
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.storage.contract import Content, Storage

CANNOT_STORE: Final = 2018

# Instances that are on their way into the store at the same time: they share a commit.
_IN_FLIGHT: Final = 32
_BYTES_IN_FLIGHT: Final = 8 << 20
_RECORDS_AT_ONCE: Final = 128
_DELETED_AT_ONCE: Final = 64

Publics = tuple[bytes, bytes, bytes, bytes]


class _Memory(msgspec.Struct):
    """What is remembered: since when the job works in place, and, once all is stored, the new
    identifiers and how many instances failed."""

    since: int = 0
    stored: list[tuple[bytes, bytes, bytes, bytes]] | None = None
    failed: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Memory).decode


class Source(msgspec.Struct, frozen=True):
    """One instance and what stands above it, patient first."""

    line: tuple[Resource, Resource, Resource, Resource]

    @property
    def instance(self) -> Resource:
        return self.line[Level.INSTANCE]

    @property
    def publics(self) -> Publics:
        patient, study, series, instance = self.line
        return patient.public, study.public, series.public, instance.public


class _Waiting(Future[Stored]):
    """An instance that is being stored. The thread does not wait for it at once: others shall join
    its commit."""

    is_awaited = False

    def __init__(self, data: Content | Spool) -> None:
        super().__init__()
        self.data = data
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


class Running:
    """One run of one job. What other jobs do in their own way they override."""

    def __init__(self, kind: ModificationJob, run: Run, order: Order) -> None:
        self._kind = kind
        self._run = run
        self._order = order
        self._memory = _Memory() if run.recalled is None else _decode(run.recalled)
        self._plan = self._planned()
        self._waiting: deque[_Waiting] = deque()
        self._buffers = Buffers()
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
        for sources in self._sources():
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
        for sources in self._sources():
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
        data = self._file(modified)
        request = IngestRequest(
            caller=self._run.caller,
            data=data,
            made_from=self._made_from(source),
            labels=_labels(source) if self._plan.asked.keep_labels else {},
            may_transcode=self._plan.asked.transcode is None,
        )
        waiting = _Waiting(data)
        try:
            self._kind.ingest.submit(request, waiting)
        except BaseException:
            self._buffers.give_back(data)
            raise
        self._bytes += waiting.size
        self._waiting.append(waiting)

    def _made_from(self, source: Source) -> MadeFrom | None:
        number = ANONYMIZED_FROM if self._order.is_anonymization else MODIFIED_FROM
        return MadeFrom(number, source.publics)

    def _file(self, modified: Modified) -> Content | Spool:
        """The new file, transcoded where that was asked for and can be done; a large one as a
        spool."""
        is_small = modified.size <= self._kind.settings.maximum_upload_memory_mb << 20
        if self._plan.asked.transcode is None:
            if is_small:
                return self._buffers.joined(modified.parts, modified.size)
            return self._spool(modified.parts)
        if is_small:
            data = modified.data
            return self._transcoded(data) or data
        spool = self._spool(modified.parts)
        try:
            transcoded = self._transcoded(spool.buffer())
        except BaseException:
            spool.drop()
            raise
        if transcoded is None:
            return spool
        spool.drop()
        return self._spool([transcoded])

    def _spool(self, parts: Sequence[Buffer]) -> Spool:
        spool = self._kind.ingest.new_spool()
        for part in parts:
            spool.write(memoryview(part))
        return spool

    def _transcoded(self, data: Buffer) -> bytes | None:
        """None for what cannot be transcoded."""
        uid = self._plan.asked.transcode
        assert uid is not None
        quality = self._kind.settings.dicom_lossy_transcoding_quality
        try:
            return transcode(data, uid, quality, self._kind.dictionary, keeps_identity=True).data
        except NotImplementedYet:
            return None

    def _settle(self, left: int) -> None:
        """Waits until no more than `left` instances, and few enough bytes, are on their way; in the
        order in which they came."""
        error: OrthancError | None = None
        while len(self._waiting) > left or self._bytes > _BYTES_IN_FLIGHT:
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
                self._buffers.give_back(waiting.data)
        if error is not None:
            raise error

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

    # What there is

    def _sources(self) -> Iterator[list[Source | None]]:
        """All instances of the order, ascending, None for those that are gone."""
        step = _RECORDS_AT_ONCE * SHA1
        for start in range(0, len(self._order.instances), step):
            yield self._lines(list(unpack(self._order.instances[start : start + step])))

    def _lines(self, publics: Sequence[bytes]) -> list[Source | None]:
        def read(view: Snapshot) -> list[Source | None]:
            records = view.resources(Level.INSTANCE, publics)
            present = [each for each in records if each is not None]
            above = iter(view.ancestors_of(present))
            found: list[Source | None] = []
            for instance in records:
                if instance is None:
                    found.append(None)
                    continue
                series, study, patient = next(above)
                found.append(Source((patient, study, series, instance)))
            return found

        return self._kind.read(self._run.caller, read)

    def _identifiers(self) -> Identifiers:
        """Those that the request sets itself hold for references to all sources."""
        identifiers = Identifiers(self._order.secret)
        given = self._plan.given if self._order.is_anonymization else {}
        if given:
            for sources in self._sources():
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
            for source in self._lines([each[Level.INSTANCE] for each in firsts.values()])
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
            self._run.tell(Resources=_outputs(self._stored))
        elif self._stored:
            self._tell_output(self._stored[0])

    def _tell_output(self, publics: Publics) -> None:
        level = self._order.level
        assert level is not None
        public = to_text(publics[level])
        self._run.tell(
            ID=public,
            Path=f"/{PLURALS[level]}/{public}",
            PatientID=to_text(publics[Level.PATIENT]),
            Type=LEVEL_NAMES[level],
        )


def _labels(source: Source) -> dict[Level, list[str]]:
    return {level: source.line[level].labels for level in Level if source.line[level].labels}


def _outputs(stored: Sequence[Publics]) -> list[dict[str, str]]:
    """All that the new instances belong to: instances first, by identifier."""
    found: list[dict[str, str]] = []
    for level in reversed(Level):
        for public in sorted({publics[level] for publics in stored}):
            text = to_text(public)
            path = f"/{PLURALS[level]}/{text}"
            found.append({"ID": text, "Path": path, "Type": LEVEL_NAMES[level]})
    return found
