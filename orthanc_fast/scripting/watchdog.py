"""Ends the process when a script runs for longer than it may, or keeps the memory that there is.

A thread looks every second; it cannot where a library keeps the interpreter to itself, so behind it
stands a timer of the C library (faulthandler) that ends the process when that thread is not heard
of any longer.
"""

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from orthanc_fast.log import Category, logger

PERIOD = 0.5  # seconds between two looks
SILENCE = 60.0  # seconds without a look after which the process ends
FULL = 15 / 16  # of the memory that it may have, from which on a process cannot work any longer
PATIENCE = 10  # looks in a row at which it is full: what a callback needs for itself, it gives back


class Limit:
    """For a block that ends in time, or the process does."""

    def __init__(self, ends: "dict[Limit, tuple[float, str]]", seconds: float, what: str) -> None:
        self._ends = ends
        self._seconds = seconds
        self._what = what

    def __enter__(self) -> None:
        if self._seconds:
            text = f"{self._what} runs for {self._seconds:g} s"
            self._ends[self] = time.monotonic() + self._seconds, text

    def __exit__(self, *_: object) -> None:
        self._ends.pop(self, None)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The time within the block does not count."""
        entry = self._ends.pop(self, None)
        began = time.monotonic()
        try:
            yield
        finally:
            if entry is not None:
                end, text = entry
                self._ends[self] = end + time.monotonic() - began, text


class Watchdog:
    """Watches the work of one process."""

    def __init__(self, memory_mb: int = 0) -> None:
        """`memory_mb`: what the process may have, as RLIMIT_DATA counts it; 0: any."""
        self._ends: dict[Limit, tuple[float, str]] = {}
        self._memory = memory_mb << 20
        self._looks_full = 0

    def start(self) -> None:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Nothing is watched any longer."""
        self._ends = {}
        faulthandler.cancel_dump_traceback_later()

    def limited(self, seconds: float, what: str) -> Limit:
        """A block under it ends within so many seconds (0: whenever it likes), or the process
        does."""
        return Limit(self._ends, seconds, what)

    def _watch(self) -> None:
        while True:
            try:
                is_full = self._look()
            except (MemoryError, RuntimeError):  # the second: no memory for faulthandler's thread
                is_full = True
            self._count(is_full)
            time.sleep(PERIOD)

    def _look(self) -> bool:
        """Whether the process has all of its memory."""
        faulthandler.dump_traceback_later(SILENCE, exit=True)
        now = time.monotonic()
        for end, text in list(self._ends.values()):
            if now > end:
                _end(text)
        return bool(self._memory) and _memory_in_use() > self._memory * FULL

    def _count(self, is_full: bool) -> None:
        self._looks_full = self._looks_full + 1 if is_full else 0
        if self._looks_full >= PATIENCE:
            _end(
                f"A script keeps all of the {self._memory >> 20} MB of memory that it may have "
                "(MaximumMemoryMB)"
            )


def _end(why: str) -> None:
    try:
        logger.error(Category.GENERIC, f"{why}: the process is ended and replaced")
    finally:
        os.kill(os.getpid(), signal.SIGKILL)


def _memory_in_use() -> int:
    """Bytes of the memory of this process that is its own, touched or not."""
    file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(file, 200).split()[5]) * os.sysconf("SC_PAGE_SIZE")
    finally:
        os.close(file)
