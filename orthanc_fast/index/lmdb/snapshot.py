"""Reading the LMDB index: one consistent snapshot that never waits for a writer."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter
from types import TracebackType

import msgspec

from orthanc_fast._ext.idsets import by_key, sort
from orthanc_fast.index.contract import MainTagsOf, Snapshot
from orthanc_fast.index.lmdb import keys
from orthanc_fast.index.lmdb.environment import Environment
from orthanc_fast.index.lmdb.properties import some_properties
from orthanc_fast.index.lmdb.records import (
    metadata_decoder,
    resource_decoder,
    tags_decoder,
    totals_decoder,
)
from orthanc_fast.index.lmdb.search import CHILD_OFFSET, CHILD_STRIDE, LmdbSearch
from orthanc_fast.index.packed import unpack
from orthanc_fast.index.terms import Kind, field_prefix, value_of
from orthanc_fast.model import Change, ChangesPage, Export, Level, Resource, Totals

# Keys that `listing_packed` holds apart before they are joined.
_JOINED_AT_ONCE = 50_000

_change_decoder = msgspec.msgpack.Decoder(Change)
_export_decoder = msgspec.msgpack.Decoder(Export)

Row = tuple[bytes | memoryview, bytes | memoryview]


class LmdbSnapshot(Snapshot):
    """See the contract; a context manager. A lookup costs less than a microsecond, so what stands
    for one resource in the contract is one lookup here, not a list of one."""

    __slots__ = ("_env", "_search", "_txn")

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._txn = env.lmdb.begin()
        self._search: LmdbSearch | None = None

    def __enter__(self) -> "LmdbSnapshot":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """The snapshot must not be used any more."""
        self._txn.abort()

    @property
    def search(self) -> LmdbSearch:
        if self._search is None:
            self._search = LmdbSearch(self._env, self._txn)
        return self._search

    @property
    def version(self) -> int:
        return int(self._txn.id())

    # Resources

    def resource(self, level: Level, public: bytes) -> Resource | None:
        found = self._txn.get(keys.public_key(level, public), db=self._env.public)
        if found is None:
            return None
        record = self._txn.get(found, db=self._env.resource)
        return None if record is None else resource_decoder.decode(record)

    def resources(self, level: Level, publics: Sequence[bytes]) -> list[Resource | None]:
        decode = resource_decoder.decode
        records = self._records(level, publics)
        return [None if each is None else decode(each) for each in records]

    def exists(self, level: Level, public: bytes) -> bool:
        return self._txn.get(keys.public_key(level, public), db=self._env.public) is not None

    def by_creation(self, level: Level, packed: bytes) -> bytes:
        # The packed internal id is what the table of identifiers holds: no record is read.
        numbered = self._numbered(level, packed)
        return b"".join(key[1:] for key, _ in sorted(numbered, key=_number))

    def creation_numbers(self, level: Level, packed: bytes) -> list[tuple[int, bytes]]:
        numbered = self._numbered(level, packed)
        return [(int.from_bytes(number, "big"), key[1:]) for key, number in numbered]

    def numbered(self, level: Level, packed: bytes) -> bytes:
        return b"".join(chain.from_iterable(self._numbered(level, packed)))

    def _numbered(self, level: Level, packed: bytes) -> list[tuple[bytes, bytes]]:
        prefix = keys.public_key(level, b"")
        wanted = [prefix + public for public in unpack(packed)]
        return self._txn.cursor(db=self._env.public).getmulti(wanted)

    def parent(self, resource: Resource) -> Resource | None:
        if not resource.parent:
            return None
        record = self._txn.get(keys.pack_id(resource.parent), db=self._env.resource)
        return None if record is None else resource_decoder.decode(record)

    def parents_of(self, resources: Sequence[Resource]) -> list[Resource | None]:
        return [self.parent(resource) for resource in resources]

    def children_packed(self, resource: Resource) -> bytes:
        cursor = self._txn.cursor(db=self._env.child)
        packed = cursor.getmulti(
            [keys.pack_id(resource.id)], dupdata=True, dupfixed_bytes=20, keyfixed=True
        )
        return sort(packed, CHILD_STRIDE, CHILD_OFFSET)

    def children_of(self, resources: Sequence[Resource]) -> list[bytes]:
        ids = [keys.pack_id(resource.id) for resource in resources]
        cursor = self._txn.cursor(db=self._env.child)
        rows = cursor.getmulti(
            list(dict.fromkeys(ids)), dupdata=True, dupfixed_bytes=20, keyfixed=True
        )
        found = by_key(rows, CHILD_OFFSET)
        return [found.get(each, b"") for each in ids]

    def image(self, instance: Resource) -> bytes | None:
        found = self._txn.get(keys.pack_id(instance.id), db=self._env.image)
        return None if found is None else bytes(found)

    def images_of(self, instances: Sequence[Resource]) -> list[bytes | None]:
        return [self.image(instance) for instance in instances]

    def signature(self, number: int) -> str:
        found = self._txn.get(keys.signature_key(number), db=self._env.signature)
        return "" if found is None else bytes(found).decode()

    def signatures(self, numbers: Collection[int]) -> dict[int, str]:
        return {number: self.signature(number) for number in numbers}

    def listing_packed(self, level: Level, since: int = 0, limit: int = 0) -> bytes:
        total = self.totals().resources[level]
        stop = min(since + limit, total) if limit else total
        if since >= stop:
            return b""
        cursor = self._txn.cursor(db=self._env.public)
        backwards = since > total - stop  # the end of the level is nearer than its beginning
        if not backwards:
            cursor.set_range(bytes([level]))
            keys = islice(cursor.iternext(keys=True, values=False), since, stop)
        else:
            if cursor.set_range(bytes([level + 1])):
                cursor.prev()
            else:
                cursor.last()
            keys = islice(cursor.iterprev(keys=True, values=False), total - stop, total - since)
        step = -1 if backwards else 1
        parts = []
        while part := [key[1:] for key in islice(keys, _JOINED_AT_ONCE)]:
            parts.append(b"".join(part[::step]))
        return b"".join(parts[::step])

    def created_after(self, number: int, limit: int) -> list[Resource]:
        cursor = self._txn.cursor(db=self._env.resource)
        if not cursor.set_range(keys.pack_id(number + 1)):
            return []
        decode = resource_decoder.decode
        return [decode(record) for record in islice(cursor.iternext(keys=False), limit)]

    # Metadata and labels

    def texts_of(self, level: Level, publics: Sequence[bytes], number: int) -> list[str | None]:
        decode = metadata_decoder.decode
        records = self._records(level, publics)
        return [None if each is None else decode(each).metadata.get(number) for each in records]

    def tags_of(self, level: Level, publics: Sequence[bytes]) -> list[MainTagsOf | None]:
        found: list[MainTagsOf | None] = []
        for record in self._records(level, publics):
            if record is None:
                found.append(None)
            else:
                tags = tags_decoder.decode(record)
                found.append((tags.tags, tags.patient_tags))
        return found

    def _records(self, level: Level, publics: Sequence[bytes]) -> Iterator[bytes | None]:
        prefix = keys.public_key(level, b"")
        get, of_public, of_resource = self._txn.get, self._env.public, self._env.resource
        for public in publics:
            number = get(prefix + public, db=of_public)
            yield None if number is None else get(number, db=of_resource)

    def labels_in_use(self) -> list[str]:
        """Costs one step per label and level."""
        found: set[str] = set()
        cursor = self._txn.cursor(db=self._env.value)
        for level in Level:
            prefix = field_prefix(Kind.LABEL, level, 0)
            if not cursor.set_range(prefix):
                continue
            for key in cursor.iternext_nodup(keys=True, values=False):
                label = value_of(key) if key.startswith(prefix) else None
                if label is None:  # labels are short: the keys of another field have begun
                    break
                found.add(label)
        return sorted(found)

    # The store as a whole

    def totals(self) -> Totals:
        found = self._txn.get(keys.TOTALS, db=self._env.globals)
        return Totals() if found is None else totals_decoder.decode(found)

    def property(self, name: str) -> bytes | None:
        found = self._txn.get(keys.property_key(name), db=self._env.globals)
        return None if found is None else bytes(found)

    def properties(self, prefix: str) -> dict[str, bytes]:
        cursor = self._txn.cursor(db=self._env.globals)
        wanted = keys.property_key(prefix)
        found: dict[str, bytes] = {}
        if cursor.set_range(wanted):
            for key, value in cursor:
                if not bytes(key).startswith(wanted):
                    break
                found[keys.property_name(key)] = bytes(value)
        return found

    def some_properties(
        self, prefix: str, after: str | None, limit: int, descending: bool = False
    ) -> list[tuple[str, bytes]]:
        cursor = self._txn.cursor(db=self._env.globals)
        return some_properties(cursor, prefix, after, limit, descending)

    def first_unstable(self) -> int | None:
        cursor = self._txn.cursor(db=self._env.unstable)
        return keys.unpack_unstable(cursor.key())[0] if cursor.first() else None

    def doomed(self) -> list[str]:
        cursor = self._txn.cursor(db=self._env.doomed)
        return [bytes(key).decode() for key in cursor.iternext(keys=True, values=False)]

    # The logs

    def changes(
        self, since: int = 0, to: int = -1, limit: int = 100, types: frozenset[int] | None = None
    ) -> ChangesPage:
        backwards = to >= 0 and since <= 0
        found: list[tuple[int, Change]] = []
        done = True
        for sequence, change in self._walk_changes(since, to, backwards):
            if types is not None and change.type not in types:
                continue
            if len(found) == limit:
                done = False
                break
            found.append((sequence, change))
        if backwards:
            found.reverse()
        return ChangesPage(found, done, self.totals().next_change - 1)

    def last_change(self, types: frozenset[int] | None = None) -> tuple[int, Change] | None:
        for entry in self._walk_changes(0, -1, True):
            if types is None or entry[1].type in types:
                return entry
        return None

    def _walk_changes(self, since: int, to: int, backwards: bool) -> Iterator[tuple[int, Change]]:
        cursor = self._txn.cursor(db=self._env.change)
        if backwards:
            if to < 0 or not cursor.set_range(keys.pack_id(to + 1)):
                positioned = cursor.last()
            else:
                positioned = cursor.prev()
            rows = cursor.iterprev() if positioned else iter(())
        else:
            positioned = cursor.set_range(keys.pack_id(max(since, 0) + 1))
            rows = cursor.iternext() if positioned else iter(())
        for key, value in rows:
            sequence = keys.unpack_id(key)
            if (to >= 0 and sequence > to) or sequence <= since:
                return
            yield sequence, _change_decoder.decode(value)

    def exports(self, since: int, limit: int) -> tuple[list[tuple[int, Export]], bool]:
        found: list[tuple[int, Export]] = []
        cursor = self._txn.cursor(db=self._env.export)
        if cursor.set_range(keys.pack_id(max(since, 0) + 1)):
            for row in cursor.iternext():
                if len(found) == limit:
                    return found, False
                found.append(_export(row))
        return found, True

    def last_export(self) -> tuple[int, Export] | None:
        cursor = self._txn.cursor(db=self._env.export)
        return _export(cursor.item()) if cursor.last() else None


_number = itemgetter(1)


def _export(row: Row) -> tuple[int, Export]:
    return keys.unpack_id(row[0]), _export_decoder.decode(row[1])
