"""Ends the process when a script runs for longer than it may.

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


class Watchdog:
    """Watches the work of one process."""

    def __init__(self) -> None:
        self._ends: dict[object, tuple[float, str]] = {}

    def start(self) -> None:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Nothing is watched any longer."""
        self._ends = {}
        faulthandler.cancel_dump_traceback_later()

    @contextmanager
    def limited(self, seconds: float, what: str) -> Iterator[None]:
        """The block ends within so many seconds (0: whenever it likes), or the process does."""
        key = object()
        if seconds:
            self._ends[key] = (time.monotonic() + seconds, f"{what} runs for {seconds:g} s")
        try:
            yield
        finally:
            self._ends.pop(key, None)

    def _watch(self) -> None:
        while True:
            faulthandler.dump_traceback_later(SILENCE, exit=True)
            now = time.monotonic()
            for end, text in list(self._ends.values()):
                if now > end:
                    logger.error(Category.GENERIC, f"{text}: the process is ended and replaced")
                    os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(PERIOD)
