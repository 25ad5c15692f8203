"""What the process that routes does: one thread reads the change log, and each destination has one
that sends."""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from orthanc_fast.services.routing.contract import Stop
from orthanc_fast.services.routing.follower import Follower
from orthanc_fast.services.routing.sender import Sender

LOCK_FILE: Final = "routing.lock"
_LOOKED_EACH: Final = 1.0  # second
_PATIENCE: Final = 5.0  # seconds
_PERIOD: Final = 0.1  # seconds between two looks whether the lock is free


class Engine:
    """Runs in the thread that calls `serve`."""

    def __init__(
        self,
        lock: Path,
        stop: Stop,
        follower: Follower,
        senders: Sequence[Sender],
        has_changed: Callable[[], bool] = lambda: False,
    ) -> None:
        """`has_changed` is asked each second: whether there are other rules or destinations."""
        self._has_changed = has_changed
        self._lock = lock
        self._stop = stop
        self._follower = follower
        self._senders = senders

    def serve(self) -> None:
        """Returns after `stop`, or where something has changed. A process of a server that was
        killed may still be about to end: who holds the lock sends, and nobody else."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(descriptor):
                if self._stop.wait(_PERIOD):
                    return
            work: list[Callable[[], None]] = [self._follower.serve]
            work += [each.serve for each in self._senders]
            threads = [threading.Thread(target=each, name="routing") for each in work]
            for thread in threads:
                thread.start()
            try:
                while not self._stop.wait(_LOOKED_EACH):
                    if self._has_changed():
                        self._end_softly(threads)
            finally:  # whatever went wrong: the process ends, and is replaced
                self.stop()
                for thread in threads:
                    thread.join()
        finally:
            os.close(descriptor)  # which frees the lock

    def _end_softly(self, threads: Sequence[threading.Thread]) -> None:
        """What is being sent is completed, unless that keeps others waiting for long."""
        self._stop.set_softly()
        self._follower.stop()
        end = time.monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        self._stop.set()

    def stop(self) -> None:
        """From any thread, or from a signal."""
        self._stop.set()
        self._follower.stop()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
