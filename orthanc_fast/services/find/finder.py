"""Runs queries. Source: reference chapter 1, section 9."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.errors import BadRequest
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import union
from orthanc_fast.model import SHA1, Caller, Level
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.find.facts import Facts, FileReader
from orthanc_fast.services.find.matching import IDENTIFIERS, Equality
from orthanc_fast.services.find.options import FindOptions
from orthanc_fast.services.find.order_values import SnapshotValues
from orthanc_fast.services.find.ordering import Ordering, field_of
from orthanc_fast.services.find.parts import Left, Parts, in_parts
from orthanc_fast.services.find.planner import Filter, Plan, Planner, kept, passing
from orthanc_fast.services.find.query import Below, FindQuery, Place, Tags
from orthanc_fast.services.store.lookup import records, records_of_any_level
from orthanc_fast.services.store.reads import Reads

# A query that may have to test more resources than this, or to order them by their records, runs in
# a thread.
_TESTED_AT_ONCE = 1000
# So does one that walks over the values of more resources than this, to find what matches or to put
# them in order, or that walks further than so many results.
_WALKED_AT_ONCE = 20_000
_RESULTS_AT_ONCE = 5000
# Candidates of the first part of many.
_FEW = 10
# More results than this are not put in order before the first of them is shown.
_MANY = 5000
# Below this many instances no query is long.
_SMALL = 50_000


# Tells, in any thread and while it is entered, whether nobody waits for the results any more.
Presence = Callable[[], AbstractContextManager[Callable[[], bool]]]


def _somebody() -> AbstractContextManager[Callable[[], bool]]:
    return nullcontext(lambda: False)


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

    async def found(
        self, caller: Caller, query: FindQuery, presence: Presence = _somebody
    ) -> Found:
        """As `find`, for an event loop: in a thread where that may take more than some
        milliseconds, and only as long as somebody waits for it, which is asked then."""
        found = None
        if self._read.in_place and not self._is_broad(caller, query):
            found = self._find(caller, query, patient=False)
        if found is not None:
            return found
        with presence() as is_over:
            return await asyncio.to_thread(self.find, caller, query, is_over)

    def find(
        self, caller: Caller, query: FindQuery, is_over: Callable[[], bool] = lambda: False
    ) -> Found:
        """The page asked for; what has been found so far once `is_over`, when nobody waits for it
        any more.

        Raises OrthancError 1012 for a tag that cannot be asked of this level.
        """
        found = self._find(caller, query, True, is_over)
        assert found is not None
        return found

    def _find(
        self,
        caller: Caller,
        query: FindQuery,
        patient: bool,
        is_over: Callable[[], bool] = lambda: False,
    ) -> Found | None:
        found = self._read(caller, lambda view: self._found_in_index(view, query, patient))
        if isinstance(found, Left):
            matching = self._matching_files(caller, query, found, is_over)
            packed = _page(matching, query.since, _stop(query))
            return Found(packed, _total_of_last_page(packed, query))
        return found

    def unbounded(
        self, caller: Caller, query: FindQuery, is_over: Callable[[], bool] = lambda: False
    ) -> tuple[int | None, Iterator[bytes]]:
        """What a query without a limit finds, for who takes it one part after the other and wants
        the first one soon: how many there are, where that is known without looking further, and
        packed lists of a few. Waits for the disk: for a thread, as its iterator is.

        No snapshot is open between two parts. What is deleted meanwhile may be among them. The
        iterator ends as soon as `is_over`: nobody waits for it any more.
        """
        left, total = self._read(caller, partial(self._left, query))
        passing = iter(()) if left is None else self._passing(caller, query, left, is_over)
        return total, passing

    def _left(self, query: FindQuery, view: Snapshot) -> tuple[Left | None, int | None]:
        """What is to be looked at one by one; and how many that is, where all of it matches."""
        plan = Planner(view.search, Facts(view), self.tags, self.options.files_allowed).plan(query)
        if plan is None:
            return None, 0
        size = view.totals().resources[query.level] if plan.size is None else plan.size
        left = Left(plan.candidates, plan.filters, plan.in_files)
        return left, None if plan.tests else size

    def _passing(
        self, caller: Caller, query: FindQuery, left: Left, is_over: Callable[[], bool]
    ) -> Iterator[bytes]:
        parts = Parts(self._read, self.files, self.tags)
        skipped = 0
        for part in parts.split(caller, query, left.candidates, _FEW):
            if is_over():
                return
            if left.in_files:
                found: Iterable[bytes] = parts.meeting(caller, query.level, part, left)
            elif left.filters:
                found = self._read(caller, partial(_kept_of, query.level, part, left.filters))
            else:
                found = (part,)
            for publics in found:
                start = min(query.since - skipped, len(publics) // SHA1)
                skipped += start
                if start * SHA1 < len(publics):
                    yield publics[start * SHA1 :]

    def is_unbounded(self, caller: Caller, query: FindQuery) -> bool:
        """Whether the query asks for so much, or for files, that results are better made while they
        are taken."""
        if query.limit:
            return False
        located = (self.tags.locate(tag, query.level).place for tag, _ in query.conditions)
        if self.options.files_allowed and Place.FILE in located:
            return True
        return self._read(caller, lambda view: view.totals()).resources[query.level] > _MANY

    def _found_in_index(
        self, view: Snapshot, query: FindQuery, patient: bool
    ) -> "Found | Left | None":
        """The page, or what is to be done when the snapshot is closed; None where that takes
        patience."""
        search, facts = view.search, Facts(view)
        plan = Planner(search, facts, self.tags, self.options.files_allowed).plan(query)
        if plan is None:
            return Found(b"", 0)
        if not patient and self._is_long(view, query, plan):
            return None
        if plan.in_files:
            return Left(plan.candidates, plan.filters, plan.in_files)
        if plan.filters:
            matching = self._matching(facts, plan, query)
            packed = _page(matching, query.since, _stop(query))
            return Found(packed, _total_of_last_page(packed, query))
        total = view.totals().resources[query.level] if plan.size is None else plan.size
        if plan.candidates is None and not query.order:
            return Found(view.listing_packed(query.level, query.since, query.limit), total)
        sequence = self._sequence(facts, query, plan.candidates, unseen=query.since)
        return Found(_page(sequence, query.since, _stop(query)), total)

    def _sequence(
        self, facts: Facts, query: FindQuery, candidates: bytes | None, unseen: int = 0
    ) -> Iterator[bytes]:
        """The candidates, None for all of the level, in order: by identifier, or as asked for;
        `unseen` as for `Ordering.sequence`."""
        if query.order:
            values = SnapshotValues(facts, self.tags, query.level)
            ordering = Ordering(values, self.tags, query.level, query.order)
            return ordering.sequence(candidates, unseen)
        return facts.view.search.scan(query.level) if candidates is None else iter((candidates,))

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
        """Whether already the planning may take long: many values to be walked over, or many
        instances and nothing to find few."""
        if any(matcher.walks for _, matcher in query.conditions) and (
            self._read(caller, lambda view: view.totals()).resources[Level.STUDY] > _WALKED_AT_ONCE
        ):
            return True
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
        if size <= _TESTED_AT_ONCE or not (plan.tests or query.order):
            return False
        if plan.tests or size > _WALKED_AT_ONCE:
            return True
        # Of those that are ordered by walking over values few are read.
        is_walked = field_of(self.tags, query.level, query.order[0]) is not None
        return not is_walked or not 0 < (_stop(query) or 0) <= _RESULTS_AT_ONCE

    def _matching(self, facts: Facts, plan: Plan, query: FindQuery) -> Iterator[bytes]:
        """The candidates that pass all filters, one by one."""
        for packed in in_parts(self._sequence(facts, query, plan.candidates), _stop(query)):
            for part in records(facts.view, query.level, packed):
                for resource in kept(facts, part, plan.filters):
                    yield resource.public

    def _matching_files(
        self, caller: Caller, query: FindQuery, left: Left, is_over: Callable[[], bool]
    ) -> Iterator[bytes]:
        """The candidates that pass all filters and whose file meets the conditions, one by one. A
        snapshot is open for one part of them at a time, and never while files are read. In long
        searches what was deleted meanwhile is left out; what was there all the time is tested
        exactly once, and what came meanwhile may be."""
        parts = Parts(self._read, self.files, self.tags)
        for part in parts.split(caller, query, left.candidates, _stop(query)):
            if is_over():
                return
            yield from parts.meeting(caller, query.level, part, left)


def _kept_of(level: Level, part: bytes, filters: list[Filter], view: Snapshot) -> list[bytes]:
    """Those of a part of the candidates that pass the filters, as one list."""
    return [passing(Facts(view), level, part, filters)]


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
