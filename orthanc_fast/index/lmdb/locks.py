"""Locks between processes, as files that the kernel unlocks when a process dies."""

import fcntl
import os
import threading
import time
from pathlib import Path

from orthanc_fast.errors import StorageFault
from orthanc_fast.index.lmdb.disk import create_as_owner, fault

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


class Place:
    """What the processes that use an index know of each other: one at a time opens it, one is the
    owner of its journal, and whoever is alone with it knows that."""

    def __init__(self, folder: Path) -> None:
        """Raises StorageFault or FullStorage."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise fault(error, folder) from error
        self.is_owner = False
        self.is_alone = False
        # In this order, since a process that is killed loses them in this order: as long as it may
        # seem to use the index, nobody opens it.
        self._owner = FileLock(folder / "owner.lock")
        self._users = FileLock(folder / "users.lock")
        self._opening = FileLock(folder / "opening.lock")

    def __enter__(self) -> "Place":
        """Begins to open the index."""
        self._opening.exclusive()
        self.is_alone = self._users.exclusive(wait=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """After an error `leave` must follow, which keeps others out until it is done."""
        if kind is None:
            self._users.shared()
            self._opening.release()

    def keep_others_out(self) -> bool:
        """Nobody else opens the index any more, until `leave`. False where somebody has it open."""
        self._opening.exclusive()
        is_alone = self._users.exclusive(wait=False)
        self._users.shared()
        if not is_alone:
            self._opening.release()
        return is_alone

    def become_owner(self) -> bool:
        """Whether this process is the owner, now or already; it stays so until `leave`."""
        self.is_owner = self.is_owner or self._owner.exclusive(wait=False)
        return self.is_owner

    def leave(self) -> None:
        self.is_owner = False
        for lock in (self._owner, self._users, self._opening):
            lock.close()


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
