"""Changing the index: what one durable transaction does to resources, counters and the change
log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from orthanc_fast.errors import StorageFault
from orthanc_fast.index.lmdb import keys
from orthanc_fast.index.lmdb.change_log import ChangeLog
from orthanc_fast.index.lmdb.environment import Environment, WriteTransaction
from orthanc_fast.index.lmdb.records import encoder, resource_decoder, totals_decoder
from orthanc_fast.index.lmdb.recycling import RecyclingOrder
from orthanc_fast.index.lmdb.signatures import Signatures
from orthanc_fast.index.series_status import is_complete
from orthanc_fast.index.terms import Terms, TermWriter
from orthanc_fast.model import Attachment, Level, NewInstance, Outcome, Resource, Totals
from orthanc_fast.registries import DICOM_ATTACHMENT, INDEX_IN_SERIES, MAIN_DICOM_SEQUENCES

COMPLETED_SERIES = 1
NEW = {Level.INSTANCE: 2, Level.PATIENT: 3, Level.SERIES: 4, Level.STUDY: 5}
STABLE = {Level.PATIENT: 12, Level.STUDY: 13, Level.SERIES: 14}


MakeRoom = Callable[["Transaction", NewInstance, Resource | None], list[str] | None]


class Transaction:
    """One LMDB write transaction; records are read once, kept here while it lasts and written at
    the end."""

    def __init__(self, env: Environment, txn: WriteTransaction, terms: Terms) -> None:
        self._env = env
        self._txn = txn
        self._terms = TermWriter(env, txn, terms)
        self._records: dict[int, Resource] = {}
        self._ids: dict[bytes, int] = {}
        self._touched: set[int] = set()
        found = txn.get(b"totals", db=env.globals)
        self.totals = Totals() if found is None else totals_decoder.decode(found)
        self._signatures = Signatures(env, txn)
        self._changes = ChangeLog(env, txn, self.totals)
        self.recycling = RecyclingOrder(env, txn, self.totals)

    def flush(self) -> None:
        """Writes what is kept here into the LMDB transaction; the caller commits it."""
        put = self._txn.put
        for resource_id in self._touched:
            record = encoder.encode(self._records[resource_id])
            put(keys.pack_id(resource_id), record, db=self._env.resource)
        self._touched.clear()
        put(b"totals", encoder.encode(self.totals), db=self._env.globals)

    # Lookup within the transaction

    def resource(self, level: Level, public: bytes) -> Resource | None:
        """The resource as it is now, changes of this transaction included."""
        key = keys.public_key(level, public)
        resource_id = self._ids.get(key)
        if resource_id is None:
            found = self._txn.get(key, db=self._env.public)
            if found is None:
                return None
            resource_id = self._ids[key] = keys.unpack_id(found)
        return self.by_id(resource_id)

    def resource_of_any_level(self, public: bytes) -> Resource | None:
        """As `resource`, searched from the patients down."""
        for level in Level:
            found = self.resource(level, public)
            if found is not None:
                return found
        return None

    def by_id(self, resource_id: int) -> Resource:
        """The resource with this internal id; raises StorageFault if there is none."""
        record = self._records.get(resource_id)
        if record is None:
            found = self._txn.get(keys.pack_id(resource_id), db=self._env.resource)
            if found is None:
                raise StorageFault(f"the index has lost the record of resource {resource_id}")
            record = self._records[resource_id] = resource_decoder.decode(found)
        return record

    def ancestors(self, resource: Resource) -> list[Resource]:
        """Parent first."""
        found = []
        while resource.parent:
            resource = self.by_id(resource.parent)
            found.append(resource)
        return found

    # Storing

    def store_instance(self, new: NewInstance, make_room: MakeRoom | None = None) -> Outcome:
        """Adds the instance and whatever ancestors it lacks, with their changes, counters and
        terms.

        An instance that is there already is left alone or replaced as `new.overwrite` says; then
        `Outcome.doomed` names the files it had. `make_room` is called, with the instance that will
        be replaced, before anything is changed; it returns the files of what it has deleted, or
        None for no room: then `Outcome.refused` is True and nothing else has happened.
        """
        outcome = Outcome()
        existing = self.resource(Level.INSTANCE, new.publics[Level.INSTANCE])
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
        created: list[Resource] = []
        parent: Resource | None = None
        chain: list[Resource] = []
        for level in Level:
            resource = None if level == Level.INSTANCE else self.resource(level, new.publics[level])
            if resource is None:
                resource = self._create(level, new, parent)
                created.append(resource)
            chain.append(resource)
            parent = resource
        instance = chain.pop()
        self._count(instance, chain, created)
        for ancestor in chain:
            self._freshen(ancestor, new.received)
        for resource in reversed(created):
            self.log_change(NEW[resource.level], resource, new.received)
        self._check_completed(chain[Level.SERIES], new)
        outcome.stored = True
        return outcome

    def _create(self, level: Level, new: NewInstance, parent: Resource | None) -> Resource:
        is_instance = level == Level.INSTANCE
        resource_id = self.totals.next_id
        self.totals.next_id += 1
        self.totals.resources[level] += 1
        public = new.publics[level]
        resource = Resource(
            level=level,
            public=public,
            id=resource_id,
            parent=parent.id if parent else 0,
            parent_public=parent.public if parent else b"",
            tags=new.tags[level],
            patient_tags=new.tags[Level.PATIENT] if level == Level.STUDY else {},
            metadata=dict(new.metadata[level]),  # later writes of this transaction change it
            user_metadata={},
            revisions={},
            attachments=dict(new.attachments) if is_instance else {},
            labels=[],
            signature=self._signatures.number(new.signatures[level]),
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
        id_key = keys.pack_id(resource_id)
        public_key = keys.public_key(level, public)
        self._records[resource_id] = resource
        self._ids[public_key] = resource_id
        self._touched.add(resource_id)
        put = self._txn.put
        put(public_key, id_key, db=self._env.public)
        if parent is not None:
            put(keys.pack_id(parent.id), public, db=self._env.child)
        self._terms.add(resource)
        if is_instance and new.image:
            put(id_key, new.image, db=self._env.image)
        return resource

    def _count(self, instance: Resource, chain: list[Resource], created: list[Resource]) -> None:
        """Adds the created resources to the counters of all that stand above them."""
        for resource in created:
            for ancestor in chain[: resource.level]:
                ancestor.counts[resource.level - 1] += 1
        for kind, attachment in instance.attachments.items():
            self.add_sizes([instance, *chain], kind, attachment, 1)

    def add_sizes(
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
            self._touched.add(resource.id)
        self.totals.disk_size += disk
        self.totals.uncompressed_size += size

    def _freshen(self, ancestor: Resource, now: int) -> None:
        """An instance came below: the ancestor is unstable from now on, a patient goes to the
        end of the recycling order."""
        self._terms.set_last_update(ancestor, now)
        if ancestor.unstable_since != now:
            self._set_unstable(ancestor, now)
        if ancestor.level == Level.PATIENT and not ancestor.protected:
            self.recycling.to_end(ancestor)
        self._touched.add(ancestor.id)

    def _set_unstable(self, resource: Resource, since: int) -> None:
        """`since` 0 makes it stable."""
        if resource.unstable_since:
            old = keys.unstable_key(resource.unstable_since, resource.level, resource.id)
            self._txn.delete(old, db=self._env.unstable)
        resource.unstable_since = since
        if since:
            key = keys.unstable_key(since, resource.level, resource.id)
            self._txn.put(key, b"", db=self._env.unstable)
        self._touched.add(resource.id)

    def _check_completed(self, series: Resource, new: NewInstance) -> None:
        """Logs CompletedSeries where this instance makes the strict check succeed: section 4.3."""
        expected = new.expected_in_series
        if expected is None or series.counts[2] != expected:
            return
        indexes = []
        cursor = self._txn.cursor(db=self._env.child)
        if cursor.set_key(keys.pack_id(series.id)):
            for public in cursor.iternext_dup():
                instance = self.resource(Level.INSTANCE, bytes(public))
                if instance is not None:
                    indexes.append(instance.metadata.get(INDEX_IN_SERIES))
        if is_complete(indexes, expected):
            self.log_change(COMPLETED_SERIES, series, new.received)

    # Editing

    def touch(self, resource: Resource) -> None:
        """The record has changed in what searches do not see."""
        self._touched.add(resource.id)

    @contextmanager
    def editing(self, resource: Resource) -> Iterator[None]:
        """Within it tags, labels and metadata of a resource may be changed: searches and the record
        follow."""
        before = self._terms.keys(resource)
        yield
        self._terms.change(before, resource, lambda: self._siblings(resource))
        self._touched.add(resource.id)

    def set_main_tags(
        self,
        resource: Resource,
        tags: dict[int, str],
        patient_tags: dict[int, str],
        sequences: str | None,
        signature: str,
    ) -> None:
        """Replaces the main tags; `patient_tags` counts for studies only, `sequences` is the value
        of the metadata that keeps main sequences."""
        with self.editing(resource):
            resource.tags = tags
            resource.signature = self._signatures.number(signature)
            if resource.level == Level.STUDY:
                resource.patient_tags = patient_tags
            if sequences is None:
                resource.metadata.pop(MAIN_DICOM_SEQUENCES, None)
            else:
                resource.metadata[MAIN_DICOM_SEQUENCES] = sequences

    def _siblings(self, resource: Resource) -> Iterator[Resource]:
        """The children of the resource's parent, itself included while it is one of them."""
        cursor = self._txn.cursor(db=self._env.child)
        if resource.parent and cursor.set_key(keys.pack_id(resource.parent)):
            for public in cursor.iternext_dup():
                sibling = self.resource(resource.level, bytes(public))
                if sibling is not None:
                    yield sibling

    # Changes and stability

    def log_change(self, kind: int, resource: Resource, now: int) -> int:
        """Appends an entry to the change log and returns its sequence number."""
        return self._changes.append(kind, resource, now)

    def clear_changes(self) -> None:
        """Empties the change log; sequence numbers go on."""
        self._changes.clear()

    def stabilise(self, before: int, now: int, at_most: int) -> list[Resource]:
        """Makes stable, and logs, those whose last instance came before the second `before`: the
        first `at_most`, so that no transaction holds all that waited during a long rest."""
        stable: list[Resource] = []
        cursor = self._txn.cursor(db=self._env.unstable)
        due = []
        for key in islice(cursor.iternext(keys=True, values=False), at_most):
            second, resource_id = keys.unpack_unstable(key)
            if second >= before:
                break
            due.append(resource_id)
        for resource_id in due:
            resource = self.by_id(resource_id)
            self._set_unstable(resource, 0)
            self.log_change(STABLE[resource.level], resource, now)
            stable.append(resource)
        return stable

    # Deleting

    def delete(self, level: Level, public: bytes, now: int) -> Outcome:
        """Removes a resource, what is below it, and the ancestors that it leaves without children.

        `Outcome.found` is False if there is no such resource; `remaining` is the lowest ancestor
        still alive; the files in `doomed` are listed in the index until `forget_doomed`.
        """
        outcome = Outcome()
        resource = self.resource(level, public)
        if resource is None:
            return outcome
        outcome.found = True
        self._delete(resource, outcome, now)
        return outcome

    def _delete(self, resource: Resource, outcome: Outcome, now: int) -> None:
        ancestors = self.ancestors(resource)
        top = resource
        for ancestor in ancestors:
            if self._number_of_children(ancestor) > 1:
                break
            top = ancestor
        survivors = ancestors[ancestors.index(top) + 1 :] if top is not resource else ancestors
        for survivor in survivors:
            survivor.counts = [
                own - gone - (1 if level == top.level else 0)
                for level, own, gone in zip((1, 2, 3), survivor.counts, top.counts, strict=True)
            ]
            survivor.disk_size -= top.disk_size
            survivor.uncompressed_size -= top.uncompressed_size
            survivor.dicom_disk_size -= top.dicom_disk_size
            survivor.dicom_uncompressed_size -= top.dicom_uncompressed_size
            self._terms.set_last_update(survivor, now)
            self._touched.add(survivor.id)
        self.totals.disk_size -= top.disk_size
        self.totals.uncompressed_size -= top.uncompressed_size
        if top.parent:
            self._txn.delete(keys.pack_id(top.parent), top.public, db=self._env.child)
        self._remove_tree(top, outcome)
        if survivors:
            outcome.remaining = (survivors[0].level, survivors[0].public)

    def _number_of_children(self, resource: Resource) -> int:
        cursor = self._txn.cursor(db=self._env.child)
        return int(cursor.count()) if cursor.set_key(keys.pack_id(resource.id)) else 0

    def _remove_tree(self, top: Resource, outcome: Outcome) -> None:
        stack = [top]
        while stack:
            resource = stack.pop()
            if resource.level != Level.INSTANCE:
                cursor = self._txn.cursor(db=self._env.child)
                if cursor.set_key(keys.pack_id(resource.id)):
                    below = Level(resource.level + 1)
                    for public in [bytes(value) for value in cursor.iternext_dup()]:
                        child = self.resource(below, public)
                        if child is not None:
                            stack.append(child)
            self._remove_one(resource, outcome)

    def _remove_one(self, resource: Resource, outcome: Outcome) -> None:
        env, txn = self._env, self._txn
        id_key = keys.pack_id(resource.id)
        public_key = keys.public_key(resource.level, resource.public)
        txn.delete(public_key, db=env.public)
        txn.delete(id_key, db=env.resource)
        txn.delete(id_key, db=env.image)
        txn.delete(id_key, db=env.child)
        self._terms.remove(resource, lambda: self._siblings(resource))
        if resource.unstable_since:
            key = keys.unstable_key(resource.unstable_since, resource.level, resource.id)
            txn.delete(key, db=env.unstable)
        self.recycling.leave(resource)
        self._changes.forget(resource)
        for attachment in resource.attachments.values():
            self.doom(attachment, outcome)
        self.totals.resources[resource.level] -= 1
        self._records.pop(resource.id, None)
        self._ids.pop(public_key, None)
        self._touched.discard(resource.id)

    def transaction(self) -> WriteTransaction:
        """The LMDB transaction, for the other modules of this room."""
        return self._txn

    def environment(self) -> Environment:
        """The databases, for the other modules of this room."""
        return self._env

    def doom(self, attachment: Attachment, outcome: Outcome) -> None:
        """No resource has the file any more: it is listed until `forget_doomed`."""
        self._txn.put(attachment.uuid.encode(), b"", db=self._env.doomed)
        outcome.doomed.append(attachment.uuid)

    def forget_doomed(self, uuids: list[str]) -> None:
        """The files are gone from the disk."""
        for uuid in uuids:
            self._txn.delete(uuid.encode(), db=self._env.doomed)

    def property(self, name: str) -> bytes | None:
        """A property of the whole server as it is now; see `View.property`."""
        found = self._txn.get(keys.property_key(name), db=self._env.globals)
        return None if found is None else bytes(found)

    def set_property(self, name: str, value: bytes | None) -> None:
        """Sets or (None) removes a property of the whole server."""
        if value is None:
            self._txn.delete(keys.property_key(name), db=self._env.globals)
        else:
            self._txn.put(keys.property_key(name), value, db=self._env.globals)


def _replaces(existing: Resource, new: NewInstance) -> bool:
    if new.overwrite == "Always":
        return True
    if new.overwrite == "IfChanged":
        old, uploaded = (each.attachments.get(DICOM_ATTACHMENT) for each in (existing, new))
        return old is None or uploaded is None or old.digest != uploaded.digest
    return False
