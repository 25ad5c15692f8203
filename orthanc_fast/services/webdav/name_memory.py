"""The names of large folders, remembered for a short time: a file manager asks for one path after
the other of the same folder."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final, NamedTuple

from xxhash import xxh3_128_digest

from orthanc_fast.model import SHA1
from orthanc_fast.services.webdav.names import Names, Style

# Main tags may change by a reconstruction, which no set of identifiers shows.
SECONDS: Final = 10.0
MOST_NAMES: Final = 1_000_000  # of all folders together; about 60 bytes each


class _Remembered(NamedTuple):
    names: Names
    until: float


class NameMemory:
    """Names by what they are names of; the same only as long as exactly that is there. `clock`
    gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._known: OrderedDict[tuple[Style, bytes], _Remembered] = OrderedDict()

    def names(self, style: Style, packed: bytes, make: Callable[[], Names]) -> Names:
        """Those that are remembered, else those that `make` makes."""
        key = (style, xxh3_128_digest(packed))
        with self._lock:
            found = self._known.get(key)
            if found is not None and found.until > self._clock():
                self._known.move_to_end(key)
                return found.names
        names = make()
        if len(packed) <= MOST_NAMES * SHA1:
            with self._lock:
                self._known[key] = _Remembered(names, self._clock() + SECONDS)
                self._known.move_to_end(key)
                self._forget()
        return names

    def _forget(self) -> None:
        now = self._clock()
        for key in [key for key, each in self._known.items() if each.until <= now]:
            del self._known[key]
        while sum(len(each.names) for each in self._known.values()) > MOST_NAMES:
            self._known.popitem(last=False)
