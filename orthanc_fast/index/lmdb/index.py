"""The index as the rest of the program sees it: snapshots to read, transactions to write."""

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import lmdb

from orthanc_fast._ext.redo import RecordedTransaction
from orthanc_fast.errors import FullStorage, InternalError, OrthancError, StorageFault
from orthanc_fast.index.lmdb import checkpoint
from orthanc_fast.index.lmdb.environment import Environment, WriteTransaction
from orthanc_fast.index.lmdb.journal import FILE, Journal, NoFiles, StoredFiles, go_back, protect
from orthanc_fast.index.lmdb.locks import Busy, Gate, JournalFull, Place
from orthanc_fast.index.lmdb.migrations import migrations
from orthanc_fast.index.lmdb.ring import CAN_WRITE_THROUGH
from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.index.lmdb.view import View
from orthanc_fast.index.terms import Terms
from orthanc_fast.log import Category, logger

T = TypeVar("T")

JOURNAL_SIZE = 64 << 20

# Seconds that a write waits for room in the journal, and between two looks.
WAIT = 60.0
PAUSE = 0.002


def _no_files(result: object) -> Iterable[FILE]:
    return ()


def _nothing(transaction: Transaction) -> None:
    return


class Index:
    """The durable truth about what is stored. One per process; safe for use from several threads.

    `terms` says under which tags and values a resource can be found (see `terms.Terms`).
    Any later backend offers these methods, and the views and transactions they give.
    """

    def __init__(
        self,
        folder: Path,
        terms: Terms,
        map_size: int = 1 << 40,
        sync: bool = True,
        files: StoredFiles | None = None,
        journal_size: int = JOURNAL_SIZE,
    ):
        """`sync=False` gives up durability (bulk generation only). `files` are those whose bytes
        are given to `write`. Raises StorageFault or IncompatibleDatabase: see Environment."""
        self._terms = terms
        self._journal: Journal | None = None
        with contextlib.ExitStack() as failed:
            self._place = Place(folder)
            failed.callback(self._place.leave)
            self._gate = Gate(folder)
            failed.callback(self._gate.close)
            with self._place as place:
                if sync and CAN_WRITE_THROUGH:
                    self._open_with_journal(folder, map_size, place, files, journal_size)
                else:
                    checkpoint.forget(folder)
                    self._env = Environment(folder, map_size, sync, migrations(terms))
                    self._env.pin.abort()
            failed.pop_all()

    def _open_with_journal(
        self,
        folder: Path,
        map_size: int,
        place: Place,
        files: StoredFiles | None,
        journal_size: int,
    ) -> None:
        files = files or NoFiles()
        if place.is_alone and not place.become_owner():
            raise StorageFault(
                "another program holds owner.lock of the index: end it", private=folder
            )
        went_back = place.is_alone and go_back(folder)

        def before_writing(env: Environment) -> None:
            if place.is_alone and not went_back:
                protect(env, files)

        self._env = Environment(folder, map_size, False, migrations(self._terms), before_writing)
        try:
            self._journal = Journal(self._env, place, files, journal_size, went_back)
        except BaseException:
            self._env.close()
            raise

    @property
    def was_alone(self) -> bool:
        """Whether no other process used the index when this one opened it."""
        return self._place.is_alone

    @property
    def is_journaled(self) -> bool:
        """Whether files that are given to `write` need not be synced before."""
        return self._journal is not None

    def view(self) -> View:
        """A snapshot for reading; close it soon (`with index.view() as view`)."""
        return View(self._env)

    def read(self, function: Callable[[View], T]) -> T:
        """What `function` makes of one snapshot, which is closed afterwards."""
        with self.view() as view:
            return function(view)

    def write(
        self,
        work: Callable[[Transaction], T],
        files: Callable[[T], Iterable[FILE]] = _no_files,
        patience: float | None = None,
    ) -> T:
        """Runs `work` in one transaction and returns its result once that is durable, with the
        bytes of the small `files` that belong to the result.

        Waits for other writers, of other processes too; for more than `patience` seconds, where it
        is given, raises Busy. If `work` raises nothing is changed. Raises FullStorage when the
        index or its disk is full, StorageFault when the disk has failed.
        """
        end = time.monotonic() + WAIT
        while True:
            self._gate.enter(patience)
            try:
                written = self._translated(lambda: self._write_once(work, files))
                is_ready = written is None and self._translated(self._make_ready)
            finally:
                self._gate.leave()
            if written is not None:
                return written[0]
            if is_ready:
                continue
            if patience is not None:
                raise Busy
            if time.monotonic() > end:
                raise JournalFull(
                    f"the journal in {self._env.folder} is full and its owner does not empty it: "
                    "see the log of the server"
                )
            time.sleep(PAUSE)

    def _make_ready(self) -> bool:
        assert self._journal is not None
        return self._journal.make_ready()

    def _write_once(
        self, work: Callable[[Transaction], T], files: Callable[[T], Iterable[FILE]]
    ) -> tuple[T] | None:
        """The result; None where the journal has no room for it at the moment."""
        if self._journal is None:
            with self._env.lmdb.begin(write=True) as txn:
                return (self._run(txn, work),)
        is_recorded = False
        try:
            with self._env.lmdb.begin(write=True) as txn:
                if not self._journal.is_ready(txn):
                    return None
                recorded = RecordedTransaction(txn, self._env.numbers)
                result = self._run(recorded, work)
                is_recorded = True
                self._journal.append(txn, recorded.notes(), list(files(result)))
                return (result,)
        except BaseException:
            if is_recorded and work is not _nothing:
                self._settle_after_failure()
            raise

    def _run(self, txn: WriteTransaction, work: Callable[[Transaction], T]) -> T:
        transaction = Transaction(self._env, txn, self._terms)
        result = work(transaction)
        transaction.flush()
        return result

    def settle(self) -> None:
        """Makes sure that a write which was not finished, because its process died or its commit
        failed, cannot come back: its files may be removed afterwards."""
        self.write(_nothing)

    def checkpoint(self) -> None:
        """Makes durable, without the journal, what was written so far: as the owner does from time
        to time. Nothing where another process is the owner. Raises StorageFault or FullStorage."""
        if self._journal is not None:
            self._translated(self._journal.checkpoint)

    def _settle_after_failure(self) -> None:
        try:
            if self._write_once(_nothing, _no_files) is None:
                raise StorageFault("the journal is full")
        except (OrthancError, lmdb.Error) as error:
            logger.error(Category.GENERIC, f"A failed write may come back after a crash: {error}")

    def _translated(self, run: Callable[[], T]) -> T:
        try:
            return run()
        except OrthancError:
            raise
        except lmdb.Error as error:
            raise _translate(error, self._env.folder) from error

    def clear_stale_readers(self) -> int:
        """Frees the reader slots of processes that died; returns how many. One of them may be what
        keeps the last checkpoint valid, so none is freed but by the owner, who has its own."""
        if self._journal is not None and not self._journal.is_protecting:
            return 0
        return self._env.clear_stale_readers()

    def close(self) -> None:
        try:
            if self._journal is not None:
                self._journal.close()
        finally:
            self._env.close()
            self._gate.close()
            self._place.leave()


def _translate(error: lmdb.Error, folder: Path) -> OrthancError:
    if isinstance(error, lmdb.MapFullError):
        return FullStorage("the index is full: raise IndexMapSizeGB and restart", private=folder)
    if isinstance(error, lmdb.DiskError) or "No space left" in str(error):
        return FullStorage("no space left for the index", private=folder)
    if isinstance(error, lmdb.CorruptedError | lmdb.PageNotFoundError | lmdb.PanicError):
        return StorageFault("the index is damaged", private=f"{folder}: {error}")
    return InternalError("the index failed", private=f"{folder}: {error}")
