"""What the index keeps of routing, as properties of the whole server.

What there is:

* `routing/position`: how far the change log is read, and since when each rule counts
* `routing/queue/NAME`: the state of a destination's queue
* `routing/entry/NAME/NUMBER`: an entry that waits
* `routing/failed/NAME/NUMBER`: an instance that was set aside
* `routing/secret/RULE`: from which new identifiers follow where a rule changes instances

Numbers are consecutive, so that a queue is read from its front without a search.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from orthanc_fast.index.contract import Index, Snapshot, Transaction
from orthanc_fast.model import SHA1

TOPIC: Final = "routing"
"""Of the bell: a queue has changed."""

POSITION: Final = "routing/position"
QUEUES: Final = "routing/queue/"
ENTRIES: Final = "routing/entry/"
FAILED: Final = "routing/failed/"

INSTANCES_OF_ENTRY: Final = 1000
"""At most: a study of more makes several entries."""


class Position(msgspec.Struct):
    """The last change that is done with; the number of the change behind which each rule counts."""

    last: int
    rules: dict[str, int] = {}


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """Instances that one event has brought: packed, in the order in which they are sent. `change`
    is its number in the change log, `at` its time in seconds since the epoch. The resource is that
    of the event; `is_last` is false where more of its instances follow in another entry."""

    rule: str
    event: str
    change: int
    at: int
    level: int
    public: bytes
    instances: bytes
    is_last: bool = True

    @property
    def count(self) -> int:
        return len(self.instances) // SHA1


class Failed(msgspec.Struct, frozen=True, array_like=True):
    """An instance that was set aside: `entry` holds it alone."""

    entry: Entry
    given_up: int  # seconds since the epoch
    attempts: int
    error: str


class Queue(msgspec.Struct, omit_defaults=True):
    """The state of the queue of one destination. Entries that wait have the numbers from `first`
    to below `next`; of the first one `offset` instances are done. Times are in seconds since the
    epoch."""

    first: int = 0
    next: int = 0
    offset: int = 0
    pending: int = 0  # instances
    sent: int = 0
    sent_back: int = 0  # that were not, as they came from there
    gone: int = 0  # deleted before they were sent
    given_up: int = 0
    first_failed: int = 0
    next_failed: int = 0
    failed: int = 0  # that are still there
    attempts: int = 0  # that the instance in front has failed
    refusals: int = 0  # of these the ones while the destination was there
    tried_for: float = 0.0  # seconds of attempts, and of the pauses between them
    failing_since: float | None = None
    not_before: float = 0.0  # the next attempt
    last_error: str = ""
    last_error_at: float | None = None
    last_sent_at: float | None = None
    is_paused: bool = False

    @property
    def is_empty(self) -> bool:
        return self.first == self.next

    def begin_anew(self) -> None:
        """Another instance is in front."""
        self.attempts = self.refusals = 0
        self.failing_since, self.tried_for, self.not_before = None, 0.0, 0.0


_encode = msgspec.msgpack.Encoder().encode
_queue = msgspec.msgpack.Decoder(Queue).decode
_entry = msgspec.msgpack.Decoder(Entry).decode
_failed = msgspec.msgpack.Decoder(Failed).decode
_position = msgspec.msgpack.Decoder(Position).decode


def queue_name(destination: str) -> str:
    return QUEUES + destination


def entry_name(destination: str, number: int) -> str:
    return f"{ENTRIES}{destination}/{number:016x}"


def failed_name(destination: str, number: int) -> str:
    return f"{FAILED}{destination}/{number:016x}"


def secret_name(rule: str) -> str:
    return f"routing/secret/{rule}"


View = Snapshot | Transaction


def queue_of(view: View, destination: str) -> Queue:
    """An empty one where there is none yet."""
    found = view.property(queue_name(destination))
    return Queue() if found is None else _queue(found)


def entry_of(view: View, destination: str, number: int) -> Entry | None:
    found = view.property(entry_name(destination, number))
    return None if found is None else _entry(found)


def failed_of(view: View, destination: str, number: int) -> Failed | None:
    found = view.property(failed_name(destination, number))
    return None if found is None else _failed(found)


def position_of(view: View) -> Position | None:
    found = view.property(POSITION)
    return None if found is None else _position(found)


def put(transaction: Transaction, name: str, value: Any) -> None:
    """None removes it."""
    transaction.set_property(name, None if value is None else _encode(value))


def begin(transaction: Transaction, rules: Mapping[str, int | None]) -> Position:
    """Where the reading of the change log goes on. Rules that are new begin behind the change whose
    number is given, without one with the next change; those that are gone are forgotten.

    Where a new one begins with what has been read already, that is read again, and does not count
    for the others.
    """
    stored, last = position_of(transaction), transaction.totals.next_change - 1
    known = stored or Position(last)
    found = Position(known.last)
    for name, since in rules.items():
        if name in known.rules:
            # The last is of a rule that was removed and added again before anybody noticed.
            found.rules[name] = max(known.rules[name], known.last, since or 0)
        else:
            found.rules[name] = last if since is None else since
            found.last = min(found.last, found.rules[name])
    if found != stored:
        put(transaction, POSITION, found)
    return found


def begin_server(index: Index, rules: Mapping[str, int | None] | None) -> None:
    """Before clients are served, so that what they store concerns the rules from the first
    instance on. None where the server routes nothing: rules that come back begin with what happens
    then. Queues stay."""
    if rules is not None:
        index.write(lambda transaction: begin(transaction, rules))
    elif index.read(lambda view: view.property(POSITION)) is not None:
        index.write(lambda transaction: transaction.set_property(POSITION, None))
