"""What the index offers to the rest of the program, whatever keeps it.

The index is the durable truth about what is stored. All reading is done in a `Snapshot`, all
changes in a `Transaction`; an `Index` runs functions in either, and its `Writer` lets concurrent
writes share a commit. Every implementation passes `conformance.py`. What a class here leaves to an
implementation raises: `index.read(Snapshot.totals)` fails instead of giving nothing.

Where an implementation asks a server for each answer, a call costs a round trip: whoever wants
something of many resources asks with one call. The methods for one resource stand beside them for
those who have only one.

A public identifier is the 20 bytes of a SHA-1 value. `packed` are several of them joined, in
ascending order and 20 bytes each, as `orthanc_fast.index.packed` and `orthanc_fast._ext.idsets`
work on them.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from orthanc_fast.index.packed import unpack
from orthanc_fast.index.terms import Kind
from orthanc_fast.model import (
    Attachment,
    Change,
    ChangesPage,
    Export,
    Level,
    NewInstance,
    Outcome,
    Resource,
    Totals,
    timestamp,
)
from orthanc_fast.registries import LAST_UPDATE, MAIN_DICOM_TAGS_SIGNATURE

T = TypeVar("T")

DELETIONS = "deletions/"
"""Where the property `DELETIONS_HEARD` is set, each resource that is deleted takes a number of the
change log, and leaves a property: this prefix with the number in 16 hexadecimal digits; its value
is one byte of the level, and the identifier. Children come before their parents."""

DELETIONS_HEARD = "deletions-heard"

Cargo = tuple[str, bytes | bytearray | memoryview]
"""Bytes that become durable together with a write, under a name that means something to the
`CargoKeeper`."""


MainTagsOf = tuple[dict[int, str], dict[int, str]]
"""The main tags of a resource, and those of the patient that a study has."""


class Search(ABC):
    """The terms of a snapshot: from values to keys, from keys to sets of resources.

    Keys are those of `terms.py`; what has the term is under the key.
    """

    # From values to keys, ascending

    @abstractmethod
    def equal(self, kind: Kind, level: int, number: int, value: str) -> list[bytes]:
        """The keys whose value is `value` in upper or lower case."""
        raise NotImplementedError

    @abstractmethod
    def between(
        self, kind: Kind, level: int, number: int, low: bytes = b"", high: bytes | None = None
    ) -> list[bytes]:
        """The keys whose folded value begins at or after `low` and does not lie above `high` and
        what begins with it; None is no bound."""
        raise NotImplementedError

    @abstractmethod
    def rows(
        self, kind: Kind, level: int, number: int, low: bytes = b"", high: bytes | None = None
    ) -> Iterator[bytes]:
        """The same keys, each with each of the resources under it, as packed rows (`pack` of
        `orthanc_fast._ext.wildcards`), some at a time and few at first: where most keys have one
        resource this costs little more than the keys alone."""
        raise NotImplementedError

    @abstractmethod
    def walk(self, kind: Kind, level: int, number: int, descending: bool) -> Iterator[bytes]:
        """All keys of a field from either end, for who may stop early."""
        raise NotImplementedError

    # From keys to resources

    @abstractmethod
    def count(self, keys: Iterable[bytes]) -> int:
        """How many resources lie under these keys; one that lies under two counts twice."""
        raise NotImplementedError

    @abstractmethod
    def members(self, keys: Iterable[bytes]) -> bytes:
        """The set of the resources under these keys, packed."""
        raise NotImplementedError

    @abstractmethod
    def sets(self, groups: Iterable[list[bytes]], within: bytes | None = None) -> Iterator[bytes]:
        """The set of the resources under the keys of each group, in turn, for who may stop early;
        only of those in the set `within`, if that is given."""
        raise NotImplementedError

    # Along the hierarchy, from set to set

    @abstractmethod
    def descend(self, packed: bytes, level: int, to: int) -> bytes:
        """The set of the descendants at level `to` of resources of `level`."""
        raise NotImplementedError

    @abstractmethod
    def ascend(self, packed: bytes, level: int) -> bytes:
        """The set of the parents of resources of `level`."""
        raise NotImplementedError

    @abstractmethod
    def scan(self, level: int, after: bytes = b"") -> Iterator[bytes]:
        """All resources of a level whose identifiers are above `after`, ascending, for who may
        stop early."""
        raise NotImplementedError


class Snapshot(ABC):
    """One consistent state of the index, for the time of one `Index.read`.

    What it returns is a copy and stays valid afterwards; what it yields ends with it. Resources
    that an argument names must come from the same snapshot, or may be gone: then they have neither
    parents nor children.
    """

    @property
    @abstractmethod
    def search(self) -> Search:
        """The search by terms in this snapshot."""
        raise NotImplementedError

    @property
    def version(self) -> int | None:
        """A number that snapshots of one index share only where they have the same content; None
        where that cannot be told."""
        return None

    # Resources

    @abstractmethod
    def resources(self, level: Level, publics: Sequence[bytes]) -> list[Resource | None]:
        """The resources with these identifiers at this level, each in its place; None for those
        that do not exist."""
        raise NotImplementedError

    @abstractmethod
    def parents_of(self, resources: Sequence[Resource]) -> list[Resource | None]:
        """The parent of each; None for patients."""
        raise NotImplementedError

    @abstractmethod
    def children_of(self, resources: Sequence[Resource]) -> list[bytes]:
        """The children of each, packed."""
        raise NotImplementedError

    @abstractmethod
    def images_of(self, instances: Sequence[Resource]) -> list[bytes | None]:
        """What was given as `NewInstance.image` with each, or None."""
        raise NotImplementedError

    @abstractmethod
    def signatures(self, numbers: Collection[int]) -> dict[int, str]:
        """The main tags signatures with these numbers (`Resource.signature`)."""
        raise NotImplementedError

    @abstractmethod
    def listing_packed(self, level: Level, since: int = 0, limit: int = 0) -> bytes:
        """The resources of a level, packed: skips `since`, gives at most `limit` (0: all)."""
        raise NotImplementedError

    @abstractmethod
    def created_after(self, number: int, limit: int) -> list[Resource]:
        """The first `limit` resources of all levels whose `Resource.id` is above `number`, in the
        order in which they were created: for who reads the whole index, part by part."""
        raise NotImplementedError

    def resource(self, level: Level, public: bytes) -> Resource | None:
        """The resource with this identifier at this level, or None."""
        return self.resources(level, [public])[0]

    def exists(self, level: Level, public: bytes) -> bool:
        return self.resource(level, public) is not None

    def resource_of_any_level(self, public: bytes) -> Resource | None:
        """The first resource with this identifier, searched from the patients down."""
        for level in Level:
            found = self.resource(level, public)
            if found is not None:
                return found
        return None

    def parent(self, resource: Resource) -> Resource | None:
        return self.parents_of([resource])[0]

    def ancestors_of(self, resources: Sequence[Resource]) -> list[list[Resource]]:
        """All that stands above each, parent first."""
        found: list[list[Resource]] = [[] for _ in resources]
        below = list(enumerate(resources))
        while below:
            parents = self.parents_of([resource for _, resource in below])
            below = [
                (number, parent)
                for (number, _), parent in zip(below, parents, strict=True)
                if parent is not None
            ]
            for number, parent in below:
                found[number].append(parent)
        return found

    def ancestors(self, resource: Resource) -> list[Resource]:
        """All that stands above a resource, parent first."""
        return self.ancestors_of([resource])[0]

    def children_packed(self, resource: Resource) -> bytes:
        """The children of a resource, packed."""
        return self.children_of([resource])[0]

    def children(self, resource: Resource) -> list[bytes]:
        """The children's identifiers in ascending order."""
        return list(unpack(self.children_packed(resource)))

    def descendants_packed(self, resource: Resource, level: Level) -> bytes:
        """All resources of `level` at and below a resource, packed."""
        return self.search.descend(resource.public, resource.level, level)

    def descendants(self, resource: Resource, level: Level) -> list[bytes]:
        """The identifiers of all resources of `level` at and below a resource, ascending."""
        return list(unpack(self.descendants_packed(resource, level)))

    def image(self, instance: Resource) -> bytes | None:
        """What was given as `NewInstance.image` with the instance, or None."""
        return self.images_of([instance])[0]

    def listing(self, level: Level, since: int = 0, limit: int = 0) -> list[bytes]:
        """As `listing_packed`, one by one."""
        return list(unpack(self.listing_packed(level, since, limit)))

    def by_creation(self, level: Level, packed: bytes) -> bytes:
        """The same resources of a level in the order in which they were created; those that do not
        exist are left out.

        Sets are kept by identifier, so the number of every member has to be looked up, even if only
        the first few are wanted: each of them may be the oldest. An implementation should not read
        more than that number.
        """
        return b"".join(public for _, public in sorted(self.creation_numbers(level, packed)))

    def creation_numbers(self, level: Level, packed: bytes) -> list[tuple[int, bytes]]:
        """The same resources, each after a number that is greater than that of all which were
        created before it; for who orders them part by part."""
        found = self.resources(level, list(unpack(packed)))
        return [(resource.id, resource.public) for resource in found if resource is not None]

    def numbered(self, level: Level, packed: bytes) -> bytes:
        """What is the same as before only if the same resources of a level exist, none of them
        created anew since."""
        return b"".join(
            public + number.to_bytes(8, "big")
            for number, public in self.creation_numbers(level, packed)
        )

    def with_term(self, level: Level, tag: int, value: str) -> list[Resource]:
        """The resources of a level with a term of `tag` that is `value` in upper or lower case; by
        value, then by identifier."""
        keys = self.search.equal(Kind.TAG, level, tag, value)
        members = self.search.sets([key] for key in keys)
        publics = [public for packed in members for public in unpack(packed)]
        return [resource for resource in self.resources(level, publics) if resource is not None]

    # Metadata and labels

    def metadata_of(self, resources: Sequence[Resource]) -> list[dict[int, str | bytes]]:
        """All metadata of each by number, in ascending order, with those that the record holds
        elsewhere."""
        texts = self.signatures({resource.signature for resource in resources})
        return [_metadata(each, texts.get(each.signature, "")) for each in resources]

    def metadata(self, resource: Resource) -> dict[int, str | bytes]:
        """As `metadata_of`, of one resource."""
        return _metadata(resource, self.signature(resource.signature))

    def signature(self, number: int) -> str:
        """The text of a main tags signature."""
        return self.signatures((number,)).get(number, "")

    def texts_of(self, level: Level, publics: Sequence[bytes], number: int) -> list[str | None]:
        """One built-in metadata of each of many resources of a level, by number: None where the
        resource or the metadata does not exist. An implementation reads no more of each than
        that."""
        found = self.resources(level, publics)
        return [None if each is None else each.metadata.get(number) for each in found]

    def tags_of(self, level: Level, publics: Sequence[bytes]) -> list[MainTagsOf | None]:
        """The main tags of many resources of a level: its own, and those of the patient that a
        study has; None where the resource does not exist. As for `texts_of` an implementation
        reads no more."""
        found = self.resources(level, publics)
        return [None if each is None else (each.tags, each.patient_tags) for each in found]

    @abstractmethod
    def labels_in_use(self) -> list[str]:
        """The labels of all resources, sorted."""
        raise NotImplementedError

    # The store as a whole

    @abstractmethod
    def totals(self) -> Totals:
        """The counters of the whole index."""
        raise NotImplementedError

    @abstractmethod
    def property(self, name: str) -> bytes | None:
        """A property of the whole server (`Transaction.set_property`), None if it is not set."""
        raise NotImplementedError

    @abstractmethod
    def properties(self, prefix: str) -> dict[str, bytes]:
        """The properties of the whole server whose name begins with `prefix`, by name."""
        raise NotImplementedError

    @abstractmethod
    def some_properties(
        self, prefix: str, after: str | None, limit: int, descending: bool = False
    ) -> list[tuple[str, bytes]]:
        """Up to `limit` of the properties whose name begins with `prefix`, by name, from the one
        that follows the name `after` (None: from the first; `descending`: the other way)."""
        raise NotImplementedError

    @abstractmethod
    def first_unstable(self) -> int | None:
        """The second in which the oldest unstable resource got its last instance, or None."""
        raise NotImplementedError

    @abstractmethod
    def doomed(self) -> list[str]:
        """The UUIDs of files that no resource owns any more and that may still be on disk."""
        raise NotImplementedError

    # The logs

    @abstractmethod
    def changes(
        self, since: int = 0, to: int = -1, limit: int = 100, types: frozenset[int] | None = None
    ) -> ChangesPage:
        """Changes after `since` up to and including `to` (-1: no bound), of `types` (None: all).

        With `to` and without a positive `since` it gives the `limit` last ones instead of the
        first. Source: reference chapter 1, section 7.2.
        """
        raise NotImplementedError

    @abstractmethod
    def last_change(self, types: frozenset[int] | None = None) -> tuple[int, Change] | None:
        """The newest entry of the change log that is of one of `types`, with its number."""
        raise NotImplementedError

    @abstractmethod
    def exports(self, since: int, limit: int) -> tuple[list[tuple[int, Export]], bool]:
        """Up to `limit` entries of the export log after the number `since`, and whether these are
        all."""
        raise NotImplementedError

    @abstractmethod
    def last_export(self) -> tuple[int, Export] | None:
        """The newest entry of the export log, with its number."""
        raise NotImplementedError


def _metadata(resource: Resource, signature: str) -> dict[int, str | bytes]:
    found: dict[int, str | bytes] = {**resource.metadata, **resource.user_metadata}
    if resource.level != Level.INSTANCE:
        found[LAST_UPDATE] = timestamp(resource.last_update)
    if resource.signature:
        found[MAIN_DICOM_TAGS_SIGNATURE] = signature
    return dict(sorted(found.items()))


class Transaction(Protocol):
    """One change of the index, all or nothing. It sees what it has changed itself.

    Resources that it returns are the transaction's own: they show later changes, and only its
    methods may change them. `now` is in seconds since the epoch, UTC.
    """

    @property
    def totals(self) -> Totals:
        """The counters of the whole index as they are now."""
        raise NotImplementedError

    # Looking

    def resource(self, level: Level, public: bytes) -> Resource | None:
        """The resource as it is now, or None."""
        raise NotImplementedError

    def resources(self, level: Level, publics: Sequence[bytes]) -> list[Resource | None]:
        """As `resource`, of many: each in its place."""
        raise NotImplementedError

    def resource_of_any_level(self, public: bytes) -> Resource | None:
        """As `resource`, searched from the patients down."""
        raise NotImplementedError

    def ancestors(self, resource: Resource) -> list[Resource]:
        """All that stands above, parent first."""
        raise NotImplementedError

    def oldest_patients(self) -> Iterator[Resource]:
        """The patients that are not protected in the order in which they give way when the storage
        is full; nothing may be changed while they are walked."""
        raise NotImplementedError

    def property(self, name: str) -> bytes | None:
        """A property of the whole server as it is now; see `Snapshot.property`."""
        raise NotImplementedError

    def some_properties(
        self, prefix: str, after: str | None, limit: int, descending: bool = False
    ) -> list[tuple[str, bytes]]:
        """As `Snapshot.some_properties`, as they are now."""
        raise NotImplementedError

    # Instances

    def store_instance(self, new: NewInstance, make_room: "MakeRoom | None" = None) -> Outcome:
        """Adds the instance and whatever ancestors it lacks, with their changes, counters and
        terms.

        An instance that is there already is left alone or replaced as `new.overwrite` says; then
        `Outcome.doomed` names the files it had. `make_room` is called, with the instance that will
        be replaced, before anything is changed; it returns the files of what it has deleted, or
        None for no room: then `Outcome.refused` is True and nothing else has happened.
        """
        raise NotImplementedError

    def delete(self, level: Level, public: bytes, now: int) -> Outcome:
        """Removes a resource, what is below it, and the ancestors that it leaves without children.

        `Outcome.found` is False if there is no such resource; `remaining` is the lowest ancestor
        still alive; the files in `doomed` are listed in the index until `forget_doomed`.
        """
        raise NotImplementedError

    def forget_doomed(self, uuids: Sequence[str]) -> None:
        """The files are gone from the disk."""
        raise NotImplementedError

    # What belongs to a resource

    def put_attachment(self, resource: Resource, kind: int, attachment: Attachment) -> Outcome:
        """Adds or replaces an attachment, whose revision becomes 0 or one more than that of the
        old one; `Outcome.doomed` names the file of the old one."""
        raise NotImplementedError

    def remove_attachment(self, resource: Resource, kind: int) -> Outcome:
        """Removes an attachment that is there; `Outcome.doomed` names its file."""
        raise NotImplementedError

    def set_md5(
        self, resource: Resource, kind: int, md5: str | None, stored_md5: str | None
    ) -> None:
        """Keeps the checksums of an attachment that is there: see `Attachment`."""
        raise NotImplementedError

    def set_digest(self, resource: Resource, kind: int, digest: bytes) -> None:
        """Keeps the checksum of an attachment that is there and had none: see `Attachment`."""
        raise NotImplementedError

    def set_metadata(self, resource: Resource, number: int, value: bytes) -> int:
        """Adds or replaces a user-defined value; returns its revision, which starts at 0. Source:
        reference chapter 1, section 1.12."""
        raise NotImplementedError

    def set_builtin_metadata(self, resource: Resource, number: int, text: str) -> None:
        """Adds or replaces a value of the server's own."""
        raise NotImplementedError

    def set_image(self, instance: Resource, image: bytes) -> None:
        """Replaces what was given as `NewInstance.image`."""
        raise NotImplementedError

    def remove_metadata(self, resource: Resource, number: int) -> None:
        """Removes a user-defined value that is there; its revisions start again."""
        raise NotImplementedError

    def add_label(self, resource: Resource, label: str) -> None:
        """Adds a label; one that is there stays."""
        raise NotImplementedError

    def remove_label(self, resource: Resource, label: str) -> None:
        """Removes a label; one that is not there does not matter."""
        raise NotImplementedError

    def set_main_tags(
        self,
        resource: Resource,
        tags: dict[int, str],
        patient_tags: dict[int, str],
        sequences: str | None,
        signature: str,
    ) -> None:
        """Replaces the main tags of a resource, those of its patient that a study keeps, the main
        sequences (the metadata MainDicomSequences, None for none), and the signature in force."""
        raise NotImplementedError

    def set_protected(self, patient: Resource, protected: bool) -> None:
        """Takes a patient out of the order of recycling, or makes it the last one in it."""
        raise NotImplementedError

    # The store as a whole

    def set_property(self, name: str, value: bytes | None) -> None:
        """Sets or (None) removes a property of the whole server."""
        raise NotImplementedError

    def stabilise(self, before: int, now: int, at_most: int) -> list[Resource]:
        """Makes stable, and logs, those whose last instance came before the second `before`: the
        first `at_most`, so that no transaction holds all that waited during a long rest."""
        raise NotImplementedError

    def set_stable(self, resource: Resource, is_stable: bool, now: int) -> bool:
        """Makes a patient, study or series stable, and logs it, or unstable since now; False where
        it is so already, as is an instance."""
        raise NotImplementedError

    def log_change(self, kind: int, resource: Resource, now: int) -> int:
        """Appends an entry to the change log and returns its sequence number."""
        raise NotImplementedError

    def clear_changes(self) -> None:
        """Empties the change log; sequence numbers go on."""
        raise NotImplementedError

    def log_export(self, export: Export) -> int:
        """Appends an entry to the export log and returns its sequence number."""
        raise NotImplementedError

    def clear_exports(self) -> None:
        """Empties the export log; sequence numbers go on."""
        raise NotImplementedError


MakeRoom = Callable[[Transaction, NewInstance, Resource | None], list[str] | None]
"""Deletes what must give way to a new instance that may take the place of another one: see
`Transaction.store_instance`."""


class Promise(Protocol):
    """What is told of the result: an asyncio or a concurrent future."""

    def done(self) -> bool: ...
    def set_result(self, result: Any, /) -> None: ...
    def set_exception(self, error: Any, /) -> None: ...


class Write(Generic[T]):
    """One write for a `Writer`. A write whose method raises fails alone."""

    @property
    def is_quick(self) -> bool:
        """Whether it is a small change and nothing that belongs to it waits for the disk, so that
        an event loop may do it itself."""
        return False

    def apply(self, transaction: Transaction) -> T:
        """Changes the index. Called again, alone, if another write of the group failed."""
        raise NotImplementedError

    def cargo(self, result: T) -> Iterable[Cargo]:
        """What becomes durable together with this result, where `Index.carries_cargo`."""
        return ()

    def finish(self, result: T) -> Any:
        """After the commit; returns what the promise gets."""
        return result


Result = tuple[Any, BaseException | None]
"""What a write gave, or the error that it ended with."""


class Effects(Protocol):
    """What a group of writes does outside of the index, e.g. to files."""

    def before(self, writes: Sequence[Write[Any]]) -> Sequence[BaseException | None]:
        """Before the transaction; a write with an error takes no part in it."""

    def after(self, writes: Sequence[Write[Any]], results: Sequence[Result]) -> None:
        """After the commit: each write with its result or its error, those of `before` included."""


class NoEffects:
    """Writes that do nothing outside of the index."""

    def before(self, writes: Sequence[Write[Any]]) -> Sequence[BaseException | None]:
        return [None] * len(writes)

    def after(self, writes: Sequence[Write[Any]], results: Sequence[Result]) -> None:
        return


class Writer(Protocol):
    """Where writes go: concurrent ones share commits, in the order in which they came."""

    def submit(self, write: Write[Any], promise: Promise) -> None:
        """Queues a write; `promise` gets its result when that is durable, or its error. A writer
        with a loop is called in the loop's thread, one without from any."""

    def stop(self) -> None:
        """Completes what is queued."""


class CargoKeeper(Protocol):
    """Where cargo belongs: the index keeps the bytes only until it has told the keeper to make them
    durable."""

    def sync(self) -> None:
        """Returns when all that was written so far is durable. Raises StorageFault or
        FullStorage."""

    def restore(
        self, snapshot: Snapshot, cargo: Mapping[str, bytes], forgotten: Collection[str]
    ) -> None:
        """After a crash: writes anew what `snapshot` still has of the cargo of the last writes, and
        removes again the files `forgotten` (`Transaction.forget_doomed`). Raises StorageFault or
        FullStorage."""


class NoCargo:
    """The keeper of an index whose writes bring none."""

    def sync(self) -> None:
        return

    def restore(
        self, snapshot: Snapshot, cargo: Mapping[str, bytes], forgotten: Collection[str]
    ) -> None:
        return


class Packer(Protocol):
    """Makes of resources what a `Builder` keeps of them: most of the work, for which several
    processes can have one each."""

    def pack(self, part: Sequence[Resource]) -> bytes: ...


class Builder(Protocol):
    """A new index that is filled at once, where there is none yet: much faster than transactions,
    since everything comes in the order in which it is kept. What does not fit together is kept as
    it is. Each method may be called many times, with more in ascending order; nothing is an index
    before `finish`. All raise FullStorage or StorageFault.
    """

    def add_signatures(self, texts: Sequence[str]) -> None:
        """All main tags signatures; the number of the first is 1."""

    def add_resources(self, packed: bytes) -> None:
        """By id, as a `Packer` of the same kind of index gives them. They can be searched for."""

    def add_identifiers(self, part: Sequence[tuple[Level, bytes, int]]) -> None:
        """Level, identifier and id of each resource, in this order."""

    def add_children(self, part: Sequence[tuple[int, bytes]]) -> None:
        """The id of each parent with the identifiers of its children, in this order."""

    def add_changes(self, part: Sequence[tuple[int, Change]]) -> None:
        """By sequence number."""

    def add_changes_of(self, part: Sequence[tuple[int, int]]) -> None:
        """The id of each resource with the sequence numbers of its changes, in this order."""

    def add_exports(self, part: Sequence[tuple[int, Export]]) -> None:
        """By sequence number."""

    def add_recycling(self, part: Sequence[tuple[int, int]]) -> None:
        """`Resource.recycling` of each patient that has one, with its id, in this order."""

    def set_property(self, name: str, value: bytes) -> None:
        """See `Transaction.set_property`; in any order."""

    def finish(self, totals: Totals) -> None:
        """Makes it durable, with these counters, and closes it."""

    def abandon(self) -> None:
        """Closes it as it is; what is there must be removed."""


def no_cargo(result: object) -> Iterable[Cargo]:
    """The cargo of a write that brings none."""
    return ()


class Index(ABC):
    """The index as a whole. One per process; safe for use from several threads."""

    @property
    @abstractmethod
    def reads_in_place(self) -> bool:
        """Whether `read` waits for nothing, so that an event loop may call it itself."""
        raise NotImplementedError

    @property
    @abstractmethod
    def carries_cargo(self) -> bool:
        """Whether the cargo of a write is durable with it, wherever else it was written to."""
        raise NotImplementedError

    @property
    @abstractmethod
    def was_alone(self) -> bool:
        """Whether no other process used the index when this one opened it."""
        raise NotImplementedError

    @abstractmethod
    def keep_others_out(self) -> bool:
        """Whoever opens the index from now on waits until it is closed here, or this process ends.
        False where another process has it open already."""
        raise NotImplementedError

    @abstractmethod
    def read(self, function: Callable[[Snapshot], T]) -> T:
        """What `function` makes of one snapshot, which ends with it."""
        raise NotImplementedError

    async def read_async(self, function: Callable[[Snapshot], T]) -> T:
        """The same for an event loop, which does not wait for it."""
        if self.reads_in_place:
            return self.read(function)
        return await asyncio.to_thread(self.read, function)

    @abstractmethod
    def write(
        self,
        function: Callable[[Transaction], T],
        cargo: Callable[[T], Iterable[Cargo]] = no_cargo,
    ) -> T:
        """Runs `function` in one transaction, waiting for other writers, and returns its result
        once that is durable, with the `cargo` that belongs to the result. It may be run again
        where another writer was in the way: it changes nothing but the transaction.

        If it raises nothing is changed. Raises FullStorage when the index or its disk is full,
        StorageFault when the disk has failed.
        """
        raise NotImplementedError

    @abstractmethod
    def writer(
        self, effects: Effects | None = None, loop: asyncio.AbstractEventLoop | None = None
    ) -> Writer:
        """A queue of writes with what they do outside; `loop` is the event loop that brings them
        and owns their promises, None for threads."""
        raise NotImplementedError

    @abstractmethod
    def settle(self) -> None:
        """Makes sure that a write which was not finished, because its process died or its commit
        failed, cannot come back: its files may be removed afterwards."""
        raise NotImplementedError

    @abstractmethod
    def clear_dead_readers(self) -> int:
        """Frees what processes that died still hold of the index; of how many readers."""
        raise NotImplementedError

    @abstractmethod
    def close(self) -> None:
        """After all reads and writers; completes what is not durable elsewhere yet."""
        raise NotImplementedError
