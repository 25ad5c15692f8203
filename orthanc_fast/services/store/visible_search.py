"""The search by terms, for a caller who sees some studies only."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from orthanc_fast.index.contract import Search
from orthanc_fast.index.packed import intersection, union, unpack
from orthanc_fast.index.terms import Kind, level_of
from orthanc_fast.model import SHA1, Level

_KEY_LENGTH = 2  # bytes in front of the key of a packed row


class VisibleSearch(Search):
    """What `inner` finds, without what is not in the sets that `shown` gives for each level. No key
    shows that a value exists among the rest."""

    def __init__(self, inner: Search, shown: Callable[[Level], bytes]) -> None:
        self._inner = inner
        self._shown = shown

    # From values to keys

    def equal(self, kind: Kind, level: int, number: int, value: str) -> list[bytes]:
        return [key for key in self._inner.equal(kind, level, number, value) if self._is_seen(key)]

    def between(
        self, kind: Kind, level: int, number: int, low: bytes = b"", high: bytes | None = None
    ) -> list[bytes]:
        found: dict[bytes, None] = {}
        for rows in self.rows(kind, level, number, low, high):
            found.update((row[_KEY_LENGTH:-SHA1], None) for row in _each(rows))
        return list(found)

    def rows(
        self, kind: Kind, level: int, number: int, low: bytes = b"", high: bytes | None = None
    ) -> Iterator[bytes]:
        seen = frozenset(unpack(self._shown(Level(level))))
        for rows in self._inner.rows(kind, level, number, low, high):
            kept = b"".join(row for row in _each(rows) if row[-SHA1:] in seen)
            if kept:
                yield kept

    def walk(self, kind: Kind, level: int, number: int, descending: bool) -> Iterator[bytes]:
        return filter(self._is_seen, self._inner.walk(kind, level, number, descending))

    def _is_seen(self, key: bytes) -> bool:
        return bool(self.members((key,)))

    # From keys to resources

    def count(self, keys: Iterable[bytes]) -> int:
        return sum(len(self.members((key,))) // SHA1 for key in keys)

    def members(self, keys: Iterable[bytes]) -> bytes:
        by_level: dict[Level, list[bytes]] = {}
        for key in keys:
            by_level.setdefault(level_of(key), []).append(key)
        return union(
            intersection(self._inner.members(same), self._shown(level))
            for level, same in by_level.items()
        )

    def sets(self, groups: Iterable[list[bytes]], within: bytes | None = None) -> Iterator[bytes]:
        # Groups are of one field, hence of one level.
        remaining = iter(groups)
        for first in remaining:
            if first:
                shown = self._shown(level_of(first[0]))
                kept = shown if within is None else intersection(shown, within)
                yield from self._inner.sets(chain((first,), remaining), kept)
                return
            yield b""

    # Along the hierarchy

    def descend(self, packed: bytes, level: int, to: int) -> bytes:
        # What is below a study that is seen is seen too; below a patient some studies are not.
        packed = intersection(packed, self._shown(Level(level)))
        if level == Level.PATIENT and to > level:
            studies = self._inner.descend(packed, level, Level.STUDY)
            packed, level = intersection(studies, self._shown(Level.STUDY)), Level.STUDY
        return self._inner.descend(packed, level, to)

    def ascend(self, packed: bytes, level: int) -> bytes:
        if level == Level.STUDY:
            packed = intersection(packed, self._shown(Level.STUDY))
        above = self._inner.ascend(packed, level)
        return above if level == Level.STUDY else intersection(above, self._shown(Level(level - 1)))

    def scan(self, level: int, after: bytes = b"") -> Iterator[bytes]:
        packed = self._shown(Level(level))
        low, high = 0, len(packed) // SHA1
        while low < high:
            middle = (low + high) // 2
            if packed[middle * SHA1 : (middle + 1) * SHA1] <= after:
                low = middle + 1
            else:
                high = middle
        return unpack(packed[low * SHA1 :])


def _each(rows: bytes) -> Iterator[bytes]:
    """Rows one by one, as they are packed: the length of the key, the key, the resource."""
    at, stop = 0, len(rows)
    while at < stop:
        end = at + _KEY_LENGTH + int.from_bytes(rows[at : at + _KEY_LENGTH], "big") + SHA1
        yield rows[at:end]
        at = end
