"""The durable queues: every move is one transaction of the index.

A confirmed success is what `Sent` has written: only then is the next instance sent. What was under
way when the process was killed, one instance of each destination, is sent again.
"""

import concurrent.futures
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import SERVER, SHA1, Level
from orthanc_fast.registries import ROUTING_DELAYED, ROUTING_DONE, ROUTING_GIVEN_UP, ROUTING_RESUMED
from orthanc_fast.services.browse.exports import export_of
from orthanc_fast.services.routing.records import (
    INSTANCES_OF_ENTRY,
    POSITION,
    Entry,
    Failed,
    Position,
    Queue,
    entry_name,
    entry_of,
    failed_name,
    failed_of,
    put,
    queue_name,
    queue_of,
)
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes

T = TypeVar("T")

AT_ONCE: Final = 200
"""Entries that one transaction moves or removes at most."""

Outcome = Literal["sent", "sent_back", "gone"]


class Front(NamedTuple):
    """What is to be sent next: the entry in front of a queue."""

    queue: Queue
    number: int
    entry: Entry


class Failure(NamedTuple):
    """An attempt that was in vain. `lasted` is what it took, in seconds, with the pause behind
    it."""

    error: str
    is_refusal: bool  # the destination was there
    lasted: float
    not_before: float  # the next attempt, in seconds since the epoch


class Move(Write[T]):
    """A change of the queues."""

    def __init__(self, function: Callable[[Transaction], T]) -> None:
        self._function = function

    @property
    def is_quick(self) -> bool:
        return True

    def apply(self, transaction: Transaction) -> T:
        return self._function(transaction)


class Queues:
    """The queues as the threads of one process move them."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        self._read = reads
        self._writes = writes

    def change(self, function: Callable[[Transaction], T]) -> T:
        """What the function makes of a transaction, when that is durable. Raises FullStorage,
        StorageFault."""
        promise: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._writes.submit(SERVER, Move(function), promise)
        return promise.result()

    def queue(self, destination: str) -> Queue:
        return self._read(SERVER, lambda view: queue_of(view, destination))

    def front(self, destination: str) -> Front | None:
        """None where nothing waits. Entries that are not there are passed over."""

        def read(view: Any) -> Front | Queue:
            queue = queue_of(view, destination)
            for number in range(queue.first, min(queue.next, queue.first + AT_ONCE)):
                entry = entry_of(view, destination, number)
                if entry is not None:
                    return Front(queue, number, entry)
            return queue

        found = self._read(SERVER, read)
        return found if isinstance(found, Front) else None

    def done(
        self,
        destination: str,
        number: int,
        offset: int,
        outcome: Outcome,
        now: float,
        exported: bytes | None = None,
    ) -> None:
        """The instance at `offset` of an entry needs nothing more; `exported` is to be entered into
        the log of exports."""

        def move(transaction: Transaction) -> None:
            if exported is not None:
                resource = transaction.resource(Level.INSTANCE, exported)
                if resource is not None:
                    entry = export_of(transaction, resource, destination, int(now))
                    transaction.log_export(entry)
            queue = queue_of(transaction, destination)
            setattr(queue, outcome, getattr(queue, outcome) + 1)
            if outcome == "sent":
                queue.last_sent_at = now
            _pass(transaction, destination, queue, number, offset, now)
            put(transaction, queue_name(destination), queue)

        self.change(move)

    def failed(
        self, destination: str, number: int, offset: int, failure: Failure, now: float
    ) -> None:
        """The instance stays in front."""

        def move(transaction: Transaction) -> None:
            queue = queue_of(transaction, destination)
            queue.last_error, queue.last_error_at = failure.error, now
            if (queue.first, queue.offset) == (number, offset):
                if queue.attempts == 0:
                    _log(transaction, ROUTING_DELAYED, destination, number, now)
                queue.attempts += 1
                queue.refusals += failure.is_refusal
                queue.tried_for += failure.lasted
                queue.not_before = failure.not_before
                queue.failing_since = queue.failing_since or now
            put(transaction, queue_name(destination), queue)

        self.change(move)

    def give_up(self, destination: str, number: int, offset: int, error: str, now: float) -> None:
        """Sets the instance aside: the next one is sent."""

        def move(transaction: Transaction) -> None:
            queue = queue_of(transaction, destination)
            queue.last_error, queue.last_error_at = error, now
            entry = entry_of(transaction, destination, number)
            if entry is not None and (queue.first, queue.offset) == (number, offset):
                instance = entry.instances[offset * SHA1 : (offset + 1) * SHA1]
                alone = msgspec.structs.replace(entry, instances=instance, is_last=False)
                aside = Failed(alone, int(now), queue.attempts + 1, error)
                put(transaction, failed_name(destination, queue.next_failed), aside)
                queue.next_failed += 1
                queue.failed += 1
                queue.given_up += 1
                resource = transaction.resource(Level.INSTANCE, instance)
                if resource is not None:
                    transaction.log_change(ROUTING_GIVEN_UP, resource, int(now))
                queue.attempts = 0  # so that nothing is told of as resumed
                _pass(transaction, destination, queue, number, offset, now)
            put(transaction, queue_name(destination), queue)

        self.change(move)

    def enter(self, entries: Mapping[str, Sequence[Entry]], position: Position) -> None:
        """The entries that changes up to the position have brought, by destination."""

        def move(transaction: Transaction) -> None:
            for destination, some in entries.items():
                append(transaction, destination, some)
            put(transaction, POSITION, position)

        self.change(move)


def append(transaction: Transaction, destination: str, entries: Iterable[Entry]) -> None:
    """To the end of a queue."""
    queue = queue_of(transaction, destination)
    for entry in entries:
        put(transaction, entry_name(destination, queue.next), entry)
        queue.next += 1
        queue.pending += entry.count
    put(transaction, queue_name(destination), queue)


def _pass(
    transaction: Transaction,
    destination: str,
    queue: Queue,
    number: int,
    offset: int,
    now: float,
) -> None:
    """Goes on behind the instance at `offset` of an entry, unless the queue has been emptied
    meanwhile."""
    entry = entry_of(transaction, destination, number)
    is_in_front = queue.first <= number < queue.next and (
        queue.first < number or queue.offset == offset
    )
    if entry is None or not is_in_front:
        return
    if queue.attempts:
        _log(transaction, ROUTING_RESUMED, destination, number, now)
    queue.begin_anew()
    queue.first, queue.offset = number, offset + 1
    queue.pending -= 1
    if queue.offset >= entry.count:
        if entry.is_last and entry.level < Level.INSTANCE:
            _log(transaction, ROUTING_DONE, destination, number, now)
        put(transaction, entry_name(destination, number), None)
        queue.first, queue.offset = number + 1, 0


def _log(transaction: Transaction, kind: int, destination: str, number: int, now: float) -> None:
    """In the change log, about the resource of an entry."""
    entry = entry_of(transaction, destination, number)
    if entry is not None:
        resource = transaction.resource(Level(entry.level), entry.public)
        if resource is not None:
            transaction.log_change(kind, resource, int(now))


# What clients ask for. Each moves AT_ONCE at most, and returns whether there may be more.


def retry(transaction: Transaction, destination: str, end: int) -> bool:
    """The next attempt is made now; what was set aside below the number `end` is at the end of the
    queue again."""
    queue = queue_of(transaction, destination)
    queue.not_before = 0.0
    stop = min(end, queue.first_failed + AT_ONCE)
    for number in range(queue.first_failed, stop):
        aside = failed_of(transaction, destination, number)
        if aside is not None:
            put(transaction, entry_name(destination, queue.next), aside.entry)
            put(transaction, failed_name(destination, number), None)
            queue.next += 1
            queue.pending += aside.entry.count
            queue.failed -= 1
    queue.first_failed = max(queue.first_failed, stop)
    put(transaction, queue_name(destination), queue)
    return stop < end


def forget(transaction: Transaction, destination: str, end: int) -> bool:
    """Removes the entries below the number `end`."""
    queue = queue_of(transaction, destination)
    stop = min(end, queue.first + AT_ONCE)
    for number in range(queue.first, stop):
        entry = entry_of(transaction, destination, number)
        if entry is not None:
            queue.pending -= entry.count - queue.offset
            put(transaction, entry_name(destination, number), None)
        queue.offset = 0
    if stop > queue.first:
        queue.first = stop
        queue.begin_anew()
    put(transaction, queue_name(destination), queue)
    return stop < end


def forget_failed(transaction: Transaction, destination: str, end: int) -> bool:
    """Removes what was set aside below the number `end`."""
    queue = queue_of(transaction, destination)
    stop = min(end, queue.first_failed + AT_ONCE)
    for number in range(queue.first_failed, stop):
        if failed_of(transaction, destination, number) is not None:
            put(transaction, failed_name(destination, number), None)
            queue.failed -= 1
    queue.first_failed = max(queue.first_failed, stop)
    put(transaction, queue_name(destination), queue)
    return stop < end


def remove(transaction: Transaction, destination: str) -> None:
    """A queue that has just been emptied goes with its destination. Numbers go on: whoever still
    sends something of it does not take it for an entry of another destination of this name."""
    end = queue_of(transaction, destination)
    while forget(transaction, destination, end.next):
        pass
    while forget_failed(transaction, destination, end.next_failed):
        pass
    anew = Queue(end.next, end.next, first_failed=end.next_failed, next_failed=end.next_failed)
    put(transaction, queue_name(destination), anew)


def pause(transaction: Transaction, destination: str, is_paused: bool) -> None:
    """Nothing is sent until it is resumed."""
    queue = queue_of(transaction, destination)
    queue.is_paused = is_paused
    put(transaction, queue_name(destination), queue)


def parts(entry: Entry) -> list[Entry]:
    """An event's instances in entries of bounded size."""
    size = INSTANCES_OF_ENTRY * SHA1
    starts = range(0, len(entry.instances), size)
    return [
        msgspec.structs.replace(
            entry,
            instances=entry.instances[start : start + size],
            is_last=start + size >= len(entry.instances),
        )
        for start in starts
    ]
