"""Routing as clients see it: the state of each queue, what is in it, what they may do with it."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from orthanc_fast.config_routing import Destination, Hours, Routing, Rule
from orthanc_fast.dicom.identifiers import ids_json, to_text
from orthanc_fast.errors import InexistentItem
from orthanc_fast.index.contract import Snapshot, Transaction
from orthanc_fast.model import SHA1, Caller, Level, timestamp
from orthanc_fast.runtime.bell import Bell
from orthanc_fast.services.browse.describe import NAMES, PLURALS
from orthanc_fast.services.routing import queues
from orthanc_fast.services.routing.added import Current
from orthanc_fast.services.routing.queues import Move
from orthanc_fast.services.routing.records import (
    TOPIC,
    Entry,
    Queue,
    entry_of,
    failed_of,
    queue_of,
)
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes

_SEARCHED: Final = 10_000  # numbers without an entry that a page passes over


class EntryAnswer(msgspec.Struct, omit_defaults=True):
    """An entry of a queue; `Attempts` and what follows it are those of what was set aside."""

    Number: int
    Rule: str
    Event: str
    Change: int
    Date: str
    ResourceType: str
    ID: str
    Path: str
    InstancesCount: int
    Instances: list[str] | None = None
    Attempts: int | None = None
    GivenUp: str | None = None
    Error: str | None = None


class DestinationAnswer(msgspec.Struct):
    """A destination and the state of its queue; times are in UTC, null where there is none.
    `Refusals` are the attempts that count for its limit."""

    Type: str
    Target: str
    State: str
    Pending: int
    Failed: int
    Sent: int
    NotSentBack: int
    Deleted: int
    GivenUp: int
    Oldest: EntryAnswer | None
    Attempts: int
    Refusals: int
    FailingSince: str | None
    NextAttempt: str | None
    LastError: str
    LastErrorDate: str | None
    LastSuccess: str | None


class RuleAnswer(msgspec.Struct):
    """A rule in short; what it changes is not told, since that may be a secret."""

    Event: str
    Enabled: bool
    Query: dict[str, str]
    Labels: Sequence[str]
    Origin: dict[str, str]
    Changes: list[str]
    Destinations: Sequence[str]


class RoutingAnswer(msgspec.Struct):
    """`GET /routing`."""

    Destinations: dict[str, DestinationAnswer]
    Rules: dict[str, RuleAnswer]


class Overview:
    """The queues as one process shows them; `current` is what is configured and added."""

    def __init__(self, current: Current, reads: Reads, writes: Writes, bell: Bell) -> None:
        self.current = current
        self._read = reads
        self._write = writes
        self._bell = bell

    @property
    def routing(self) -> Routing:
        """What is configured, and what has been added."""
        return self.current()

    # Looking

    def all(self, caller: Caller) -> RoutingAnswer:
        """The state of everything."""
        return RoutingAnswer(
            {name: self.destination(caller, name) for name in self.routing.destinations},
            {name: _rule(each) for name, each in self.routing.rules.items()},
        )

    def destination(self, caller: Caller, name: str) -> DestinationAnswer:
        """Raises InexistentItem."""
        configured = self._configured(name)
        queue, oldest = self._read(caller, lambda view: _state(view, name))
        return _destination(configured, queue, oldest)

    def entries(self, caller: Caller, name: str, since: int, limit: int) -> list[EntryAnswer]:
        """Up to `limit` of those that wait from the number `since` on. Raises InexistentItem."""
        self._configured(name)

        def read(view: Snapshot) -> list[EntryAnswer]:
            queue = queue_of(view, name)

            def answer(number: int) -> EntryAnswer | None:
                entry = entry_of(view, name, number)
                if entry is None:
                    return None
                offset = queue.offset if number == queue.first else 0
                return _entry(number, entry, offset, with_instances=True)

            return _page(answer, max(since, queue.first), queue.next, limit)

        return self._read(caller, read)

    def set_aside(self, caller: Caller, name: str, since: int, limit: int) -> list[EntryAnswer]:
        """Up to `limit` instances that were given up, from the number `since` on. Raises
        InexistentItem."""
        self._configured(name)

        def read(view: Snapshot) -> list[EntryAnswer]:
            queue = queue_of(view, name)

            def answer(number: int) -> EntryAnswer | None:
                aside = failed_of(view, name, number)
                if aside is None:
                    return None
                found = _entry(number, aside.entry, 0, with_instances=True)
                found.Attempts, found.Error = aside.attempts, aside.error
                found.GivenUp = timestamp(aside.given_up)
                return found

            return _page(answer, max(since, queue.first_failed), queue.next_failed, limit)

        return self._read(caller, read)

    def figures(self, caller: Caller) -> dict[str, float]:
        """For the metrics, by name."""
        found: dict[str, float] = {}
        now = time.time()
        for name in self.routing.destinations:
            queue, oldest = self._read(caller, lambda view, name=name: _state(view, name))  # type: ignore[misc]
            age = 0.0 if oldest is None else max(0.0, now - oldest[1].at)
            failing = 0.0 if queue.failing_since is None else max(0.0, now - queue.failing_since)
            values = {
                "pending": queue.pending,
                "failed": queue.failed,
                "oldest_age_s": int(age),
                "failing_s": int(failing),
                "total_sent": queue.sent,
                "total_given_up": queue.given_up,
            }
            for field, value in values.items():
                found[f'orthanc_routing_{field}{{destination="{name}"}}'] = float(value)
        return found

    # Changing

    async def retry(self, caller: Caller, name: str) -> None:
        """The next attempt is made now, and what was set aside waits again, at the end. Raises
        InexistentItem."""
        await self._repeated(caller, name, queues.retry, lambda queue: queue.next_failed)

    async def empty(self, caller: Caller, name: str) -> None:
        """Removes all that waits now. Raises InexistentItem."""
        await self._repeated(caller, name, queues.forget, lambda queue: queue.next)

    async def forget_set_aside(self, caller: Caller, name: str) -> None:
        """Removes what was set aside. Raises InexistentItem."""
        await self._repeated(caller, name, queues.forget_failed, lambda queue: queue.next_failed)

    async def pause(self, caller: Caller, name: str, is_paused: bool) -> None:
        """Nothing is sent until it is resumed, over restarts too. Raises InexistentItem."""
        self._configured(name)
        await self._write(caller, Move(lambda found: queues.pause(found, name, is_paused)))
        self._bell.ring(TOPIC)

    async def _repeated(
        self,
        caller: Caller,
        name: str,
        move: Callable[[Transaction, str, int], bool],
        end_of: Callable[[Queue], int],
    ) -> None:
        """Some entries by each transaction, up to those that are there now."""
        self._configured(name)
        end = end_of(self._read(caller, lambda view: queue_of(view, name)))
        while await self._write(caller, Move(lambda found: move(found, name, end))):
            pass
        self._bell.ring(TOPIC)

    # Rules and destinations

    async def put_destination(self, caller: Caller, name: str, body: dict[str, Any]) -> None:
        """Adds or replaces one that has been checked. Raises BadRequest for one of the
        configuration."""
        put = self.current.put_destination
        await self._write(caller, Move(lambda found: put(found, name, body)))

    async def put_rule(self, caller: Caller, name: str, body: dict[str, Any]) -> None:
        """Adds or replaces a rule that has been checked: it counts from now on. Raises BadRequest
        for one of the configuration."""
        put = self.current.put_rule
        await self._write(caller, Move(lambda found: put(found, name, body)))

    async def delete_rule(self, caller: Caller, name: str) -> None:
        """Raises InexistentItem, BadRequest for one of the configuration."""
        delete = self.current.delete_rule
        await self._write(caller, Move(lambda found: delete(found, name)))

    async def delete_destination(self, caller: Caller, name: str) -> None:
        """With all that waits there. Raises InexistentItem, BadRequest for one of the configuration
        or of a rule."""
        self._read(caller, lambda view: self.current.without(view, name))  # before it is emptied
        await self.empty(caller, name)
        await self.forget_set_aside(caller, name)

        def remove(transaction: Transaction) -> None:
            self.current.delete_destination(transaction, name)
            queues.remove(transaction, name)

        await self._write(caller, Move(remove))

    def _configured(self, name: str) -> Destination:
        found = self.routing.destinations.get(name)
        if found is None:
            raise InexistentItem(f"No destination of Routing with this name: {name}")
        return found


def _page(
    answer: Callable[[int], EntryAnswer | None], first: int, end: int, limit: int
) -> list[EntryAnswer]:
    """Up to `limit` answers of the numbers from `first` on; some numbers have none."""
    numbers = range(first, min(end, first + _SEARCHED))
    return list(islice((found for number in numbers if (found := answer(number))), limit))


def _state(view: Snapshot, name: str) -> tuple[Queue, tuple[int, Entry] | None]:
    """The queue and its oldest entry."""
    queue = queue_of(view, name)
    for number in range(queue.first, min(queue.next, queue.first + _SEARCHED)):
        entry = entry_of(view, name, number)
        if entry is not None:
            return queue, (number, entry)
    return queue, None


def _destination(
    configured: Destination, queue: Queue, oldest: tuple[int, Entry] | None
) -> DestinationAnswer:
    now, hours = time.time(), Hours(configured.hours)
    next_attempt = None
    if oldest is not None and not queue.is_paused:
        next_attempt = hours.next_opening(max(queue.not_before, now))
        next_attempt = next_attempt if next_attempt > now else None
    offset = 0 if oldest is None or oldest[0] != queue.first else queue.offset
    return DestinationAnswer(
        Type=configured.kind,
        Target=configured.target,
        State=_word(queue, hours.is_open(now), oldest is not None),
        Pending=queue.pending,
        Failed=queue.failed,
        Sent=queue.sent,
        NotSentBack=queue.sent_back,
        Deleted=queue.gone,
        GivenUp=queue.given_up,
        Oldest=None if oldest is None else _entry(*oldest, offset),
        Attempts=queue.attempts,
        Refusals=queue.refusals,
        FailingSince=_date(queue.failing_since),
        NextAttempt=_date(next_attempt),
        LastError=queue.last_error,
        LastErrorDate=_date(queue.last_error_at),
        LastSuccess=_date(queue.last_sent_at),
    )


def _word(queue: Queue, is_open: bool, has_some: bool) -> str:
    if queue.is_paused:
        return "Paused"
    if not has_some:
        return "Idle"
    if not is_open:
        return "Closed"
    return "Failing" if queue.attempts else "Sending"


def _date(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(int(seconds))


def _entry(number: int, entry: Entry, offset: int, with_instances: bool = False) -> EntryAnswer:
    level, public = Level(entry.level), to_text(entry.public)
    left = entry.instances[offset * SHA1 :]
    return EntryAnswer(
        Number=number,
        Rule=entry.rule,
        Event=entry.event,
        Change=entry.change,
        Date=timestamp(entry.at),
        ResourceType=NAMES[level],
        ID=public,
        Path=f"/{PLURALS[level]}/{public}",
        InstancesCount=len(left) // SHA1,
        Instances=msgspec.json.decode(ids_json(left)) if with_instances else None,
    )


def _rule(rule: Rule) -> RuleAnswer:
    changes: Mapping[str, bool] = {
        "Anonymize": rule.anonymize is not None,
        "Modify": rule.modify is not None,
        "Transcode": bool(rule.transcode),
    }
    return RuleAnswer(
        Event=rule.event,
        Enabled=rule.enabled,
        Query=rule.query,
        Labels=rule.labels,
        Origin=rule.origin,
        Changes=[name for name, is_wanted in changes.items() if is_wanted],
        Destinations=rule.destinations,
    )
