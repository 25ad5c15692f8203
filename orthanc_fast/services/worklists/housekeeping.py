"""Worklists whose study is here go, and old ones. Source: reference chapter 7, section 7.2."""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from orthanc_fast.config_plugins import Worklists
from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.log import Category, logger
from orthanc_fast.model import SERVER, Level, timestamp
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.terms import STUDY_INSTANCE_UID
from orthanc_fast.services.worklists.contract import Shelf
from orthanc_fast.services.worklists.entries import Worklist

LOCK_FILE: Final = "worklists.lock"
_AT_ONCE: Final = 500  # studies that are looked up in one snapshot


class WorklistHousekeeping:
    """A thread in each of several processes, of which one does the work: the one that holds a lock
    on a file, which the kernel gives to another one when it dies. `stop` ends it within a
    moment."""

    def __init__(
        self, shelf: Callable[[], Shelf], reads: Reads, lock: Path, options: Worklists
    ) -> None:
        """`shelf` is called by who has the lock only."""
        self._shelf = shelf
        self._read = reads
        self._lock = lock
        self._options = options
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worklists-end", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not self._stopping.wait(self._options.interval):
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if self._options.delete_on_stable_study:
                        delete_done(self._shelf(), self._read)
                    if self._options.expires:
                        delete_old(self._shelf(), time.time() - 3600 * self._options.delay)
                except BlockingIOError:
                    continue
                except Exception as error:  # must not end the thread: the next round tries again
                    logger.error(Category.PLUGINS, f"Housekeeping of worklists failed: {error!r}")
        finally:
            os.close(descriptor)  # which frees the lock


def delete_done(shelf: Shelf, reads: Reads) -> None:
    """Deletes the worklists whose study is stable here; not those that name none."""
    waiting = [each for each in shelf.all() if each.study_uid]
    for start in range(0, len(waiting), _AT_ONCE):
        part = waiting[start : start + _AT_ONCE]
        for worklist in reads(SERVER, partial(_done, worklists=part)):
            _delete(shelf, worklist, "since its study is stable")


def delete_old(shelf: Shelf, before: float) -> None:
    """Deletes the worklists that were created before a moment, in seconds since the epoch."""
    first = timestamp(int(before))
    for worklist in shelf.all():
        if worklist.created is not None and worklist.created < first:
            _delete(shelf, worklist, "since it is old")


def _delete(shelf: Shelf, worklist: Worklist, reason: str) -> None:
    try:
        shelf.delete(worklist.id)
    except UnknownResource:
        return  # others were faster
    except OrthancError as error:
        logger.error(Category.PLUGINS, f"The worklist {worklist.id} cannot be deleted: {error}")
        return
    logger.info(Category.PLUGINS, f"The worklist {worklist.id} is deleted, {reason}")


def _done(view: Snapshot, worklists: Sequence[Worklist]) -> list[Worklist]:
    return [
        each
        for each in worklists
        if any(
            not study.unstable_since
            for study in view.with_term(Level.STUDY, STUDY_INSTANCE_UID, each.study_uid)
        )
    ]
