"""Deflated data sets (PS3.5 Annex A.5): inflated within bounds, of one file and of all together."""

import zlib
from collections import deque
from collections.abc import Iterator
from threading import Condition
from typing import Any, cast

from isal import isal_zlib

from orthanc_fast._ext.scan import ScanError
from orthanc_fast.errors import BadFileFormat, OrthancError

# What a deflated data set may grow to; whoever needs more sends it uncompressed. From JUDGED_FROM
# bytes on it must not be more than MAX_RATIO times as large as its file: deflate reaches 1,032.
MAX_INFLATED = 1 << 30
JUDGED_FROM = 1 << 28
MAX_RATIO = 100

# What all inflated files of a process take together, until nobody looks at them any more.
INFLATED_AT_ONCE = MAX_INFLATED
PATIENCE = 30.0  # seconds

_NOT_ENOUGH_MEMORY = 4
_TOO_LARGE = (
    "the deflated data set exceeds the {} MB that a file of this size may hold: send it in another "
    "transfer syntax, such as Explicit VR Little Endian"
)
_BUSY = (
    "too many large deflated files are worked on at the same time: try again later, or store them "
    "in another transfer syntax, such as Explicit VR Little Endian"
)
_ERROR = cast("type[Exception]", isal_zlib.IsalError)
_STEP = 1 << 20  # bytes that are inflated at a time
_PIECE = 1 << 16  # bytes that are given to that

Buffer = bytes | bytearray | memoryview


class MemoryGate:
    """Counts bytes of memory that are in use. Who finds no room waits for those before him; what is
    larger than all the room there is gets in alone."""

    def __init__(self, room: int, patience: float) -> None:
        """`patience`: the longest wait in seconds."""
        self.room = room
        self.patience = patience
        self.used = 0
        self._waiting: deque[object] = deque()
        # Its lock is one that a thread may take twice: `leave` may be called by the collection of
        # garbage at any place.
        self._changed = Condition()

    @property
    def waiting(self) -> int:
        """How many find no room."""
        return len(self._waiting)

    def enter(self, size: int) -> None:
        """Returns when there is room. Raises OrthancError (NotEnoughMemory, 503) if that takes too
        long."""
        place = object()

        def is_our_turn() -> bool:
            return self._waiting[0] is place and (not self.used or self.used + size <= self.room)

        with self._changed:
            self._waiting.append(place)
            try:
                if not self._changed.wait_for(is_our_turn, self.patience):
                    raise OrthancError(_BUSY, code=_NOT_ENOUGH_MEMORY, http_status=503)
                self.used += size
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()

    def leave(self, size: int) -> None:
        """The memory is free again."""
        with self._changed:
            self.used -= size
            self._changed.notify_all()


GATE = MemoryGate(INFLATED_AT_ONCE, PATIENCE)


class _Inflated(bytearray):
    """Is counted by its gate as long as there is a view of it."""

    gate: MemoryGate | None = None

    def __del__(self) -> None:
        if self.gate is not None:
            self.gate.leave(len(self))


def inflate(data: Buffer, start: int) -> memoryview:
    """A file with its deflated data set, which begins at `start`, inflated: one copy, whose size is
    found out first. May wait until others are done with theirs.

    Raises ScanError for what cannot be inflated, BadFileFormat if it would be too large,
    OrthancError (NotEnoughMemory, 503) if there is no room for too long.
    """
    size = start + _inflated_size(data, start)
    gate = GATE
    gate.enter(size)
    try:
        found = _Inflated(size)
        found.gate = gate
    except BaseException:
        gate.leave(size)
        raise
    view = memoryview(found)
    view[:start] = data[:start]
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    at = start
    try:
        for part in _parts(stream, data, start):
            view[at : at + len(part)] = part
            at += len(part)
    except (zlib.error, ValueError) as error:
        raise ScanError(f"the data set cannot be inflated: {error}") from error
    if at != size or not stream.eof:
        raise ScanError("the data set cannot be inflated: it has two sizes")
    return view.toreadonly()


def inflated_head(data: Buffer, start: int) -> bytes:
    """A file with the beginning of its deflated data set inflated, a megabyte at most. Raises
    ScanError for what cannot be inflated."""
    stream = isal_zlib.decompressobj(-zlib.MAX_WBITS)
    parts = [bytes(data[:start])]
    room = _STEP
    try:
        for part in _parts(stream, data, start):
            parts.append(part[:room])
            room -= len(part)
            if room <= 0:
                break
    except _ERROR as error:
        raise ScanError(f"the data set cannot be inflated: {error}") from error
    return b"".join(parts)


def _inflated_size(data: Buffer, start: int) -> int:
    """Bytes of the data set, within the bounds; nothing of it is kept."""
    allowed = min(MAX_INFLATED, max(JUDGED_FROM, MAX_RATIO * (len(data) - start)))
    stream = isal_zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    try:
        for part in _parts(stream, data, start):
            size += len(part)
            if size > allowed:
                raise BadFileFormat(_TOO_LARGE.format(allowed >> 20))
    except _ERROR as error:
        raise ScanError(f"the data set cannot be inflated: {error}") from error
    if not stream.eof:
        raise ScanError("the deflated data set is truncated")
    return size


def _parts(stream: Any, data: Buffer, start: int) -> Iterator[bytes]:
    """What `stream`, of zlib or isal, makes of the data from `start` on, some at a time. Raises the
    errors of its library."""
    for piece in range(start, len(data), _PIECE):
        pending = bytes(data[piece : piece + _PIECE])
        while not stream.eof:
            part = stream.decompress(pending, _STEP)
            pending = stream.unconsumed_tail
            yield part
            if len(part) < _STEP and not pending:
                break
