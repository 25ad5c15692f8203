"""From the change log to the queues: every event becomes entries exactly once, in the order of the
log, since the entries and how far the log has been read are written by one transaction.

Nothing of ingest waits for it: it reads what is in the log already, a page at a time.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Snapshot, Transaction
from orthanc_fast.log import Category, logger
from orthanc_fast.model import SERVER, Change, ChangesPage
from orthanc_fast.runtime.bell import RECHECK, Bell
from orthanc_fast.services.routing.conditions import Conditions
from orthanc_fast.services.routing.queues import Queues, parts
from orthanc_fast.services.routing.records import (
    INSTANCES_OF_ENTRY,
    TOPIC,
    Entry,
    Position,
    begin,
)
from orthanc_fast.services.store.file_effects import CHANGES
from orthanc_fast.services.store.reads import Reads

PAGE: Final = 100
"""Changes that are read at a time."""

_KEPT_EACH: Final = 1000
"""Changes that concern nobody, after which the position is written all the same."""

PAUSE: Final = 1.0
"""Seconds until a page is tried again at which the index failed."""


class Follower:
    """For one thread of the process that routes."""

    def __init__(
        self,
        conditions: Sequence[Conditions],
        since: Mapping[str, int | None],
        reads: Reads,
        queues: Queues,
        bell: Bell,
    ) -> None:
        """`since` names all rules, as for `begin`."""
        self._since = since
        # Those that are not enabled have their events passed over, so that they do not come back
        # when they are.
        self._conditions = conditions
        self._read = reads
        self._queues = queues
        self._bell = bell
        self._types = frozenset(each.change for each in self._conditions)
        self._is_ending = False

    def serve(self) -> None:
        """Returns after `stop`."""
        position = None
        while not self._is_ending:
            heard = self._bell.heard(CHANGES)
            try:
                position = position or self._queues.change(self._begin)
                if self._advance(position):
                    continue
            except Exception as error:  # a full disk, for instance: nothing is passed over
                text = str(error) if isinstance(error, OrthancError) else repr(error)
                logger.error(Category.GENERIC, f"Routing: the changes cannot be read: {text}")
                position = None
                self._bell.wait(TOPIC, self._bell.heard(TOPIC), PAUSE)
                continue
            if not self._is_ending:
                self._bell.wait(CHANGES, heard, RECHECK)

    def stop(self) -> None:
        """From any thread, or from a signal."""
        self._is_ending = True
        self._bell.ring(CHANGES, TOPIC)

    def _begin(self, transaction: Transaction) -> Position:
        return begin(transaction, self._since)

    def _advance(self, position: Position) -> bool:
        """Whether there was anything to do."""
        page = self._read(SERVER, lambda view: self._page(view, position.last))
        if page.changes:
            entries = self._entries(page.changes, position)
            position.last = page.changes[-1][0]
            self._queues.enter(entries, position)
            if entries:
                self._bell.ring(TOPIC)
            return True
        if page.last_allocated > position.last:
            is_far = page.last_allocated - position.last >= _KEPT_EACH
            position.last = page.last_allocated
            if is_far:
                self._queues.enter({}, position)
        return False

    def _page(self, view: Snapshot, since: int) -> ChangesPage:
        return view.changes(since, -1, PAGE, self._types)

    def _entries(
        self, changes: Sequence[tuple[int, Change]], position: Position
    ) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = defaultdict(list)
        for sequence, change in changes:
            for each in self._conditions:
                if not each.rule.enabled or each.change != change.type:
                    continue
                if sequence <= position.rules[each.name]:
                    continue
                instances = each.verdict(change.public).instances
                if instances:
                    entry = Entry(
                        rule=each.name,
                        event=each.rule.event,
                        change=sequence,
                        at=change.date,
                        level=change.level,
                        public=change.public,
                        instances=instances,
                    )
                    for destination in each.rule.destinations:
                        _add(found[destination], entry)
        return found


def _add(entries: list[Entry], entry: Entry) -> None:
    """Stored instances that follow each other for the same rule share an entry: fewer writes."""
    last = entries[-1] if entries else None
    if (
        last is not None
        and last.rule == entry.rule
        and last.event == entry.event == "NewInstance"
        and last.count < INSTANCES_OF_ENTRY
    ):
        instances = last.instances + entry.instances
        entries[-1] = Entry(
            last.rule, last.event, last.change, last.at, last.level, last.public, instances
        )
        return
    entries += parts(entry)
