"""The contract of the runtime: values under names, which all processes of a server see at once.

Names are paths such as `jobs/17/progress`: at most 500 bytes of UTF-8, never empty. Values are
bytes. A transaction happens as a whole or not at all, also if its process is killed in the middle.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from orthanc_fast.runtime.bell import Bell

T = TypeVar("T")


class Snapshot(Protocol):
    """The values at one moment. Whatever takes a name raises ParameterOutOfRange for what cannot be
    one."""

    def get(self, name: str) -> bytes | None:
        """None if there is no such name."""

    def below(self, prefix: str) -> list[tuple[str, bytes]]:
        """All whose name begins with `prefix`, in the order of the names' bytes."""

    def first_below(self, prefix: str) -> tuple[str, bytes] | None:
        """The first of what `below` gives, None for nothing."""


class Transaction(Snapshot, Protocol):
    """Reads what is there, its own changes included, and changes it."""

    def set(self, name: str, value: bytes) -> None:
        """Adds or replaces."""

    def delete(self, name: str) -> bool:
        """Whether there was something."""


class Runtime(Protocol):
    """May be used from several threads, and by the event loop itself: nothing waits for a disk.

    A change rings its name at the bell, and the part of the name in front of the first `/`:
    `jobs/17/progress` rings `jobs/17/progress` and `jobs`.
    """

    @property
    def bell(self) -> Bell:
        """Rings for the changes, and for whatever else processes tell each other."""

    def get(self, name: str) -> bytes | None:
        """One value of the latest snapshot. Raises StorageFault, ParameterOutOfRange."""

    def read(self, work: Callable[[Snapshot], T]) -> T:
        """What `work` makes of one snapshot, which is closed then. Raises StorageFault."""

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in a transaction, one at a time over all processes; rings when others see
        the changes. If `work` raises nothing is changed. Raises FullStorage or StorageFault."""

    def close(self) -> None:
        """Ends all waiting."""
