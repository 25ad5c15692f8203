"""The order of results: by identifier, or as OrderBy asks. Source: reference chapter 1, section
9.5.

Large sets are ordered by walking the values in the index, group by group, so that what lies behind
the page asked for is never loaded; small ones by the values in their records.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from orthanc_fast._ext.idsets import sort, subtract
from orthanc_fast.dicom.identifiers import normalise
from orthanc_fast.index.terms import HEAD_SIZE, MAX_KEY, Kind, fold, folded_of, value_of
from orthanc_fast.model import SHA1, Level
from orthanc_fast.numerals import leading_decimal, leading_integer
from orthanc_fast.registries import LAST_UPDATE
from orthanc_fast.services.find.matching import IDENTIFIERS, are_plain
from orthanc_fast.services.find.order_values import OrderValues
from orthanc_fast.services.find.query import OrderKey, Tags
from orthanc_fast.services.store.terms import is_indexed_metadata, is_indexed_tag

# Up to this many resources it is cheaper to load them than to walk the values of the index; in a
# large store one of so many, since the walk passes by the values of all the others.
_LOADED = 500
_ONE_OF = 50

SortValue = Callable[[str], Any]


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _as_folded(text: str) -> bytes:
    """As `folded_of` of its key."""
    return _as_bytes(fold(text))[: MAX_KEY - HEAD_SIZE]


def _sort_value(key: OrderKey) -> SortValue:
    if key.conversion == "integer":
        return leading_integer
    if key.conversion == "float":
        return leading_decimal
    if key.conversion == "folded":
        return _as_folded
    if key.source == "tag" and key.number in IDENTIFIERS:
        return normalise
    return _as_bytes


def field_of(tags: Tags, level: Level, key: OrderKey) -> tuple[Kind, Level] | None:
    """Kind and level of the terms that have the values of a level, None without terms."""
    if key.source == "metadata":
        indexed = is_indexed_metadata(level, key.number)
        return (Kind.METADATA, level) if indexed else None
    home = tags.locate(key.number, level).level
    return (Kind.TAG, home) if is_indexed_tag(home, key.number) else None


class Ordering:
    """Orders sets of resources of one level as OrderBy asks."""

    def __init__(
        self, values: OrderValues, tags: Tags, level: Level, order: Sequence[OrderKey]
    ) -> None:
        self._values = values
        self._tags = tags
        self._level = level
        self._order = order

    def sequence(self, candidates: bytes | None, unseen: int = 0) -> Iterator[bytes]:
        """The resources of the set, None for all of the level, in order, as packed stretches; the
        first `unseen` of them, which nobody looks at, in no order.

        Those without a value come last in both directions, and equal ones in the order in which
        they came to be, in both directions, too.
        """
        return self._ordered(candidates, 0, unseen)

    def _ordered(self, candidates: bytes | None, depth: int, unseen: int = 0) -> Iterator[bytes]:
        if depth == len(self._order):
            known = self._values.everything() if candidates is None else candidates
            yield self._values.by_creation(known)
            return
        for group in self._groups(candidates, self._order[depth]):
            size = 0 if group is None else len(group) // SHA1
            if group is not None and (size <= 1 or size <= unseen):
                yield group
            else:
                yield from self._ordered(group, depth + 1, unseen)
            unseen = max(0, unseen - size)

    def _groups(self, candidates: bytes | None, key: OrderKey) -> Iterator[bytes | None]:
        """The sets of equal value, in order; None for all of the level."""
        if not self._tags.has_order(key, self._level):
            return iter((candidates,))  # nobody has a value
        field = field_of(self._tags, self._level, key)
        if field is None or (candidates is not None and self._are_few(candidates)):
            if candidates is None:
                candidates = self._values.everything()
            return self._loaded_groups(candidates, key)
        return self._walked_groups(candidates, key, *field)

    def _are_few(self, candidates: bytes) -> bool:
        size = len(candidates) // SHA1
        return size <= _LOADED or size * _ONE_OF <= self._values.amount()

    def _loaded_groups(self, candidates: bytes, key: OrderKey) -> Iterator[bytes]:
        convert = _sort_value(key)
        valued: list[tuple[Any, bytes]] = []
        without: list[bytes] = []
        for public, value in self._values.values(candidates, key):
            if value is None:
                without.append(public)
            else:
                valued.append((convert(value), public))
        # The candidates ascend, and sorting is stable in both directions.
        valued.sort(key=_first, reverse=key.descending)
        for _, group in groupby(valued, key=_first):
            yield b"".join(public for _, public in group)
        if without:
            yield b"".join(without)

    def _walked_groups(
        self, candidates: bytes | None, key: OrderKey, kind: Kind, home: Level
    ) -> Iterator[bytes]:
        seen: list[bytes] = []
        for group in self._values.sets(self._sorted_keys(key, kind, home), home, candidates):
            if group:
                seen.append(group)
                yield group
        known = self._values.everything() if candidates is None else candidates
        without = subtract(known, sort(b"".join(seen)))
        if without:
            yield without

    def _sorted_keys(self, key: OrderKey, kind: Kind, home: Level) -> Iterable[list[bytes]]:
        """Keys of equal sort value together, in order."""
        if (key.source, key.number, key.conversion) == ("metadata", LAST_UPDATE, "text"):
            # Timestamps are in order as they are: nothing needs to be read beyond the page.
            return ([each] for each in self._values.walk(kind, home, key.number, key.descending))
        if key.conversion == "folded":
            walk = self._values.walk(kind, home, key.number, key.descending)
            return (list(same) for _, same in groupby(walk, key=folded_of))
        keys = self._values.keys(kind, home, key.number)
        values = [each[HEAD_SIZE:] for each in keys]
        # Behind a zero the true value would follow, which is not the folded one.
        has_case = b"".join(values).find(b"\0") >= 0
        if key.conversion == "text" and not has_case and are_plain(values):
            # Nothing is folded or normalised: the order of the index is the one asked for.
            ordered = reversed(keys) if key.descending else keys
            return ([each] for each in ordered)
        convert = _sort_value_of_keys(key)
        pairs = [(convert(each), each) for each in keys]
        pairs.sort(key=_first, reverse=key.descending)
        return ([each for _, each in group] for _, group in groupby(pairs, key=_first))


def _sort_value_of_keys(key: OrderKey) -> Callable[[bytes], Any]:
    """As `_sort_value`, from the key of a term; texts as UTF-8, which orders them alike."""
    if key.conversion != "text":
        convert = _sort_value(key)
        return lambda term: convert(value_of(term) or "")
    if key.source == "tag" and key.number in IDENTIFIERS:
        return _normal_form
    return _spelling


def _normal_form(term: bytes) -> bytes:
    folded = folded_of(term)
    # Most are upper case ASCII, which is their normal form.
    return folded if are_plain((folded,)) else normalise(value_of(term) or "").encode()


def _spelling(term: bytes) -> bytes:
    folded, separator, value = term[HEAD_SIZE:].partition(b"\0")
    return value if separator else folded


def _first(pair: tuple[Any, bytes]) -> Any:
    return pair[0]
