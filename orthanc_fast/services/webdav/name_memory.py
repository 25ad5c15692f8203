"""The names of large folders, remembered for a short time: a file manager asks for one path after
the other of the same folder. What has come meanwhile is all that is read then."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from heapq import merge
from operator import itemgetter
from threading import Lock
from typing import Final, NamedTuple

from xxhash import xxh3_128_digest

from orthanc_fast._ext.idsets import subtract
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SHA1
from orthanc_fast.services.webdav.names import Names, Style, named

# Main tags may change by a reconstruction, which no set of identifiers shows.
SECONDS: Final = 30.0
MOST_NAMES: Final = 1_000_000  # of all folders together; about 130 bytes each
_FEW: Final = 0.5  # of a folder: where more is new, all of it is read

Read = Callable[[bytes], Iterable[tuple[str, bytes]]]
"""Gives text and identifier of resources, in the order in which they are packed."""


class _Remembered(NamedTuple):
    packed: bytes
    plain: Names  # in the order of the identifiers, the same ones not told apart
    names: Names
    until: float


class NameMemory:
    """Names by what they are names of; the same only as long as exactly that is there. `clock`
    gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._known: OrderedDict[tuple[Style, bytes], _Remembered] = OrderedDict()

    def names(self, style: Style, packed: bytes, read: Read) -> Names:
        """Those of a set that is packed in ascending order; of what is not remembered the texts are
        read."""
        key = (style, xxh3_128_digest(packed))
        with self._lock:
            self._forget()
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
                return found.names
            base, base_key = self._nearest(style, packed)
        until = self._clock() + SECONDS if base is None else base.until
        plain = Names(_merged(base, packed, read))
        names = named(plain.pairs())
        if len(packed) <= MOST_NAMES * SHA1:
            with self._lock:
                if base_key is not None:
                    self._known.pop(base_key, None)
                self._known[key] = _Remembered(packed, plain, names, until)
                self._forget()
        return names

    def _nearest(
        self, style: Style, packed: bytes
    ) -> tuple[_Remembered, tuple[Style, bytes]] | tuple[None, None]:
        """What is remembered of nearly the same set, where there is such."""
        for key in reversed(self._known):
            found = self._known[key]
            if key[0] == style and len(subtract(packed, found.packed)) < _FEW * len(packed):
                return found, key
        return None, None

    def _forget(self) -> None:
        now = self._clock()
        for key in [key for key, each in self._known.items() if each.until <= now]:
            del self._known[key]
        while sum(len(each.names) for each in self._known.values()) > MOST_NAMES:
            self._known.popitem(last=False)


def _merged(base: _Remembered | None, packed: bytes, read: Read) -> Iterable[tuple[str, bytes]]:
    """Text and identifier of all, in order: those of `base` that are still there, and new ones."""
    if base is None:
        return read(packed)
    gone = frozenset(unpack(subtract(base.packed, packed)))
    kept = (pair for pair in base.plain.pairs() if pair[1] not in gone)
    return merge(kept, read(subtract(packed, base.packed)), key=itemgetter(1))
