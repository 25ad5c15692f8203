"""How many associations are served at the same time, over all workers of the server."""

import fcntl
import os
import threading


class Places:
    """A fixed number of places, each a byte of one file that the workers share: who locks the byte
    has the place. The kernel gives back what a dead worker had, at once."""

    def __init__(self, limit: int, file: int) -> None:
        """A limit of 0 is none. `file` is a descriptor for writing that `close` closes; the locks
        belong to the process, which must not open that file a second time."""
        self._limit = limit
        self._lock = threading.Lock()
        self._taken: set[int] = set()
        self._next = os.getpid() % (limit or 1)  # so that workers seldom try the same ones
        self._file = file

    def take(self) -> int | None:
        """A place, to be given back; None if there is none left."""
        if not self._limit:
            return 0
        with self._lock:
            for step in range(self._limit):
                place = (self._next + step) % self._limit
                if place not in self._taken and self._claim(place):
                    self._taken.add(place)
                    self._next = place + 1
                    return place
        return None

    def give_back(self, place: int) -> None:
        """Lets another association have it."""
        if not self._limit:
            return
        with self._lock:
            self._taken.remove(place)
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def _claim(self, place: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Gives everything back."""
        os.close(self._file)
