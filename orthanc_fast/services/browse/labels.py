"""Labels of resources. Source: reference chapter 1, section 6.3."""

from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.index.contract import Snapshot, Transaction, Write
from orthanc_fast.model import Caller, Level
from orthanc_fast.registries import LABEL
from orthanc_fast.services.store.lookup import found_or_raise
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes


def checked_label(text: str) -> str:
    """The label itself. Raises ParameterOutOfRange."""
    if LABEL.match(text) is None:
        raise ParameterOutOfRange(
            f"Not a label: {text!r}; labels have 1 to 64 of the characters A-Z, a-z, 0-9, _ and -"
        )
    return text


class Labels:
    """The labels of resources."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        self._read = reads
        self._write = writes

    def in_use(self, caller: Caller) -> list[str]:
        """The labels that any resource has, sorted."""
        return self._read(caller, lambda view: view.labels_in_use())

    def of(self, caller: Caller, level: Level, public: bytes) -> list[str]:
        """The labels of a resource, sorted. Raises UnknownResource."""

        def read(view: Snapshot) -> list[str]:
            return sorted(found_or_raise(view.resource(level, public)).labels)

        return self._read(caller, read)

    async def add(self, caller: Caller, level: Level, public: bytes, label: str) -> None:
        """Gives a resource a label; it may have it already. Raises ParameterOutOfRange,
        UnknownResource."""
        await self._write(caller, _Change(level, public, checked_label(label), True))

    async def remove(self, caller: Caller, level: Level, public: bytes, label: str) -> None:
        """Takes a label from a resource, which need not have it. Raises ParameterOutOfRange,
        UnknownResource."""
        await self._write(caller, _Change(level, public, checked_label(label), False))


class _Change(Write[None]):
    """Fails with UnknownResource."""

    def __init__(self, level: Level, public: bytes, label: str, present: bool) -> None:
        self._level = level
        self._public = public
        self._label = label
        self._present = present

    def apply(self, transaction: Transaction) -> None:
        resource = found_or_raise(transaction.resource(self._level, self._public))
        if self._present:
            transaction.add_label(resource, self._label)
        else:
            transaction.remove_label(resource, self._label)
