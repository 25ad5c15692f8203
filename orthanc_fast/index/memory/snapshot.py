"""Reading the index in memory, while its lock is held."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import copy

from orthanc_fast._ext.idsets import intersect
from orthanc_fast._ext.wildcards import pack
from orthanc_fast.index.contract import Search, Snapshot
from orthanc_fast.index.memory.state import State, some_properties
from orthanc_fast.index.memory.tables import decode_record, totals_of
from orthanc_fast.index.packed import union, unpack
from orthanc_fast.index.terms import (
    Kind,
    between_bounds,
    field_prefix,
    folded_key,
    successor,
    value_of,
)
from orthanc_fast.model import SHA1, Change, ChangesPage, Export, Level, Resource, Totals


class MemorySearch(Search):
    """See the contract. Every search looks at all keys."""

    def __init__(self, state: State) -> None:
        self._state = state

    def _keys(self, first: bytes, stop: bytes) -> list[bytes]:
        return sorted(
            key for key, found in self._state.terms.items() if found and first <= key < stop
        )

    def equal(self, kind: Kind, level: int, number: int, value: str) -> list[bytes]:
        wanted = folded_key(kind, level, number, value)
        keys = self._keys(wanted, successor(wanted))
        return [key for key in keys if key == wanted or key.startswith(wanted + b"\0")]

    def between(
        self, kind: Kind, level: int, number: int, low: bytes = b"", high: bytes | None = None
    ) -> list[bytes]:
        return self._keys(*between_bounds(kind, level, number, low, high))

    def rows(
        self, kind: Kind, level: int, number: int, low: bytes = b"", high: bytes | None = None
    ) -> Iterator[bytes]:
        for key in self.between(kind, level, number, low, high):
            yield pack([(key, public) for public in unpack(self.members([key]))])

    def walk(self, kind: Kind, level: int, number: int, descending: bool) -> Iterator[bytes]:
        prefix = field_prefix(kind, level, number)
        keys = self._keys(prefix, successor(prefix))
        return reversed(keys) if descending else iter(keys)

    def count(self, keys: Iterable[bytes]) -> int:
        return sum(len(self._state.terms.get(key, ())) for key in keys)

    def members(self, keys: Iterable[bytes]) -> bytes:
        return union(public for key in keys for public in self._state.terms.get(key, ()))

    def sets(self, groups: Iterable[list[bytes]], within: bytes | None = None) -> Iterator[bytes]:
        found = map(self.members, groups)
        return found if within is None else (intersect(each, within) for each in found)

    def descend(self, packed: bytes, level: int, to: int) -> bytes:
        for at in range(level, to):
            ids = self._state.ids[Level(at)]
            below = (self._state.children.get(ids.get(public, 0), ()) for public in unpack(packed))
            packed = union(public for publics in below for public in publics)
        return packed

    def ascend(self, packed: bytes, level: int) -> bytes:
        ids, records = self._state.ids[Level(level)], self._state.records
        known = (ids[public] for public in unpack(packed) if public in ids)
        return union(decode_record(records[each]).parent_public for each in known)

    def scan(self, level: int, after: bytes = b"") -> Iterator[bytes]:
        return iter(sorted(each for each in self._state.ids[Level(level)] if each > after))


class MemorySnapshot(Snapshot):
    """See the contract."""

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def search(self) -> MemorySearch:
        return MemorySearch(self._state)

    # Resources

    def resources(self, level: Level, publics: Sequence[bytes]) -> list[Resource | None]:
        ids = self._state.ids[level]
        return [self._record(ids.get(public, 0)) for public in publics]

    def _record(self, resource_id: int) -> Resource | None:
        found = self._state.records.get(resource_id)
        return None if found is None else decode_record(found)

    def parents_of(self, resources: Sequence[Resource]) -> list[Resource | None]:
        return [self._record(resource.parent) for resource in resources]

    def children_of(self, resources: Sequence[Resource]) -> list[bytes]:
        return [union(self._state.children.get(resource.id, ())) for resource in resources]

    def images_of(self, instances: Sequence[Resource]) -> list[bytes | None]:
        return [self._state.images.get(instance.id) for instance in instances]

    def signatures(self, numbers: Collection[int]) -> dict[int, str]:
        known = self._state.signatures
        return {number: known[number] for number in numbers if number in known}

    def listing_packed(self, level: Level, since: int = 0, limit: int = 0) -> bytes:
        packed = union(self._state.ids[level])
        return packed[since * SHA1 : (since + limit) * SHA1 if limit else None]

    def created_after(self, number: int, limit: int) -> list[Resource]:
        ids = sorted(each for each in self._state.records if each > number)
        return [decode_record(self._state.records[each]) for each in ids[:limit]]

    # Metadata and labels

    def labels_in_use(self) -> list[str]:
        keys = (key for level in Level for key in self.search.between(Kind.LABEL, level, 0))
        return sorted({label for key in keys if (label := value_of(key)) is not None})

    # The store as a whole

    def totals(self) -> Totals:
        return totals_of(self._state)

    def property(self, name: str) -> bytes | None:
        return self._state.properties.get(name)

    def properties(self, prefix: str) -> dict[str, bytes]:
        found = [row for row in self._state.properties.items() if row[0].startswith(prefix)]
        return dict(sorted(found, key=lambda row: row[0].encode()))

    def some_properties(
        self, prefix: str, after: str | None, limit: int, descending: bool = False
    ) -> list[tuple[str, bytes]]:
        return some_properties(self._state, prefix, after, limit, descending)

    def first_unstable(self) -> int | None:
        return min((second for second, _, _ in self._state.unstable), default=None)

    def doomed(self) -> list[str]:
        return sorted(self._state.doomed)

    # The logs

    def changes(
        self, since: int = 0, to: int = -1, limit: int = 100, types: frozenset[int] | None = None
    ) -> ChangesPage:
        found = [
            (sequence, copy(change))
            for sequence, change in sorted(self._state.changes.items())
            if sequence > since
            and (to < 0 or sequence <= to)
            and (types is None or change.type in types)
        ]
        page = found[:limit]
        if to >= 0 and since <= 0:
            page = found[max(0, len(found) - limit) :]
        return ChangesPage(page, len(page) == len(found), self.totals().next_change - 1)

    def last_change(self, types: frozenset[int] | None = None) -> tuple[int, Change] | None:
        found = self.changes(limit=len(self._state.changes), types=types).changes
        return found[-1] if found else None

    def exports(self, since: int, limit: int) -> tuple[list[tuple[int, Export]], bool]:
        found = sorted(self._state.exports.items())
        later = [(sequence, copy(export)) for sequence, export in found if sequence > since]
        return later[:limit], len(later) <= limit

    def last_export(self) -> tuple[int, Export] | None:
        found, _ = self.exports(0, len(self._state.exports))
        return found[-1] if found else None
