"""Properties of the whole server that scripts set, by number. Source: reference chapter 7,
section 3."""

from typing import Final

from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import Caller
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes

PREFIX: Final = "global-property/"


class GlobalProperties:
    """Texts by number, durable in the index."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        self._read = reads
        self._write = writes

    def get(self, caller: Caller, number: int) -> str | None:
        """None where it is not set."""
        found = self._read(caller, lambda view: view.property(f"{PREFIX}{number}"))
        return None if found is None else found.decode()

    async def put(self, caller: Caller, number: int, text: str) -> None:
        """Sets it."""
        await self._write(caller, _Put(f"{PREFIX}{number}", text.encode()))


class _Put(Write[None]):
    def __init__(self, name: str, value: bytes) -> None:
        self._name = name
        self._value = value

    def apply(self, transaction: Transaction) -> None:
        transaction.set_property(self._name, self._value)
