"""What the server has done in the last hour, for plots: a ring of samples of its counters.

The ring is a small file beside the figures of the processes. Whichever worker comes first when a
sample is due takes it, so no process is needed for it alone, and one that dies leaves no gap.
"""

import asyncio
import fcntl
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = "history"
INTERVAL: Final = 30  # seconds
LEAST: Final = 25  # seconds: several processes look, each every INTERVAL / 3
SAMPLES: Final = 3600 // LEAST + 1  # no less than an hour
_RECORD: Final = struct.Struct("<d4d")


class Sample(msgspec.Struct, frozen=True, rename="pascal"):
    """The counters of the server at one instant, in seconds since the epoch; they grow from 0 at
    its start."""

    time: float
    instances: float  # that are stored: goes down when some are deleted
    written_bytes: float
    read_bytes: float
    requests: float


class History:
    """`sample` gives the counters as they are now."""

    def __init__(self, folder: Path, sample: Callable[[], Sample]) -> None:
        self._path = folder / FILE
        self._sample = sample

    async def keep(self) -> None:
        """Takes samples until it is cancelled."""
        while True:
            await asyncio.to_thread(self.take_if_due)
            await asyncio.sleep(INTERVAL / 3)

    def take_if_due(self) -> None:
        """Takes a sample, unless another process has just taken or is taking one. Blocks."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            known = _read(descriptor)
            if known and 0 <= time.time() - known[-1].time < LEAST:
                return
            samples = [*known, self._sample()][-SAMPLES:]
            content = b"".join(_RECORD.pack(*msgspec.structs.astuple(each)) for each in samples)
            os.pwrite(descriptor, content, 0)
            os.ftruncate(descriptor, len(content))
        except BlockingIOError:
            return
        finally:
            os.close(descriptor)

    def samples(self) -> list[Sample]:
        """Those that there are, the oldest first, and one of now. Blocks."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return [self._sample()]
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            return [*_read(descriptor), self._sample()]
        finally:
            os.close(descriptor)


def begin(folder: Path) -> None:
    """Forgets the samples of the last run; before any process of a new one takes its own."""
    (folder / FILE).unlink(missing_ok=True)


def _read(descriptor: int) -> list[Sample]:
    content = os.pread(descriptor, SAMPLES * _RECORD.size, 0)
    whole = len(content) - len(content) % _RECORD.size
    return [Sample(*values) for values in _RECORD.iter_unpack(content[:whole])]
