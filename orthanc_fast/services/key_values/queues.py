"""Queues of values, durable in the index, shared by all scripts.

A value is taken by one who asks, in one transaction, whichever process he is in; or it is reserved
for some seconds, hidden from others meanwhile, until he who has it acknowledges it. Source:
reference chapter 7, section 3.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from orthanc_fast.errors import ParameterOutOfRange, UnknownResource
from orthanc_fast.index.contract import Snapshot, Transaction, Write
from orthanc_fast.model import Caller
from orthanc_fast.services.key_values.stores import digest
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes

PREFIX: Final = "queues/"
_PAGE: Final = 64  # values that are looked at together for one that is not reserved


class _State(msgspec.Struct, array_like=True):
    """Of a queue: the number of the next value, how many there are, and its name, "" where it was
    not kept."""

    next: int = 1
    size: int = 0
    queue: str = ""


class _Entry(msgspec.Struct, array_like=True):
    value: bytes
    reserved_until: float = 0.0  # seconds since the epoch


class Reserved(NamedTuple):
    """A value that nobody else gets for a while, and the number to acknowledge it by."""

    value: bytes
    number: int


_encode = msgspec.msgpack.encode
_state = msgspec.msgpack.Decoder(_State).decode
_entry = msgspec.msgpack.Decoder(_Entry).decode


class Queues:
    """The queues of the server by name. A queue exists once something was put into it. `now` gives
    seconds since the epoch."""

    def __init__(self, reads: Reads, writes: Writes, now: Callable[[], float] = time.time) -> None:
        self._read = reads
        self._write = writes
        self._now = now

    def size(self, caller: Caller, queue: str) -> int:
        """How many values are in a queue, reserved ones included."""
        name = _name(queue)
        found = self._read(caller, lambda view: view.property(name))
        return 0 if found is None else _state(found).size

    async def put(self, caller: Caller, queue: str, value: bytes) -> None:
        """Adds a value at the back. Raises ParameterOutOfRange for an empty one."""
        if not value:
            raise ParameterOutOfRange("a queue takes no empty values")
        await self._write(caller, _Put(queue, value))

    async def take(self, caller: Caller, queue: str, from_back: bool) -> bytes | None:
        """Removes the first or last value that is not reserved and returns it, None for none."""
        found: Reserved | None = await self._write(
            caller, _Take(_name(queue), from_back, self._now(), None)
        )
        return None if found is None else found.value

    async def reserve(
        self, caller: Caller, queue: str, from_back: bool, seconds: float
    ) -> Reserved | None:
        """The first or last value that is not reserved, hidden from others for some seconds; None
        for none. Raises ParameterOutOfRange for a time that is not above 0."""
        if seconds <= 0:
            raise ParameterOutOfRange("a value is reserved for one second or more")
        found: Reserved | None = await self._write(
            caller, _Take(_name(queue), from_back, self._now(), seconds)
        )
        return found

    async def acknowledge(self, caller: Caller, queue: str, number: int) -> None:
        """Removes a value by its number. Raises UnknownResource if it is not there."""
        await self._write(caller, _Acknowledge(_name(queue), number))


def stored(values: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The properties of the index that hold these values, (queue, value) each, in their order: for
    a new index."""
    states: dict[str, _State] = {}
    for queue, value in values:
        name = _name(queue)
        state = states.setdefault(name, _State(queue=queue))
        yield _member(name, state.next), _encode(_Entry(value))
        state.next += 1
        state.size += 1
    for name, state in states.items():
        yield name, _encode(state)


def read_all(view: Snapshot) -> Iterator[tuple[str | None, bytes]]:
    """All values that wait, (queue, value) each, by queue and in their order; None for a queue
    whose name was not kept."""
    queue: str | None = None
    after: str | None = None
    while page := view.some_properties(PREFIX, after, _PAGE):
        for name, value in page:
            if "/" in name.removeprefix(PREFIX):
                yield queue, _entry(value).value
            else:  # the queue itself, which stands before its values
                queue = _state(value).queue or None
        after = page[-1][0]


class _Put(Write[None]):
    def __init__(self, queue: str, value: bytes) -> None:
        self._queue = queue
        self._name = _name(queue)
        self._value = value

    def apply(self, transaction: Transaction) -> None:
        state = _state_of(transaction, self._name)
        state.queue = self._queue
        transaction.set_property(_member(self._name, state.next), _encode(_Entry(self._value)))
        state.next += 1
        state.size += 1
        transaction.set_property(self._name, _encode(state))


class _Take(Write[Reserved | None]):
    """Takes a value, or reserves it for `seconds`."""

    def __init__(self, name: str, from_back: bool, now: float, seconds: float | None) -> None:
        self._name = name
        self._from_back = from_back
        self._now = now
        self._seconds = seconds

    def apply(self, transaction: Transaction) -> Reserved | None:
        prefix = f"{self._name}/"
        after: str | None = None
        while True:
            page = transaction.some_properties(prefix, after, _PAGE, self._from_back)
            for name, value in page:
                entry = _entry(value)
                if entry.reserved_until <= self._now:
                    self._keep(transaction, name, entry)
                    return Reserved(entry.value, int(name.removeprefix(prefix), 16))
            if len(page) < _PAGE:
                return None
            after = page[-1][0]

    def _keep(self, transaction: Transaction, name: str, entry: _Entry) -> None:
        if self._seconds is None:
            _remove(transaction, self._name, name)
        else:
            entry.reserved_until = self._now + self._seconds
            transaction.set_property(name, _encode(entry))


class _Acknowledge(Write[None]):
    """Fails with UnknownResource."""

    def __init__(self, name: str, number: int) -> None:
        self._name = name
        self._number = number

    def apply(self, transaction: Transaction) -> None:
        member = _member(self._name, self._number)
        if self._number < 1 or transaction.property(member) is None:
            raise UnknownResource(f"the queue has no value with the number {self._number}")
        _remove(transaction, self._name, member)


def _remove(transaction: Transaction, queue: str, member: str) -> None:
    transaction.set_property(member, None)
    state = _state_of(transaction, queue)
    state.size -= 1
    transaction.set_property(queue, _encode(state))


def _state_of(transaction: Transaction, name: str) -> _State:
    found = transaction.property(name)
    return _State() if found is None else _state(found)


def _name(queue: str) -> str:
    return PREFIX + digest(queue)


def _member(name: str, number: int) -> str:
    return f"{name}/{number:016x}"
