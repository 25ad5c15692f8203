"""Columns of the index that were read lately: all rows of a field, for as long as nothing is
written.

Who types a name into a list of studies, or turns its pages, has the same column walked over again
and again. LMDB gives one row with each call; as bytes the rows of 10,000 names are 0.5 MB, which
compiled code reads in a fraction of the time.
"""

from threading import Lock
from typing import Final

_ROOM: Final = 8 << 20  # bytes of rows that a process keeps

Bounds = tuple[bytes, bytes]
"""The first key, and the first one after the last."""


class Columns:
    """Of one process; its methods may run in any thread."""

    def __init__(self, room: int = _ROOM) -> None:
        self._room = room
        self._lock = Lock()
        self._transaction = -1  # the last one that the rows know
        self._kept: dict[Bounds, list[bytes]] = {}
        self._size = 0

    def get(self, transaction: int, bounds: Bounds) -> list[bytes] | None:
        """The rows between the bounds, if they are known as of that transaction."""
        with self._lock:
            if transaction != self._transaction:
                return None
            found = self._kept.pop(bounds, None)
            if found is not None:
                self._kept[bounds] = found  # the latest one
            return found

    def put(self, transaction: int, bounds: Bounds, rows: list[bytes]) -> None:
        """Keeps what was read in a snapshot as of that transaction. What is older than what is
        known already, or too large, is not kept; what has not been asked for longest gives way."""
        size = sum(map(len, rows))
        with self._lock:
            if transaction > self._transaction:
                self._transaction = transaction
                self._kept.clear()
                self._size = 0
            if transaction < self._transaction or bounds in self._kept or not self.fits(size):
                return
            while self._size + size > self._room:
                oldest = next(iter(self._kept))
                self._size -= sum(map(len, self._kept.pop(oldest)))
            self._kept[bounds] = rows
            self._size += size

    def fits(self, size: int) -> bool:
        """Whether so many bytes of rows may be kept."""
        return size <= self._room
