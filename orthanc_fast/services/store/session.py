"""What REST changes for this run of the server only: every process sees it at once, the next start
forgets it."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from orthanc_fast.model import Caller
from orthanc_fast.runtime.contract import Runtime, Transaction
from orthanc_fast.services.store.visibility import restricted

T = TypeVar("T")

_FOLDER = "session/"


class SessionOption(Generic[T]):
    """An option that REST can change. Reading it takes a microsecond, changing it five."""

    def __init__(self, runtime: Runtime, name: str, kind: type[T], configured: T) -> None:
        """`kind` is the type of the values, and `configured` holds until one is set."""
        self._runtime = runtime
        self._name = _FOLDER + name
        self._decode = msgspec.json.Decoder(kind).decode
        self._configured = configured

    def get(self) -> T:
        """As it is now."""
        return self._value(self._runtime.get(self._name))

    def set(self, caller: Caller, value: T) -> None:
        """For all processes."""
        self.change(caller, lambda _: value)

    def change(self, caller: Caller, changed: Callable[[T], T]) -> None:
        """Sets what `changed` makes of the present value, which no other process changes
        meanwhile. If it raises nothing is changed."""

        def work(transaction: Transaction) -> None:
            value = changed(self._value(transaction.get(self._name)))
            transaction.set(self._name, msgspec.json.encode(value))

        self._runtime.write(restricted(caller, work))

    def _value(self, stored: bytes | None) -> T:
        return self._configured if stored is None else self._decode(stored)
