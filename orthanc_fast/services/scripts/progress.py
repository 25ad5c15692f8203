"""How far the scripts of a language have come in the change log."""

from typing import Final

import msgspec

from orthanc_fast.index.contract import Snapshot, Transaction, Write
from orthanc_fast.model import SERVER
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.services.scripts.options import Language
from orthanc_fast.services.store.file_effects import CHANGES
from orthanc_fast.services.store.reads import Reads

PROPERTY: Final = "scripts"


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """The event that was handed over last, by its sequence number, and how often it was; with the
    number of the last one that was done with then."""

    sequence: int
    number: int
    settled: int = 0


class Progress:
    """What is kept of it: the event in work in the runtime state, which outlives the process, the
    last one that is done with in the index, which outlives the server."""

    topic = CHANGES
    """Rings when the log has grown."""

    def __init__(self, language: Language, runtime: Runtime, reads: Reads) -> None:
        self._name = f"script-events/{language}"
        self._property = f"{PROPERTY}/{language}"
        self._runtime = runtime
        self._read = reads

    def begin(self) -> tuple[int, Attempt]:
        """The sequence number that is done with, and the last attempt. Who begins for the first
        time has seen all that is there."""
        kept, last = self._read(SERVER, self._state)
        position = last if kept is None else int(kept)
        value = self._runtime.get(self._name)
        if value is None:
            return position, Attempt(0, 0)
        attempt = msgspec.msgpack.decode(value, type=Attempt)
        return max(position, attempt.settled), attempt

    def attempt(self, attempt: Attempt) -> None:
        """An event is about to be handed over."""
        value = msgspec.msgpack.encode(attempt)
        self._runtime.write(lambda transaction: transaction.set(self._name, value))

    def keep(self, position: int) -> Write[None]:
        """What makes the position durable."""
        return _Keep(self._property, str(position).encode())

    def _state(self, view: Snapshot) -> tuple[bytes | None, int]:
        return view.property(self._property), view.totals().next_change - 1


class _Keep(Write[None]):
    def __init__(self, name: str, value: bytes) -> None:
        self._name = name
        self._value = value

    def apply(self, transaction: Transaction) -> None:
        transaction.set_property(self._name, self._value)
