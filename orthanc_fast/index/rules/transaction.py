"""What one durable transaction does to resources, counters and logs, over the tables of any
implementation."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from orthanc_fast.index.contract import DELETIONS, DELETIONS_HEARD, MakeRoom
from orthanc_fast.index.contract import Transaction as Contract
from orthanc_fast.index.rules.records import Records
from orthanc_fast.index.rules.recycling import RecyclingOrder
from orthanc_fast.index.rules.tables import Tables
from orthanc_fast.index.rules.terms import TermWriter
from orthanc_fast.index.series_status import is_complete
from orthanc_fast.index.terms import Terms
from orthanc_fast.model import (
    Attachment,
    Change,
    Export,
    Level,
    NewInstance,
    Outcome,
    Resource,
    Totals,
)
from orthanc_fast.registries import (
    COMPLETED_SERIES,
    DICOM_ATTACHMENT,
    INDEX_IN_SERIES,
    MAIN_DICOM_SEQUENCES,
    NEW_INSTANCE,
    NEW_PATIENT,
    NEW_SERIES,
    NEW_STUDY,
    STABLE_PATIENT,
    STABLE_SERIES,
    STABLE_STUDY,
)

T = TypeVar("T")

NEW = {
    Level.PATIENT: NEW_PATIENT,
    Level.STUDY: NEW_STUDY,
    Level.SERIES: NEW_SERIES,
    Level.INSTANCE: NEW_INSTANCE,
}
_LEVELS = tuple(Level)
STABLE = {
    Level.PATIENT: STABLE_PATIENT,
    Level.STUDY: STABLE_STUDY,
    Level.SERIES: STABLE_SERIES,
}


def run(tables: Tables, terms: Terms, function: Callable[[Contract], T]) -> T:
    """What `function` makes of a transaction over `tables`, which hold all its changes afterwards;
    the caller commits them."""
    transaction = Transaction(tables, terms)
    result = function(transaction)
    transaction.flush()
    return result


class Transaction(Contract):
    """See the contract; records and counters are kept here while it lasts and written at the
    end."""

    def __init__(self, tables: Tables, terms: Terms) -> None:
        self._tables = tables
        self._totals = tables.totals()
        self._records = Records(tables)
        self._terms = TermWriter(tables, terms)
        self._recycling = RecyclingOrder(tables, self._totals)
        self._signatures: dict[str, int] = {}
        self._hears_deletions: bool | None = None  # None: not looked at yet

    @property
    def totals(self) -> Totals:
        return self._totals

    def flush(self) -> None:
        """Writes into the tables what is kept here."""
        self._records.flush()
        self._tables.put_totals(self._totals)

    # Looking

    def resource(self, level: Level, public: bytes) -> Resource | None:
        return self._records.find(((level, public),))[0]

    def resources(self, level: Level, publics: Sequence[bytes]) -> list[Resource | None]:
        return self._records.find([(level, public) for public in publics])

    def resource_of_any_level(self, public: bytes) -> Resource | None:
        found = self._records.find([(level, public) for level in Level])
        return next((resource for resource in found if resource is not None), None)

    def ancestors(self, resource: Resource) -> list[Resource]:
        return self._records.ancestors(resource)

    def oldest_patients(self) -> Iterator[Resource]:
        for resource_id in self._tables.recycling():
            yield from self._records.by_ids((resource_id,))

    def property(self, name: str) -> bytes | None:
        return self._tables.property(name)

    def some_properties(
        self, prefix: str, after: str | None, limit: int, descending: bool = False
    ) -> list[tuple[str, bytes]]:
        return self._tables.some_properties(prefix, after, limit, descending)

    # Storing

    def store_instance(self, new: NewInstance, make_room: MakeRoom | None = None) -> Outcome:
        outcome = Outcome()
        wanted = list(zip(_LEVELS, new.publics, strict=True))
        found = self._records.find(wanted)
        existing = found[Level.INSTANCE]
        if existing is not None:
            outcome.found = True
            if not _replaces(existing, new):
                return outcome
        if make_room is not None:
            freed = make_room(self, new, existing)
            if freed is None:
                outcome.refused = True
                return outcome
            outcome.doomed += freed
        if existing is not None:
            self._delete(existing, outcome, new.received)
        if make_room is not None or existing is not None:  # ancestors may be gone
            found = self._records.find(wanted)
        chain, created = self._complete(found, new)
        instance = chain.pop()
        self._count(instance, chain, created)
        for ancestor in chain:
            self._freshen(ancestor, new.received)
        for resource in reversed(created):
            self.log_change(NEW[resource.level], resource, new.received)
        self._check_completed(chain[Level.SERIES], new)
        outcome.stored = True
        return outcome

    def _complete(
        self, found: list[Resource | None], new: NewInstance
    ) -> tuple[list[Resource], list[Resource]]:
        """The resources from the patient to the instance, and those of them that are new."""
        chain: list[Resource] = []
        created: list[Resource] = []
        for level, known in zip(_LEVELS, found, strict=True):
            if known is None:
                known = self._create(level, new, chain[-1] if chain else None)
                created.append(known)
            chain.append(known)
        return chain, created

    def _create(self, level: Level, new: NewInstance, parent: Resource | None) -> Resource:
        is_instance = level == Level.INSTANCE
        resource = Resource(
            level=level,
            public=new.publics[level],
            id=self._totals.next_id,
            parent=parent.id if parent else 0,
            parent_public=parent.public if parent else b"",
            tags=new.tags[level],
            patient_tags=new.tags[Level.PATIENT] if level == Level.STUDY else {},
            metadata=dict(new.metadata[level]),  # later writes of this transaction change it
            user_metadata={},
            revisions={},
            attachments=dict(new.attachments) if is_instance else {},
            labels=[],
            signature=self._signature(new.signatures[level]),
            counts=[0, 0, 0],
            disk_size=0,
            uncompressed_size=0,
            dicom_disk_size=0,
            dicom_uncompressed_size=0,
            last_update=new.received,
            unstable_since=0,
            protected=False,
            recycling=0,
        )
        self._totals.next_id += 1
        self._totals.resources[level] += 1
        self._records.add(resource, new.image if is_instance else b"")
        self._terms.add(resource)
        return resource

    def _signature(self, text: str) -> int:
        """The number of a main tags signature, a new one if need be."""
        known = self._signatures
        if text not in known:
            known.update((each, number) for number, each in self._tables.signatures().items())
        if text not in known:
            known[text] = max(known.values(), default=0) + 1
            self._tables.put_signature(known[text], text)
        return known[text]

    def _count(self, instance: Resource, chain: list[Resource], created: list[Resource]) -> None:
        """Adds the created resources to the counters of all that stand above them."""
        for resource in created:
            for ancestor in chain[: resource.level]:
                ancestor.counts[resource.level - 1] += 1
        for kind, attachment in instance.attachments.items():
            self._add_sizes([instance, *chain], kind, attachment, 1)

    def _add_sizes(
        self, resources: list[Resource], kind: int, attachment: Attachment, sign: int
    ) -> None:
        """Counts an attachment of the first of `resources` for it and for all above it; -1 takes it
        away."""
        disk, size = sign * attachment.stored_size, sign * attachment.size
        for resource in resources:
            resource.disk_size += disk
            resource.uncompressed_size += size
            if kind == DICOM_ATTACHMENT:
                resource.dicom_disk_size += disk
                resource.dicom_uncompressed_size += size
            self._records.touch(resource)
        self._totals.disk_size += disk
        self._totals.uncompressed_size += size

    def _freshen(self, ancestor: Resource, now: int) -> None:
        """An instance came below: the ancestor is unstable from now on, a patient goes to the
        end of the recycling order."""
        self._terms.set_last_update(ancestor, now)
        if ancestor.unstable_since != now:
            self._set_unstable(ancestor, now)
        if ancestor.level == Level.PATIENT and not ancestor.protected:
            self._recycling.to_end(ancestor)
        self._records.touch(ancestor)

    def _set_unstable(self, resource: Resource, since: int) -> None:
        """`since` 0 makes it stable."""
        if resource.unstable_since:
            self._tables.remove_unstable(resource.unstable_since, resource)
        resource.unstable_since = since
        if since:
            self._tables.add_unstable(since, resource)
        self._records.touch(resource)

    def _check_completed(self, series: Resource, new: NewInstance) -> None:
        """Logs CompletedSeries where this instance makes the strict check succeed: section 4.3."""
        expected = new.expected_in_series
        if expected is None or series.counts[2] != expected:
            return
        instances = self._records.children(series)
        if is_complete([each.metadata.get(INDEX_IN_SERIES) for each in instances], expected):
            self.log_change(COMPLETED_SERIES, series, new.received)

    # Deleting

    def delete(self, level: Level, public: bytes, now: int) -> Outcome:
        outcome = Outcome()
        resource = self.resource(level, public)
        if resource is not None:
            outcome.found = True
            self._delete(resource, outcome, now)
        return outcome

    def _delete(self, resource: Resource, outcome: Outcome, now: int) -> None:
        top, survivors = resource, self.ancestors(resource)
        while survivors and self._tables.count_children(survivors[0].id) == 1:
            top = survivors.pop(0)
        for survivor in survivors:
            self._subtract(survivor, top)
            self._terms.set_last_update(survivor, now)
            self._records.touch(survivor)
        self._totals.disk_size -= top.disk_size
        self._totals.uncompressed_size -= top.uncompressed_size
        if survivors:
            self._tables.unlink(top)
            outcome.remaining = (survivors[0].level, survivors[0].public)
        waiting = [top]
        removed: list[Resource] = []
        while waiting:
            gone = waiting.pop()
            waiting += self._records.children(gone)
            self._remove(gone, outcome)
            removed.append(gone)
        if self._hears_deletions is None:
            self._hears_deletions = self._tables.property(DELETIONS_HEARD) is not None
        if self._hears_deletions:
            self._note_deletions(removed)

    def _subtract(self, survivor: Resource, gone: Resource) -> None:
        """From the counters of an ancestor."""
        survivor.counts = [
            own - lost - (1 if level == gone.level else 0)
            for level, own, lost in zip((1, 2, 3), survivor.counts, gone.counts, strict=True)
        ]
        survivor.disk_size -= gone.disk_size
        survivor.uncompressed_size -= gone.uncompressed_size
        survivor.dicom_disk_size -= gone.dicom_disk_size
        survivor.dicom_uncompressed_size -= gone.dicom_uncompressed_size

    def _note_deletions(self, removed: Sequence[Resource]) -> None:
        for resource in reversed(removed):  # parents have been removed first
            name = f"{DELETIONS}{self._totals.next_change:016x}"
            self._tables.set_property(name, bytes([resource.level]) + resource.public)
            self._totals.next_change += 1

    def _remove(self, resource: Resource, outcome: Outcome) -> None:
        self._records.remove(resource)
        self._terms.remove(resource, lambda: self._records.siblings(resource))
        if resource.unstable_since:
            self._tables.remove_unstable(resource.unstable_since, resource)
        self._recycling.leave(resource)
        self._tables.remove_changes(resource)
        for attachment in resource.attachments.values():
            self._doom(attachment, outcome)
        self._totals.resources[resource.level] -= 1

    def _doom(self, attachment: Attachment, outcome: Outcome) -> None:
        """No resource has the file any more: it is listed until `forget_doomed`."""
        self._tables.put_doomed(attachment.uuid)
        outcome.doomed.append(attachment.uuid)

    def forget_doomed(self, uuids: Sequence[str]) -> None:
        for uuid in uuids:
            self._tables.remove_doomed(uuid)

    # What belongs to a resource

    @contextmanager
    def _editing(self, resource: Resource) -> Iterator[None]:
        """Within it tags, labels and metadata of a resource may be changed: searches and the record
        follow."""
        before = self._terms.keys(resource)
        yield
        self._terms.change(before, resource, lambda: self._records.siblings(resource))
        self._records.touch(resource)

    def put_attachment(self, resource: Resource, kind: int, attachment: Attachment) -> Outcome:
        outcome = Outcome(stored=True)
        chain = [resource, *self.ancestors(resource)]
        old = resource.attachments.get(kind)
        attachment.revision = 0
        if old is not None:
            attachment.revision = old.revision + 1
            self._add_sizes(chain, kind, old, -1)
            self._doom(old, outcome)
        resource.attachments[kind] = attachment
        self._add_sizes(chain, kind, attachment, 1)
        return outcome

    def remove_attachment(self, resource: Resource, kind: int) -> Outcome:
        outcome = Outcome(found=True)
        attachment = resource.attachments.pop(kind)
        self._add_sizes([resource, *self.ancestors(resource)], kind, attachment, -1)
        self._doom(attachment, outcome)
        return outcome

    def set_md5(
        self, resource: Resource, kind: int, md5: str | None, stored_md5: str | None
    ) -> None:
        attachment = resource.attachments[kind]
        attachment.md5, attachment.stored_md5 = md5, stored_md5
        self._records.touch(resource)

    def set_digest(self, resource: Resource, kind: int, digest: bytes) -> None:
        resource.attachments[kind].digest = digest
        self._records.touch(resource)

    def set_metadata(self, resource: Resource, number: int, value: bytes) -> int:
        with self._editing(resource):
            revision = 0
            if number in resource.user_metadata:
                revision = resource.revisions.get(number, 0) + 1
                resource.revisions[number] = revision
            resource.user_metadata[number] = value
        return revision

    def set_builtin_metadata(self, resource: Resource, number: int, text: str) -> None:
        with self._editing(resource):
            resource.metadata[number] = text

    def set_image(self, instance: Resource, image: bytes) -> None:
        self._tables.put_image(instance, image)

    def remove_metadata(self, resource: Resource, number: int) -> None:
        with self._editing(resource):
            del resource.user_metadata[number]
            resource.revisions.pop(number, None)

    def add_label(self, resource: Resource, label: str) -> None:
        if label not in resource.labels:
            with self._editing(resource):
                resource.labels.append(label)

    def remove_label(self, resource: Resource, label: str) -> None:
        if label in resource.labels:
            with self._editing(resource):
                resource.labels.remove(label)

    def set_main_tags(
        self,
        resource: Resource,
        tags: dict[int, str],
        patient_tags: dict[int, str],
        sequences: str | None,
        signature: str,
    ) -> None:
        with self._editing(resource):
            resource.tags = tags
            resource.signature = self._signature(signature)
            if resource.level == Level.STUDY:
                resource.patient_tags = patient_tags
            if sequences is None:
                resource.metadata.pop(MAIN_DICOM_SEQUENCES, None)
            else:
                resource.metadata[MAIN_DICOM_SEQUENCES] = sequences

    def set_protected(self, patient: Resource, protected: bool) -> None:
        if patient.protected == protected:
            return
        patient.protected = protected
        if protected:
            self._recycling.leave(patient)
        else:
            self._recycling.to_end(patient)
        self._records.touch(patient)

    # The store as a whole

    def set_property(self, name: str, value: bytes | None) -> None:
        self._tables.set_property(name, value)

    def stabilise(self, before: int, now: int, at_most: int) -> list[Resource]:
        stable = self._records.by_ids(self._tables.unstable(before, at_most))
        for resource in stable:
            self._set_unstable(resource, 0)
            self.log_change(STABLE[resource.level], resource, now)
        return stable

    def set_stable(self, resource: Resource, is_stable: bool, now: int) -> bool:
        if resource.level == Level.INSTANCE or (not resource.unstable_since) == is_stable:
            return False
        self._set_unstable(resource, 0 if is_stable else now)
        if is_stable:
            self.log_change(STABLE[resource.level], resource, now)
        return True

    def log_change(self, kind: int, resource: Resource, now: int) -> int:
        sequence = self._totals.next_change
        self._totals.next_change += 1
        change = Change(kind, resource.level, resource.public, now)
        self._tables.put_change(sequence, resource, change)
        return sequence

    def clear_changes(self) -> None:
        self._tables.clear_changes()

    def log_export(self, export: Export) -> int:
        sequence = self._totals.next_export
        self._totals.next_export += 1
        self._tables.put_export(sequence, export)
        return sequence

    def clear_exports(self) -> None:
        self._tables.clear_exports()


def _replaces(existing: Resource, new: NewInstance) -> bool:
    if new.overwrite == "Always":
        return True
    if new.overwrite == "IfChanged":
        old, uploaded = (each.attachments.get(DICOM_ATTACHMENT) for each in (existing, new))
        if old is None or uploaded is None:
            return True
        if old.digest:
            return old.digest != uploaded.digest
        return old.md5 is None or old.md5 != uploaded.md5
    return False
