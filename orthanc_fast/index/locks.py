"""Locks between processes, as files that the kernel unlocks when a process dies."""

import fcntl
import os
import threading
import time
from pathlib import Path

from orthanc_fast.errors import StorageFault
from orthanc_fast.index.disk import create_as_owner, fault

# Between two looks at a lock that is waited for with a limit: it is held for tenths of a
# millisecond.
LOOK = 0.0001


class Busy(Exception):
    """A write would have to wait longer than it was told to."""


class JournalFull(StorageFault):
    """There was no room for so long that more waiting is no use."""


class FileLock:
    """One handle of a lock; several of one process exclude each other too."""

    def __init__(self, path: Path) -> None:
        """Raises StorageFault or FullStorage."""
        try:
            self._fd = create_as_owner(path, os.O_RDWR)
        except OSError as error:
            raise fault(error, path) from error

    def exclusive(self, wait: bool = True) -> bool:
        """Whether it was taken; always with `wait`."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def shared(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def release(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._fd)


class Gate:
    """Who may write to the index: one thread of one process at a time.

    LMDB has a lock of its own, but one cannot wait for it with a limit. Behind this gate it is
    free, but for the moments that a checkpoint takes.
    """

    def __init__(self, folder: Path) -> None:
        self._threads = threading.Lock()
        self._processes = FileLock(folder / "write.lock")

    def enter(self, patience: float | None = None) -> None:
        """Waits for up to `patience` seconds, None for ever. Raises Busy."""
        if not self._threads.acquire(timeout=-1 if patience is None else patience):
            raise Busy
        try:
            if patience is None:
                self._processes.exclusive()
                return
            end = time.monotonic() + patience
            while not self._processes.exclusive(wait=False):
                if time.monotonic() > end:
                    raise Busy
                time.sleep(LOOK)
        except BaseException:
            self._threads.release()
            raise

    def leave(self) -> None:
        self._processes.release()
        self._threads.release()

    def close(self) -> None:
        self._processes.close()
