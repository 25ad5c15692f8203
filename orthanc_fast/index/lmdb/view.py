"""Reading the index: one consistent snapshot that never waits for a writer."""

from collections.abc import Iterator
from itertools import islice
from types import TracebackType

import lmdb
import msgspec

from orthanc_fast.index.lmdb import keys
from orthanc_fast.index.lmdb.environment import Environment
from orthanc_fast.index.lmdb.records import resource_decoder, totals_decoder
from orthanc_fast.index.terms import Kind, folded_key
from orthanc_fast.model import SHA1, Change, ChangesPage, Level, Resource, Totals, timestamp
from orthanc_fast.registries import LAST_UPDATE, MAIN_DICOM_TAGS_SIGNATURE

# Stride and offset of the SHA-1 values in what `children_packed` returns (8 bytes of key precede
# each).
PACKED_STRIDE = 28
PACKED_OFFSET = 8

# Keys that `listing_packed` holds apart before they are joined.
_JOINED_AT_ONCE = 50_000

_change_decoder = msgspec.msgpack.Decoder(Change)


class View:
    """A snapshot of the index; use it as a context manager and keep it for one answer only.

    Everything it returns is a copy and stays valid after the view is closed.
    """

    __slots__ = ("_env", "_txn")

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._txn = env.lmdb.begin()

    def __enter__(self) -> "View":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._txn.abort()

    def resource(self, level: Level, public: bytes) -> Resource | None:
        """The resource with this 20-byte identifier at this level, or None."""
        found = self._txn.get(keys.public_key(level, public), db=self._env.public)
        if found is None:
            return None
        record = self._txn.get(found, db=self._env.resource)
        return None if record is None else resource_decoder.decode(record)

    def exists(self, level: Level, public: bytes) -> bool:
        return self._txn.get(keys.public_key(level, public), db=self._env.public) is not None

    def resource_of_any_level(self, public: bytes) -> Resource | None:
        """The first resource with this identifier, searched from the patients down."""
        for level in Level:
            found = self.resource(level, public)
            if found is not None:
                return found
        return None

    def by_id(self, resource_id: int) -> Resource | None:
        """The resource with this internal id (as `Resource.parent` holds it), or None."""
        record = self._txn.get(keys.pack_id(resource_id), db=self._env.resource)
        return None if record is None else resource_decoder.decode(record)

    def parent(self, resource: Resource) -> Resource | None:
        return self.by_id(resource.parent) if resource.parent else None

    def children_packed(self, resource: Resource) -> bytes:
        """The children's SHA-1 values in ascending order, packed: see PACKED_STRIDE and
        PACKED_OFFSET."""
        cursor = self._txn.cursor(db=self._env.child)
        packed = cursor.getmulti(
            [keys.pack_id(resource.id)], dupdata=True, dupfixed_bytes=20, keyfixed=True
        )
        return bytes(packed)

    def children(self, resource: Resource) -> list[bytes]:
        """The children's SHA-1 values in ascending order."""
        packed = self.children_packed(resource)
        return [
            packed[start : start + 20] for start in range(PACKED_OFFSET, len(packed), PACKED_STRIDE)
        ]

    def descendants(self, resource: Resource, level: Level) -> list[bytes]:
        """The SHA-1 values of all resources of `level` below, in ascending order."""
        found = [resource.public]
        for below in range(resource.level + 1, level + 1):
            next_found: list[bytes] = []
            for public in found:
                parent = self.resource(Level(below - 1), public)
                if parent is not None:
                    next_found.extend(self.children(parent))
            found = next_found
        found.sort()
        return found

    def listing(self, level: Level, since: int = 0, limit: int = 0) -> list[bytes]:
        """SHA-1 values of a level in ascending order: skips `since`, gives at most `limit` (0:
        all)."""
        packed = self.listing_packed(level, since, limit)
        return [packed[at : at + SHA1] for at in range(0, len(packed), SHA1)]

    def listing_packed(self, level: Level, since: int = 0, limit: int = 0) -> bytes:
        """As `listing`, the values joined: 20 bytes for each resource, and not much more memory on
        the way."""
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

    def with_term(self, level: Level, tag: int, value: str) -> Iterator[Resource]:
        """The resources of a level with a term of `tag` that is `value` in upper or lower case."""
        wanted = folded_key(Kind.TAG, level, tag, value)
        cursor = self._txn.cursor(db=self._env.value)
        if not cursor.set_range(wanted):
            return
        for key, public in cursor.iternext():
            if key != wanted and not key.startswith(wanted + b"\0"):
                return
            resource = self.resource(level, public)
            if resource is not None:
                yield resource

    def image(self, resource: Resource) -> bytes | None:
        """The opaque frame map given with the instance, or None."""
        found = self._txn.get(keys.pack_id(resource.id), db=self._env.image)
        return None if found is None else bytes(found)

    def signature(self, number: int) -> str:
        """The text of a main tags signature."""
        found = self._txn.get(number.to_bytes(4, "big"), db=self._env.signature)
        return "" if found is None else bytes(found).decode()

    def metadata(self, resource: Resource) -> dict[int, str | bytes]:
        """All metadata by number, in ascending order, with those that the record holds
        elsewhere."""
        found: dict[int, str | bytes] = {**resource.metadata, **resource.user_metadata}
        if resource.level != Level.INSTANCE:
            found[LAST_UPDATE] = timestamp(resource.last_update)
        found[MAIN_DICOM_TAGS_SIGNATURE] = self.signature(resource.signature)
        return dict(sorted(found.items()))

    def totals(self) -> Totals:
        """The counters of the whole index."""
        found = self._txn.get(b"totals", db=self._env.globals)
        return Totals() if found is None else totals_decoder.decode(found)

    def property(self, name: str) -> bytes | None:
        """A property of the whole server (`Transaction.set_property`), None if it is not set."""
        found = self._txn.get(keys.property_key(name), db=self._env.globals)
        return None if found is None else bytes(found)

    def first_unstable(self) -> int | None:
        """The second in which the oldest unstable resource got its last instance, or None."""
        cursor = self._txn.cursor(db=self._env.unstable)
        return keys.unpack_unstable(cursor.key())[0] if cursor.first() else None

    def doomed(self) -> list[str]:
        """The UUIDs of files that no resource owns any more and that may still be on disk."""
        cursor = self._txn.cursor(db=self._env.doomed)
        return [bytes(key).decode() for key in cursor.iternext(keys=True, values=False)]

    def changes(
        self, since: int = 0, to: int = -1, limit: int = 100, types: frozenset[int] | None = None
    ) -> ChangesPage:
        """Changes after `since` up to and including `to` (-1: no bound), of `types` (None: all).

        With `to` and without a positive `since` it gives the `limit` last ones instead of the
        first. Source: reference chapter 1, section 7.2.
        """
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
        """The newest entry of the change log that is of one of `types`."""
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

    def transaction(self) -> lmdb.Transaction:
        """The LMDB transaction, for the other modules of this room."""
        return self._txn

    def environment(self) -> Environment:
        """The databases, for the other modules of this room."""
        return self._env
