"""What an ordering asks of the index: of one snapshot, or of many short ones.

Where a search opens files it may last for minutes, and no snapshot may be open for so long. Then
the order is read part by part; the store may change in between. A resource that is there all the
time is found, but where its own value changes it may be found twice, or behind all others.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar

from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import intersection, packed_parts, unpack
from orthanc_fast.index.terms import Kind
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.services.find.facts import Facts
from orthanc_fast.services.find.query import OrderKey, Tags
from orthanc_fast.services.store.lookup import AT_ONCE, records
from orthanc_fast.services.store.reads import Reads

T = TypeVar("T")

# Resources of which something is read with one snapshot, where there are many snapshots.
_AT_ONCE = 2000

Valued = Iterator[tuple[bytes, str | None]]
"""Identifiers, each with what it is to be ordered by."""


class OrderValues(Protocol):
    """Of the resources of one level; sets and lists are packed."""

    def amount(self) -> int:
        """How many there are of the level."""

    def everything(self) -> bytes:
        """All of the level."""

    def by_creation(self, packed: bytes) -> bytes:
        """As `Snapshot.by_creation`."""

    def walk(self, kind: Kind, home: Level, number: int, descending: bool) -> Iterable[bytes]:
        """The keys of a field, in the order of the index."""

    def keys(self, kind: Kind, home: Level, number: int) -> list[bytes]:
        """The same, ascending."""

    def sets(
        self, groups: Iterable[list[bytes]], home: Level, within: bytes | None
    ) -> Iterator[bytes]:
        """For each group of keys the set of what lies at or below resources of the level `home`
        that have one of them, and in the set `within`, if that is given."""

    def values(self, packed: bytes, key: OrderKey) -> Valued:
        """The value of each that is there, in the same order."""


class SnapshotValues:
    """Of one snapshot: reads no more than it is asked for."""

    def __init__(self, facts: Facts, tags: Tags, level: Level) -> None:
        self._facts = facts
        self._view = facts.view
        self._tags = tags
        self._level = level

    def amount(self) -> int:
        return self._view.totals().resources[self._level]

    def everything(self) -> bytes:
        return self._view.listing_packed(self._level)

    def by_creation(self, packed: bytes) -> bytes:
        return self._view.by_creation(self._level, packed)

    def walk(self, kind: Kind, home: Level, number: int, descending: bool) -> Iterable[bytes]:
        return self._view.search.walk(kind, home, number, descending)

    def keys(self, kind: Kind, home: Level, number: int) -> list[bytes]:
        return self._view.search.between(kind, home, number)

    def sets(
        self, groups: Iterable[list[bytes]], home: Level, within: bytes | None
    ) -> Iterator[bytes]:
        search = self._view.search
        if home == self._level:
            return search.sets(groups, within)
        found = (search.descend(each, home, self._level) for each in search.sets(groups))
        return found if within is None else (intersection(each, within) for each in found)

    def values(self, packed: bytes, key: OrderKey) -> Valued:
        if key.source == "tag" and self._tags.locate(key.number, self._level).level == self._level:
            yield from self._of_its_own(packed, key.number)
            return
        for part in records(self._view, self._level, packed):
            yield from self._of(part, key)

    def _of_its_own(self, packed: bytes, tag: int) -> Valued:
        """The main tag of each, of which no more is read than the tags."""
        for some in packed_parts(packed, AT_ONCE):
            publics = list(unpack(some))
            found = self._view.tags_of(self._level, publics)
            for public, tags in zip(publics, found, strict=True):
                if tags is not None:
                    value = tags[0].get(tag)
                    yield public, tags[1].get(tag) if value is None else value

    def _of(self, resources: list[Resource], key: OrderKey) -> Valued:
        facts = self._facts
        if key.source == "metadata":
            for each in resources:
                yield each.public, facts.metadata(each, key.number)
            return
        home = self._tags.locate(key.number, self._level).level
        facts.load_ancestors(resources, home)
        for each in resources:
            yield each.public, facts.main_tag(each, home, key.number)


class PartedValues:
    """Of a snapshot for each part, which is closed before the part is used."""

    def __init__(self, reads: Reads, caller: Caller, tags: Tags, level: Level) -> None:
        self._reads = reads
        self._caller = caller
        self._tags = tags
        self._level = level

    def amount(self) -> int:
        return self._read(lambda view: view.totals().resources[self._level])

    def everything(self) -> bytes:
        parts = [b""]
        while len(parts) == 1 or len(parts[-1]) == _AT_ONCE * SHA1:
            parts.append(self._read(partial(_behind, self._level, parts[-1][-SHA1:])))
        return b"".join(parts)

    def by_creation(self, packed: bytes) -> bytes:
        numbered: list[tuple[int, bytes]] = []
        for part in packed_parts(packed, _AT_ONCE):
            numbered += self._read(partial(_numbered, self._level, part))
        numbered.sort()
        return b"".join(public for _, public in numbered)

    def walk(self, kind: Kind, home: Level, number: int, descending: bool) -> Iterable[bytes]:
        found = self.keys(kind, home, number)
        return reversed(found) if descending else found

    def keys(self, kind: Kind, home: Level, number: int) -> list[bytes]:
        return self._read(lambda view: view.search.between(kind, home, number))

    def sets(
        self, groups: Iterable[list[bytes]], home: Level, within: bytes | None
    ) -> Iterator[bytes]:
        """Of few keys first, of more while that gives few resources."""
        remaining, amount = iter(groups), 1
        while chunk := list(islice(remaining, amount)):
            found = self._read(partial(self._sets_in, chunk, home, within))
            yield from found
            resources = sum(map(len, found)) // SHA1
            amount = max(1, min(_AT_ONCE * len(chunk) // (resources or 1), 4 * len(chunk)))

    def values(self, packed: bytes, key: OrderKey) -> Valued:
        for part in packed_parts(packed, _AT_ONCE):
            yield from self._read(partial(self._values_in, part, key))

    def _read(self, work: Callable[[Snapshot], T]) -> T:
        return self._reads(self._caller, work)

    def _sets_in(
        self, groups: list[list[bytes]], home: Level, within: bytes | None, view: Snapshot
    ) -> list[bytes]:
        values = SnapshotValues(Facts(view), self._tags, self._level)
        return list(values.sets(groups, home, within))

    def _values_in(
        self, packed: bytes, key: OrderKey, view: Snapshot
    ) -> list[tuple[bytes, str | None]]:
        return list(SnapshotValues(Facts(view), self._tags, self._level).values(packed, key))


def _behind(level: Level, public: bytes, view: Snapshot) -> bytes:
    return b"".join(islice(view.search.scan(level, public), _AT_ONCE))


def _numbered(level: Level, packed: bytes, view: Snapshot) -> list[tuple[int, bytes]]:
    return view.creation_numbers(level, packed)
