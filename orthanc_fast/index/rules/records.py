"""The records that a transaction has read or made: each once, changed in memory, written at the
end."""

from collections.abc import Iterator, Sequence

from orthanc_fast.index.rules.tables import Tables
from orthanc_fast.model import Level, Resource

_READ_AT_ONCE = 64  # siblings


class Records:
    """The resources as one transaction sees them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._records: dict[int, Resource] = {}
        self._named: dict[tuple[Level, bytes], Resource] = {}
        self._touched: set[int] = set()

    def flush(self) -> None:
        """Writes what was touched into the tables."""
        self._tables.put_records([self._records[each] for each in self._touched])
        self._touched.clear()

    def find(self, wanted: Sequence[tuple[Level, bytes]]) -> list[Resource | None]:
        """The resources, each in its place; None for those that do not exist."""
        known = self._named
        unknown = [key for key in wanted if key not in known]
        if unknown:
            self._load([each for each in self._tables.find(unknown) if each is not None])
        return [known.get(key) for key in wanted]

    def by_ids(self, ids: Sequence[int]) -> list[Resource]:
        """The resources with these internal ids, none of which is 0. Raises StorageFault if one is
        missing."""
        self._load(ids)
        return [self._records[each] for each in ids]

    def _load(self, ids: Sequence[int]) -> None:
        unknown = [each for each in ids if each not in self._records]
        if unknown:
            for record in self._tables.records(unknown):
                self._records[record.id] = self._named[record.level, record.public] = record

    def ancestors(self, resource: Resource) -> list[Resource]:
        """Parent first."""
        found = []
        while resource.parent:
            [resource] = self.by_ids((resource.parent,))
            found.append(resource)
        return found

    def children(self, resource: Resource) -> list[Resource]:
        """In the order of their identifiers."""
        if resource.level == Level.INSTANCE:
            return []
        return self._present(Level(resource.level + 1), self._tables.children(resource.id))

    def siblings(self, resource: Resource) -> Iterator[Resource]:
        """The children of the resource's parent, itself included while it is one of them; for who
        may stop early."""
        publics = self._tables.children(resource.parent) if resource.parent else []
        for start in range(0, len(publics), _READ_AT_ONCE):
            yield from self._present(resource.level, publics[start : start + _READ_AT_ONCE])

    def _present(self, level: Level, publics: Sequence[bytes]) -> list[Resource]:
        found = self.find([(level, public) for public in publics])
        return [resource for resource in found if resource is not None]

    def touch(self, resource: Resource) -> None:
        """The record has changed."""
        self._touched.add(resource.id)

    def add(self, resource: Resource, image: bytes) -> None:
        """A new resource."""
        self._records[resource.id] = self._named[resource.level, resource.public] = resource
        self._touched.add(resource.id)
        self._tables.add(resource, image)

    def remove(self, resource: Resource) -> None:
        """The resource is gone."""
        self._records.pop(resource.id, None)
        self._named.pop((resource.level, resource.public), None)
        self._touched.discard(resource.id)
        self._tables.remove(resource)
