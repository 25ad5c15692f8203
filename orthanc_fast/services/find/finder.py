"""Runs queries. Source: reference chapter 1, section 9."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.errors import BadRequest
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import union, unpack
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.find.facts import Facts, FileElement, FileReader
from orthanc_fast.services.find.matching import IDENTIFIERS, Equality, Matcher
from orthanc_fast.services.find.options import FindOptions
from orthanc_fast.services.find.order_values import PartedValues, SnapshotValues
from orthanc_fast.services.find.ordering import Ordering
from orthanc_fast.services.find.planner import Filter, Plan, Planner, kept
from orthanc_fast.services.find.query import Below, Condition, FindQuery, Place, Tags
from orthanc_fast.services.store.lookup import first_instances, records, records_of_any_level
from orthanc_fast.services.store.reads import Reads

T = TypeVar("T")

# A query that may have to test or order more resources than this runs in a thread.
_TESTED_AT_ONCE = 1000
# Candidates whose records are read with one call: first as many as the page asks for, then more
# each time, at most so many.
_READ_AT_ONCE = 200
# And where nobody says how many he wants, but wants the first ones soon.
_FIRST_PAGE = 10
# Below this many instances no query is long.
_SMALL = 50_000


class Found(NamedTuple):
    """A page of SHA-1 values in order, 20 bytes each; and how many there are on all pages, where
    that is known without looking further."""

    packed: bytes
    total: int | None


class Finder:
    """Searches of one process; its methods may run in several threads at once."""

    def __init__(
        self,
        reads: Reads,
        instance_tags: InstanceTags,
        dictionary: Dictionary,
        main_tags: MainTags,
        options: FindOptions,
    ) -> None:
        self._read = reads
        self.files = FileReader(instance_tags)
        self.tags = Tags(dictionary, main_tags)
        self.options = options

    def limit(self, query: FindQuery, since_given: bool) -> None:
        """Bounds a query that names no limit, or a larger one, by the configuration. `since` alone
        lifts the bound, as with Orthanc: section 9.4."""
        of_instances = query.level == Level.INSTANCE
        bound = self.options.limit_instances if of_instances else self.options.limit_results
        if not bound:
            return
        if query.limit:
            query.limit = min(query.limit, bound)
        elif not since_given:
            query.limit = bound

    async def found(self, caller: Caller, query: FindQuery) -> Found:
        """As `find`, for an event loop: in a thread where that may take more than some
        milliseconds."""
        found = None
        if self._read.in_place and not self._is_broad(caller, query):
            found = self._find(caller, query, patient=False)
        return await asyncio.to_thread(self.find, caller, query) if found is None else found

    def find(self, caller: Caller, query: FindQuery) -> Found:
        """The page asked for.

        Raises OrthancError 1012 for a tag that cannot be asked of this level.
        """
        found = self._find(caller, query, patient=True)
        assert found is not None
        return found

    def _find(self, caller: Caller, query: FindQuery, patient: bool) -> Found | None:
        found = self._read(caller, lambda view: self._found_in_index(view, query, patient))
        if isinstance(found, _Left):
            matching = self._matching_files(caller, query, found)
            packed = _page(matching, query.since, _stop(query))
            return Found(packed, _total_of_last_page(packed, query))
        return found

    def _found_in_index(
        self, view: Snapshot, query: FindQuery, patient: bool
    ) -> "Found | _Left | None":
        """The page, or what is to be done when the snapshot is closed; None where that takes
        patience."""
        search, facts = view.search, Facts(view)
        plan = Planner(search, facts, self.tags, self.options.files_allowed).plan(query)
        if plan is None:
            return Found(b"", 0)
        if not patient and self._is_long(view, query, plan):
            return None
        if plan.in_files:
            return _Left(plan.candidates, plan.filters, plan.in_files)
        if plan.filters:
            matching = self._matching(facts, plan, query)
            packed = _page(matching, query.since, _stop(query))
            return Found(packed, _total_of_last_page(packed, query))
        total = view.totals().resources[query.level] if plan.size is None else plan.size
        if plan.candidates is None and not query.order:
            return Found(view.listing_packed(query.level, query.since, query.limit), total)
        sequence = self._sequence(facts, query, plan.candidates)
        return Found(_page(sequence, query.since, _stop(query)), total)

    def _sequence(
        self, facts: Facts, query: FindQuery, candidates: bytes | None
    ) -> Iterator[bytes]:
        """The candidates, None for all of the level, in order: by identifier, or as asked for."""
        if query.order:
            values = SnapshotValues(facts, self.tags, query.level)
            return Ordering(values, self.tags, query.level, query.order).sequence(candidates)
        return facts.view.search.scan(query.level) if candidates is None else iter((candidates,))

    def pages(
        self, caller: Caller, query: FindQuery, show: Callable[[Facts, list[Resource]], list[T]]
    ) -> Iterator[list[T]]:
        """What `show` makes of the resources that match, some at a time, by identifier, at most
        `query.limit`: for who takes his time. What `show` leaves in `Facts.after` is done when its
        snapshot is closed, and none is open between the pages: what was deleted meanwhile is left
        out, what was there all the time is shown exactly once. Where a part of the candidates does
        not match, its page is empty.

        Raises OrthancError 1012 as `find`.
        """
        left = self._read(caller, partial(self._planned, query))
        if left is None:
            return
        room = query.limit or None
        first = _FIRST_PAGE if room is None else min(room, _FIRST_PAGE)
        for part in self._parts(caller, query, left.candidates, first):
            filters = left.filters
            if left.in_files:
                part, filters = b"".join(self._meeting(caller, query.level, part, left)), []
            shown, after = self._read(
                caller, partial(_shown, query.level, part, filters, room, show)
            )
            for work in after:
                work()
            yield shown
            if room is not None:
                room -= len(shown)
                if not room:
                    return

    def _planned(self, query: FindQuery, view: Snapshot) -> "_Left | None":
        """None where nothing can match."""
        plan = Planner(view.search, Facts(view), self.tags, self.options.files_allowed).plan(query)
        return None if plan is None else _Left(plan.candidates, plan.filters, plan.in_files)

    async def counted(self, caller: Caller, query: FindQuery) -> int:
        """As `count`, for an event loop: see `found`."""
        count = self._count(caller, query, patient=False) if self._read.in_place else None
        return await asyncio.to_thread(self.count, caller, query) if count is None else count

    def count(self, caller: Caller, query: FindQuery) -> int:
        """How many resources match, without paging. Raises BadRequest for tags that are not in the
        index."""
        found = self._count(caller, query, patient=True)
        assert found is not None
        return found

    def _count(self, caller: Caller, query: FindQuery, patient: bool) -> int | None:
        for tag, _ in query.conditions:
            if self.tags.locate(tag, query.level).place not in _COUNTED:
                raise BadRequest("only main DICOM tags can be counted")
        if not patient and self._is_broad(caller, query):
            return None
        query.below = Below.COUNTED
        query.since = query.limit = 0
        query.order = []

        def read(view: Snapshot) -> int | None:
            search, facts = view.search, Facts(view)
            plan = Planner(search, facts, self.tags, files_allowed=False).plan(query)
            if plan is None:
                return 0
            if not plan.tests:
                known = plan.size
                return view.totals().resources[query.level] if known is None else known
            if not patient and self._is_long(view, query, plan):
                return None
            matching = self._matching(facts, plan, query)
            return sum(1 for _ in matching)

        return self._read(caller, read)

    def relatives(self, caller: Caller, publics: Iterable[bytes], level: Level) -> bytes:
        """The ancestors or descendants at `level` of resources of any level, as a set; unknown
        ones are ignored."""

        def read(view: Snapshot) -> bytes:
            search = view.search
            by_level: dict[int, list[bytes]] = {}
            for resource in records_of_any_level(view, publics):
                by_level.setdefault(resource.level, []).append(resource.public)
            parts = []
            for own, members in by_level.items():
                packed = union(members)
                for at in range(own, level, -1):
                    packed = search.ascend(packed, at)
                parts.append(search.descend(packed, own, level))
            return union(parts)

        return self._read(caller, read)

    def _is_broad(self, caller: Caller, query: FindQuery) -> bool:
        """Whether already the planning may take long: many instances, and nothing to find few."""
        if query.level < Level.INSTANCE or query.parent is not None:
            return False
        if any(
            isinstance(matcher, Equality) and tag in IDENTIFIERS
            for tag, matcher in query.conditions
        ):
            return False
        return self._read(caller, lambda view: view.totals()).resources[Level.INSTANCE] > _SMALL

    def _is_long(self, view: Snapshot, query: FindQuery, plan: Plan) -> bool:
        if plan.in_files:
            return True
        size = view.totals().resources[query.level] if plan.size is None else plan.size
        return bool(plan.tests or query.order) and size > _TESTED_AT_ONCE

    def _matching(self, facts: Facts, plan: Plan, query: FindQuery) -> Iterator[bytes]:
        """The candidates that pass all filters, one by one."""
        for packed in _in_parts(self._sequence(facts, query, plan.candidates), _stop(query)):
            for part in records(facts.view, query.level, packed):
                for resource in kept(facts, part, plan.filters):
                    yield resource.public

    def _matching_files(self, caller: Caller, query: FindQuery, left: "_Left") -> Iterator[bytes]:
        """The candidates that pass all filters and whose file meets the conditions, one by one. A
        snapshot is open for one part of them at a time, and never while files are read. In long
        searches what was deleted meanwhile is left out; what was there all the time is tested
        exactly once, and what came meanwhile may be."""
        for part in self._parts(caller, query, left.candidates, _stop(query)):
            yield from self._meeting(caller, query.level, part, left)

    def _meeting(self, caller: Caller, level: Level, part: bytes, left: "_Left") -> Iterator[bytes]:
        """Those of a part of the candidates, one by one."""
        tags = frozenset(tag for tag, _ in left.in_files)
        for public, instance in self._read(caller, partial(_to_read, level, part, left)):
            elements = self.files.read(instance, tags)
            if all(_meets(elements.get(tag), matcher) for tag, matcher in left.in_files):
                yield public

    def _parts(
        self, caller: Caller, query: FindQuery, candidates: bytes | None, wanted: int | None
    ) -> Iterator[bytes]:
        """The candidates some at a time, as `_amounts` says, without a snapshot in between."""
        if query.order:
            values = PartedValues(self._read, caller, self.tags, query.level)
            ordering = Ordering(values, self.tags, query.level, query.order)
            yield from _in_parts(_once(ordering.sequence(candidates)), wanted)
            return
        if candidates is not None:
            yield from _in_parts((candidates,), wanted)
            return
        part = b""
        for amount in _amounts(wanted):
            part = self._read(caller, partial(_behind, query.level, part[-SHA1:], amount))
            if not part:
                return
            yield part


class _Left(NamedTuple):
    """What a snapshot leaves of a query for later ones: the set of the candidates, None for all of
    the level, and what each of them, and its file, has to pass."""

    candidates: bytes | None
    filters: list[Filter]
    in_files: list[Condition]


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


def _to_read(
    level: Level, part: bytes, left: _Left, view: Snapshot
) -> list[tuple[bytes, Resource]]:
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


def _shown(
    level: Level,
    part: bytes,
    filters: list[Filter],
    room: int | None,
    show: Callable[[Facts, list[Resource]], list[T]],
    view: Snapshot,
) -> tuple[list[T], list[Callable[[], None]]]:
    """What `show` makes of those of a part that pass the filters, at most `room` of them; and the
    work that is left."""
    facts = Facts(view)
    found = [each for some in records(view, level, part) for each in kept(facts, some, filters)]
    return show(facts, found[:room]), facts.after


def _amounts(wanted: int | None) -> Iterator[int]:
    """How many candidates to look at with one call, again and again, where `wanted` results are
    enough: mostly one in a few matches."""
    amount = _READ_AT_ONCE if wanted is None else min(wanted, _READ_AT_ONCE)
    while True:
        yield amount
        amount = min(2 * amount, _READ_AT_ONCE)


def _in_parts(stretches: Iterable[bytes], wanted: int | None) -> Iterator[bytes]:
    """The same packed list in parts of `_amounts`, the last one shorter."""
    amounts = _amounts(wanted)
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
    return element is not None and element.text is not None and matcher.exact(element.text)


def _stop(query: FindQuery) -> int | None:
    """The position behind the page."""
    return query.since + query.limit if query.limit else None


_COUNTED = frozenset({Place.MAIN, Place.BELOW, Place.FAR_BELOW, Place.MODALITIES})


def _total_of_last_page(packed: bytes, query: FindQuery) -> int | None:
    """The end of the results tells their number, if it has been seen."""
    size = len(packed) // SHA1
    is_last = not query.limit or size < query.limit
    return query.since + size if is_last and (size or not query.since) else None


def _page(stretches: Iterator[bytes], since: int, stop: int | None) -> bytes:
    """The members of the stretches from position `since` until `stop`; asks for no more."""
    found: list[bytes] = []
    position = 0
    for stretch in stretches:
        amount = len(stretch) // SHA1
        low = max(0, since - position)
        high = amount if stop is None else min(amount, stop - position)
        if low < high:
            found.append(stretch[low * SHA1 : high * SHA1])
        position += amount
        if stop is not None and position >= stop:
            break
    return b"".join(found)
