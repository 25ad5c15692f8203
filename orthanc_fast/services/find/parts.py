"""The candidates of a query part by part, with a snapshot for each part and none in between: for
what takes long, as reading files does, or a reader who takes his time."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.services.find.facts import Facts, FileElement, FileReader
from orthanc_fast.services.find.matching import Matcher
from orthanc_fast.services.find.order_values import PartedValues
from orthanc_fast.services.find.ordering import Ordering
from orthanc_fast.services.find.other_matchers import InSequence
from orthanc_fast.services.find.planner import Filter, kept
from orthanc_fast.services.find.query import Condition, FindQuery, Tags
from orthanc_fast.services.store.lookup import first_instances, records
from orthanc_fast.services.store.reads import Reads

# Candidates whose records are read with one call: first as many as are wanted, then more each
# time, at most so many.
READ_AT_ONCE: Final = 200


class Left(NamedTuple):
    """What a snapshot leaves of a query for later ones: the set of the candidates, None for all of
    the level, and what each of them, and its file, has to pass."""

    candidates: bytes | None
    filters: list[Filter]
    in_files: list[Condition]
    is_hasty: bool = False  # see `Plan`


class Parts:
    """The parts of the candidates of one process's queries."""

    def __init__(self, reads: Reads, files: FileReader, tags: Tags) -> None:
        self._read = reads
        self._files = files
        self._tags = tags

    def meeting(self, caller: Caller, level: Level, part: bytes, left: Left) -> Iterator[bytes]:
        """Those of a part of the candidates, one by one."""
        tags = frozenset(tag for tag, _ in left.in_files)
        for public, instance in self._read(caller, partial(_to_read, level, part, left)):
            elements = self._files.read(instance, tags)
            if all(_meets(elements.get(tag), matcher) for tag, matcher in left.in_files):
                yield public

    def split(
        self,
        caller: Caller,
        query: FindQuery,
        candidates: bytes | None,
        wanted: int | None,
        after: bytes = b"",
        most: int | None = None,
    ) -> Iterator[bytes]:
        """The candidates some at a time, as `_amounts` says, without a snapshot in between; those
        whose identifier is above `after`, where the query has no order."""
        if query.order:
            values = PartedValues(self._read, caller, self._tags, query.level)
            ordering = Ordering(values, self._tags, query.level, query.order)
            yield from in_parts(_once(ordering.sequence(candidates)), wanted, most)
            return
        if candidates is not None:
            yield from in_parts((_above(candidates, after),), wanted, most)
            return
        part = after
        for amount in _amounts(wanted, most):
            part = self._read(caller, partial(_behind, query.level, part[-SHA1:], amount))
            if not part:
                return
            yield part


def _above(packed: bytes, public: bytes) -> bytes:
    """The members of a set behind `public`."""
    if not public:
        return packed
    low, high = 0, len(packed) // SHA1
    while low < high:
        middle = (low + high) // 2
        if packed[middle * SHA1 : (middle + 1) * SHA1] <= public:
            low = middle + 1
        else:
            high = middle
    return packed[low * SHA1 :]


def _once(stretches: Iterable[bytes]) -> Iterator[bytes]:
    """Without those that have been there before: their value has changed since."""
    seen: set[bytes] = set()
    for stretch in stretches:
        new = [public for public in unpack(stretch) if public not in seen]
        seen.update(new)
        yield stretch if len(new) * SHA1 == len(stretch) else b"".join(new)


def _behind(level: Level, public: bytes, amount: int, view: Snapshot) -> bytes:
    """The next resources of the level behind `public`."""
    return b"".join(islice(view.search.scan(level, public), amount))


def _to_read(level: Level, part: bytes, left: Left, view: Snapshot) -> list[tuple[bytes, Resource]]:
    """Those of a part that pass the filters, with the instance whose file stands for each."""
    facts = Facts(view)
    found = [
        resource
        for some in records(view, level, part)
        for resource in kept(facts, some, left.filters)
    ]
    instances = first_instances(view, found)
    pairs = zip(found, instances, strict=True)
    return [(each.public, instance) for each, instance in pairs if instance is not None]


def _amounts(wanted: int | None, most: int | None = None) -> Iterator[int]:
    """How many candidates to look at with one call, again and again, where `wanted` results are
    enough: mostly one in a few matches; never more than `most`, or READ_AT_ONCE."""
    most = READ_AT_ONCE if most is None else most
    amount = most if wanted is None else min(wanted, most)
    while True:
        yield amount
        amount = min(2 * amount, most)


def in_parts(
    stretches: Iterable[bytes], wanted: int | None, most: int | None = None
) -> Iterator[bytes]:
    """The same packed list in parts of `_amounts`, the last one shorter."""
    amounts = _amounts(wanted, most)
    size, waiting = next(amounts) * SHA1, b""
    for stretch in stretches:
        waiting += stretch
        start = 0
        while len(waiting) - start >= size:
            yield waiting[start : start + size]
            start += size
            size = next(amounts) * SHA1
        waiting = waiting[start:]
    if waiting:
        yield waiting


def _meets(element: FileElement | None, matcher: Matcher) -> bool:
    if isinstance(matcher, InSequence):
        return element is not None and matcher.meets({"Value": element.Value})
    text = None if element is None else element.text
    if text is None and matcher.finds_absent:
        return element is None or element.Type == "Null"
    return text is not None and matcher.exact(text)
