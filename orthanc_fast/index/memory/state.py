"""What the index in memory holds, and changes of it that can be taken back."""

from collections.abc import Callable
from typing import TypeVar

from orthanc_fast.model import Change, Export, Level

K = TypeVar("K")
V = TypeVar("V")


class State:
    """Plain dictionaries. Records and counters are MessagePack, so that whoever gets one has a copy
    of his own; sets are dictionaries without values."""

    def __init__(self) -> None:
        self.ids: dict[Level, dict[bytes, int]] = {level: {} for level in Level}
        self.records: dict[int, bytes] = {}
        self.images: dict[int, bytes] = {}
        self.children: dict[int, dict[bytes, None]] = {}
        self.terms: dict[bytes, dict[bytes, None]] = {}
        self.unstable: dict[tuple[int, int, int], None] = {}  # second, rank of the level, id
        self.recycling: dict[int, int] = {}
        self.changes: dict[int, Change] = {}
        self.changes_of: dict[int, dict[int, None]] = {}
        self.exports: dict[int, Export] = {}
        self.signatures: dict[int, str] = {}
        self.doomed: dict[str, None] = {}
        self.properties: dict[str, bytes] = {}
        self.totals: dict[str, bytes] = {}  # one entry


def some_properties(
    state: State, prefix: str, after: str | None, limit: int, descending: bool
) -> list[tuple[str, bytes]]:
    """See `Snapshot.some_properties`."""
    names = sorted((name for name in state.properties if name.startswith(prefix)), key=str.encode)
    if descending:
        names.reverse()
    if after is not None:
        edge = after.encode()
        names = [
            name for name in names if (name.encode() < edge if descending else name.encode() > edge)
        ]
    return [(name, state.properties[name]) for name in names[:limit]]


class Undo:
    """Changes dictionaries, and remembers how they were."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def put(self, table: dict[K, V], key: K, value: V) -> None:
        if key in table:
            old = table[key]
            self._steps.append(lambda: table.__setitem__(key, old))
        else:
            self._steps.append(lambda: table.__delitem__(key))
        table[key] = value

    def remove(self, table: dict[K, V], key: K) -> None:
        """What is not there does not matter."""
        if key in table:
            old = table.pop(key)
            self._steps.append(lambda: table.__setitem__(key, old))

    def clear(self, table: dict[K, V]) -> None:
        old = dict(table)
        table.clear()
        self._steps.append(lambda: table.update(old))

    def take_back(self) -> None:
        """All is as it was before."""
        while self._steps:
            self._steps.pop()()
