"""Searching one snapshot of the LMDB index by terms."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from operator import itemgetter
from typing import Final, cast

import lmdb
import msgspec

from orthanc_fast._ext.idsets import by_key, sort
from orthanc_fast._ext.wildcards import pack
from orthanc_fast.index.contract import Search
from orthanc_fast.index.lmdb.environment import Environment
from orthanc_fast.index.packed import union, unpack
from orthanc_fast.index.terms import Kind, between_bounds, field_prefix, folded_key, successor
from orthanc_fast.model import SHA1, Level

# Stride and offset of the identifiers where children are read together: each follows the 8 bytes of
# its key.
CHILD_STRIDE = 28
CHILD_OFFSET = 8

_key_of = itemgetter(0)

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


# Keys that are read before the bound is looked at.
_FIRST_KEYS: Final = 4
_MORE_KEYS: Final = 100
# Pairs that are alive together; with more than 700 the garbage collector looks at them.
_MORE_ROWS: Final = 500


class LmdbSearch(Search):
    """See the contract."""

    def __init__(self, env: Environment, txn: lmdb.Transaction) -> None:
        self._env = env
        self._txn = txn

    # Keys

    def equal(self, kind: Kind, level: int, number: int, value: str) -> list[bytes]:
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
        first, stop = between_bounds(kind, level, number, low, high)
        found: list[bytes] = []
        cursor = self._txn.cursor(db=self._env.value)
        if cursor.set_range(first):
            keys, amount = _keys(cursor), _FIRST_KEYS
            while chunk := list(islice(keys, amount)):
                if chunk[-1] >= stop:
                    return found + chunk[: bisect_left(chunk, stop)]
                found += chunk
                amount = _MORE_KEYS  # without a look at each
        return found

    def rows(
        self, kind: Kind, level: int, number: int, low: bytes = b"", high: bytes | None = None
    ) -> Iterator[bytes]:
        bounds = between_bounds(kind, level, number, low, high)
        columns, transaction = self._env.columns, self._txn.id()
        known = columns.get(transaction, bounds)
        if known is not None:
            yield from known
            return
        read: list[bytes] = []
        size = 0
        for rows in self._rows(*bounds):
            size += len(rows)
            if columns.fits(size):
                read.append(rows)
            else:
                read.clear()
            yield rows
        if columns.fits(size):
            columns.put(transaction, bounds, read)

    def _rows(self, first: bytes, stop: bytes) -> Iterator[bytes]:
        cursor = self._txn.cursor(db=self._env.value)
        if not cursor.set_range(first):
            return
        pairs = cast(Iterator[tuple[bytes, bytes]], cursor.iternext(keys=True, values=True))
        amount = _MORE_KEYS
        while chunk := list(islice(pairs, amount)):
            if chunk[-1][0] >= stop:
                if chunk := chunk[: bisect_left(chunk, stop, key=_key_of)]:
                    yield pack(chunk)
                return
            yield pack(chunk)
            amount = _MORE_ROWS

    def walk(self, kind: Kind, level: int, number: int, descending: bool) -> Iterator[bytes]:
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
        cursor = self._txn.cursor(db=self._env.value)
        return sum(int(cursor.count()) for key in found if cursor.set_key(key))

    def members(self, found: Iterable[bytes]) -> bytes:
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
        return parts[0] if len(parts) == 1 else union(parts)

    def sets(self, groups: Iterable[list[bytes]], within: bytes | None = None) -> Iterator[bytes]:
        """Many small ones are read at once, large ones one by one: whoever stops early has not
        waited for much more."""
        cursor = self._txn.cursor(db=self._env.value)
        remaining, amount = iter(groups), 1
        while chunk := list(islice(remaining, amount)):
            by_length: dict[int, list[bytes]] = {}
            for key in dict.fromkeys(key for keys in chunk for key in keys):
                by_length.setdefault(len(key), []).append(key)
            members: dict[bytes, bytes] = {}
            read = 0
            for length, same in by_length.items():
                rows = cursor.getmulti(same, dupdata=True, dupfixed_bytes=SHA1, keyfixed=True)
                members.update(by_key(rows, length, within))
                read += len(rows) // (length + SHA1)
            for keys in chunk:
                if len(keys) == 1:
                    yield members.get(keys[0], b"")
                else:
                    yield union(members.get(key, b"") for key in keys)
            # As many as have been small so far; the next ones may be larger.
            amount = max(1, min(_READ_AT_ONCE * len(chunk) // (read or 1), 4 * len(chunk)))

    # Along the hierarchy

    def descend(self, packed: bytes, level: int, to: int) -> bytes:
        for at in range(level, to):
            cursor = self._txn.cursor(db=self._env.child)
            children = cursor.getmulti(
                self._ids(packed, at), dupdata=True, dupfixed_bytes=SHA1, keyfixed=True
            )
            packed = sort(children, CHILD_STRIDE, CHILD_OFFSET)
        return packed

    def ascend(self, packed: bytes, level: int) -> bytes:
        records = self._txn.cursor(db=self._env.resource).getmulti(self._ids(packed, level))
        return sort(b"".join({_links_decoder.decode(value).parent_public for _, value in records}))

    def scan(self, level: int, after: bytes = b"") -> Iterator[bytes]:
        cursor = self._txn.cursor(db=self._env.public)
        # No key lies between `after` and what follows it with a zero behind.
        first = bytes([level]) + after + (b"\0" if after else b"")
        if cursor.set_range(first):
            stop = bytes([level + 1])
            yield from (key[1:] for key in takewhile(stop.__gt__, _keys(cursor)))

    def _ids(self, packed: bytes, level: int) -> list[bytes]:
        prefix = level.to_bytes(1, "big")
        wanted = [prefix + public for public in unpack(packed)]
        found = self._txn.cursor(db=self._env.public).getmulti(wanted)
        return [cast(bytes, value) for _, value in found]


def _keys(cursor: lmdb.Cursor) -> Iterator[bytes]:
    return cast(Iterator[bytes], cursor.iternext_nodup(keys=True, values=False))
