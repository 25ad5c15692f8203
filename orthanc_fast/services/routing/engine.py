"""What the process that routes does: one thread reads the change log, and each destination has one
that sends."""

import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from orthanc_fast.services.routing.contract import Stop
from orthanc_fast.services.routing.follower import Follower
from orthanc_fast.services.routing.sender import Sender

LOCK_FILE: Final = "routing.lock"
_PERIOD: Final = 0.1  # seconds between two looks whether the lock is free


class Engine:
    """Runs in the thread that calls `serve`."""

    def __init__(
        self, lock: Path, stop: Stop, follower: Follower, senders: Sequence[Sender]
    ) -> None:
        self._lock = lock
        self._stop = stop
        self._follower = follower
        self._senders = senders

    def serve(self) -> None:
        """Returns after `stop`. A process of a server that was killed may still be about to end:
        who holds the lock sends, and nobody else."""
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
            for thread in threads:
                thread.join()
        finally:
            os.close(descriptor)  # which frees the lock

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
