"""Results page by page for who takes them one after the other, and wants the first ones soon:
C-FIND."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, TypeVar

from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.services.find.facts import Facts
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.parts import Left, Parts
from orthanc_fast.services.find.planner import Filter, Planner, kept
from orthanc_fast.services.find.query import FindQuery
from orthanc_fast.services.store.lookup import records
from orthanc_fast.services.store.reads import Reads

T = TypeVar("T")

Show = Callable[[Facts, list[Resource]], list[T]]
"""Makes results of resources, with what it asks for together; what is to be done when the snapshot
is closed it leaves in `Facts.after`."""

# Candidates of the first page, of which the later ones have twice as many each.
_FIRST: Final = 10
# Candidates that are tested before the index is asked for all that match, where that takes a walk
# over many keys; and which part of them has to match for testing to go on instead.
_GLANCED_AT: Final = 70
_MANY: Final = 0.5


class Pages:
    """Queries without an order whose results come in pages, by identifier.

    No snapshot is open between two pages, and nothing but the set of the candidates is kept, 20
    bytes for each, or none where all of the level are. What was deleted meanwhile is left out; what
    was there all the time is shown exactly once.
    """

    def __init__(self, reads: Reads, finder: Finder) -> None:
        self._read = reads
        self._tags = finder.tags
        self._options = finder.options
        self._parts = Parts(reads, finder.files, finder.tags)

    def pages(
        self, caller: Caller, query: FindQuery, show: Show[T], most: int | None = None
    ) -> Iterator[list[T]]:
        """What `show` makes of the resources that match, at most `query.limit`, and at most `most`
        (None: READ_AT_ONCE) together. Where a part of the candidates does not match, its page is
        empty.

        Raises OrthancError 1012 for a tag that cannot be asked of this level.
        """
        room = query.limit or None
        looked_at, matching, last = 0, 0, b""
        left = self._read(caller, partial(self._planned, query, hasty=True))
        while left is not None:
            first = _FIRST if room is None else min(room, _FIRST)
            for part in self._parts.split(caller, query, left.candidates, first, last, most):
                rest = None if room is None else room - matching
                shown = self._shown(caller, query.level, part, left, rest, show)
                yield shown
                last = part[-SHA1:]
                looked_at += len(part) // SHA1
                matching += len(shown)
                if matching == room:
                    return
                if left.is_hasty and looked_at >= _GLANCED_AT:
                    if matching < _MANY * looked_at:
                        break
                    left = left._replace(is_hasty=False)
            else:
                return
            left = self._read(caller, partial(self._planned, query, hasty=False))

    def _planned(self, query: FindQuery, view: Snapshot, hasty: bool) -> Left | None:
        """None where nothing can match."""
        planner = Planner(view.search, Facts(view), self._tags, self._options.files_allowed, hasty)
        plan = planner.plan(query)
        if plan is None:
            return None
        return Left(plan.candidates, plan.filters, plan.in_files, plan.is_hasty)

    def _shown(
        self,
        caller: Caller,
        level: Level,
        part: bytes,
        left: Left,
        rest: int | None,
        show: Show[T],
    ) -> list[T]:
        filters = left.filters
        if left.in_files:
            part, filters = b"".join(self._parts.meeting(caller, level, part, left)), []
        shown, after = self._read(caller, partial(_of_part, level, part, filters, rest, show))
        for work in after:
            work()
        return shown


def _of_part(
    level: Level,
    part: bytes,
    filters: list[Filter],
    rest: int | None,
    show: Show[T],
    view: Snapshot,
) -> tuple[list[T], list[Callable[[], None]]]:
    """What `show` makes of those of a part that pass the filters, at most `rest` of them; and the
    work that is left."""
    facts = Facts(view)
    found = [each for some in records(view, level, part) for each in kept(facts, some, filters)]
    return show(facts, found[:rest]), facts.after
