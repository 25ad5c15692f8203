"""Searching one snapshot by terms. Sets of resources are packed: their SHA-1 values, ascending, 20
bytes each, as `orthanc_fast._ext.idsets` works on them."""

from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from typing import cast

import lmdb
import msgspec

from orthanc_fast._ext.idsets import sort
from orthanc_fast.index.lmdb.view import PACKED_OFFSET, PACKED_STRIDE, View
from orthanc_fast.index.terms import Kind, field_prefix, folded_key
from orthanc_fast.model import SHA1, Level

# Members of terms that are read in one go.
_READ_AT_ONCE = 1000


class _Links(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a `Resource`."""

    level: Level
    public: bytes
    id: int
    parent: int
    parent_public: bytes


_links_decoder = msgspec.msgpack.Decoder(_Links)


class Search:
    """The terms of a view: from values to keys, from keys to sets of resources."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._txn = view.transaction()
        self._env = view.environment()

    # Keys

    def equal(self, kind: Kind, level: int, number: int, value: str) -> list[bytes]:
        """The keys whose value is `value` in upper or lower case."""
        wanted = folded_key(kind, level, number, value)
        found = []
        cursor = self._txn.cursor(db=self._env.value)
        if cursor.set_range(wanted):
            for key in _keys(cursor):
                if key != wanted and not key.startswith(wanted + b"\0"):
                    break
                found.append(key)
        return found

    def between(
        self, kind: Kind, level: int, number: int, low: bytes = b"", high: bytes | None = None
    ) -> list[bytes]:
        """The keys whose folded value begins at or after `low` and does not lie above `high`, in
        ascending order; None is no bound."""
        prefix = field_prefix(kind, level, number)
        # All that begins with the upper bound, the bound's other spellings included, lies below.
        stop = successor(prefix) if high is None else prefix + high + b"\1"
        found = []
        cursor = self._txn.cursor(db=self._env.value)
        if cursor.set_range(prefix + low):
            for key in _keys(cursor):
                if key >= stop:
                    break
                found.append(key)
        return found

    def walk(self, kind: Kind, level: int, number: int, descending: bool) -> Iterator[bytes]:
        """All keys of a field one by one, from either end."""
        prefix = field_prefix(kind, level, number)
        cursor = self._txn.cursor(db=self._env.value)
        if not descending:
            found = cursor.set_range(prefix)
            keys = _keys(cursor) if found else iter(())
        else:
            found = cursor.prev() if cursor.set_range(successor(prefix)) else cursor.last()
            backwards = cursor.iterprev_nodup(keys=True, values=False)
            keys = cast(Iterator[bytes], backwards) if found else iter(())
        return takewhile(lambda key: key.startswith(prefix), keys)

    # From keys to resources

    def count(self, found: Iterable[bytes]) -> int:
        """How many resources lie under these keys."""
        cursor = self._txn.cursor(db=self._env.value)
        return sum(int(cursor.count()) for key in found if cursor.set_key(key))

    def members(self, found: Iterable[bytes]) -> bytes:
        """The set of the resources under these keys."""
        by_length: dict[int, list[bytes]] = {}
        for key in found:
            by_length.setdefault(len(key), []).append(key)
        parts = [
            sort(
                self._txn.cursor(db=self._env.value).getmulti(
                    same, dupdata=True, dupfixed_bytes=SHA1, keyfixed=True
                ),
                length + SHA1,
                length,
            )
            for length, same in by_length.items()
        ]
        return parts[0] if len(parts) == 1 else self.union(parts)

    def sets(self, groups: Iterable[list[bytes]]) -> Iterator[bytes]:
        """The set of the resources under the keys of each group, in turn. Many small ones are read
        at once, large ones one by one: whoever stops early has not waited for much more."""
        cursor = self._txn.cursor(db=self._env.value)
        remaining, amount = iter(groups), 1
        while chunk := list(islice(remaining, amount)):
            members: dict[bytes, list[bytes]] = {}
            wanted = [key for keys in chunk for key in keys]
            pairs = cast(list[tuple[bytes, bytes]], cursor.getmulti(wanted, dupdata=True))
            for key, public in pairs:
                members.setdefault(key, []).append(public)
            for keys in chunk:
                parts = [public for key in keys for public in members.get(key, ())]
                yield b"".join(parts) if len(keys) == 1 else sort(b"".join(parts))
            # As many as have been small so far; the next ones may be larger.
            amount = max(1, min(_READ_AT_ONCE * len(chunk) // (len(pairs) or 1), 4 * len(chunk)))

    def union(self, parts: Iterable[bytes]) -> bytes:
        """What is in any of the sets."""
        return sort(b"".join(parts))

    # Along the hierarchy

    def descend(self, packed: bytes, level: int, to: int) -> bytes:
        """The set of the descendants at level `to` of resources of `level`."""
        for at in range(level, to):
            cursor = self._txn.cursor(db=self._env.child)
            children = cursor.getmulti(
                self._ids(packed, at), dupdata=True, dupfixed_bytes=SHA1, keyfixed=True
            )
            packed = sort(children, PACKED_STRIDE, PACKED_OFFSET)
        return packed

    def ascend(self, packed: bytes, level: int) -> bytes:
        """The set of the parents of resources of `level`."""
        records = self._txn.cursor(db=self._env.resource).getmulti(self._ids(packed, level))
        return sort(b"".join({_links_decoder.decode(value).parent_public for _, value in records}))

    def everything(self, level: int) -> bytes:
        """The set of all resources of a level."""
        return self.view.listing_packed(Level(level))

    def scan(self, level: int) -> Iterator[bytes]:
        """All resources of a level one by one, in ascending order."""
        cursor = self._txn.cursor(db=self._env.public)
        if cursor.set_range(bytes([level])):
            stop = bytes([level + 1])
            yield from (key[1:] for key in takewhile(stop.__gt__, _keys(cursor)))

    def _ids(self, packed: bytes, level: int) -> list[bytes]:
        prefix = level.to_bytes(1, "big")
        wanted = [prefix + public for public in unpack(packed)]
        found = self._txn.cursor(db=self._env.public).getmulti(wanted)
        return [cast(bytes, value) for _, value in found]


def _keys(cursor: lmdb.Cursor) -> Iterator[bytes]:
    return cast(Iterator[bytes], cursor.iternext_nodup(keys=True, values=False))


def unpack(packed: bytes) -> Iterator[bytes]:
    """The members of a set, one by one."""
    return (packed[at : at + SHA1] for at in range(0, len(packed), SHA1))


def successor(prefix: bytes) -> bytes:
    """The first key after all those that begin with `prefix`."""
    return (int.from_bytes(prefix, "big") + 1).to_bytes(len(prefix), "big")
