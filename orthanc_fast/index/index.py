"""The index as the rest of the program sees it: snapshots to read, transactions to write."""

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import lmdb

from orthanc_fast._ext.redo import RecordedTransaction
from orthanc_fast.errors import FullStorage, InternalError, OrthancError, StorageFault
from orthanc_fast.index import checkpoint
from orthanc_fast.index.environment import Environment
from orthanc_fast.index.journal import (
    FILE,
    Journal,
    NoFiles,
    Ownership,
    StoredFiles,
    go_back,
    opening,
    protect,
)
from orthanc_fast.index.migrations import migrations
from orthanc_fast.index.terms import Terms
from orthanc_fast.index.transaction import Transaction
from orthanc_fast.index.view import View
from orthanc_fast.log import Category, logger

T = TypeVar("T")

JOURNAL_SIZE = 64 << 20


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
        with opening(folder):
            if not sync:
                checkpoint.forget(folder)
            elif checkpoint.boot_id() is not None:
                self._open_with_journal(folder, map_size, files or NoFiles(), journal_size)
                return
            self._env = Environment(folder, map_size, sync, migrations(terms))
            self._env.pin.abort()

    def _open_with_journal(
        self, folder: Path, map_size: int, files: StoredFiles, journal_size: int
    ) -> None:
        owner = Ownership(folder)
        with contextlib.ExitStack() as failed:
            failed.callback(owner.release)
            went_back = owner.take() and go_back(folder)
            is_first = owner.held and not went_back
            self._env = Environment(
                folder,
                map_size,
                False,
                migrations(self._terms),
                (lambda env: protect(env, files)) if is_first else (lambda env: None),
            )
            failed.callback(self._env.close)
            self._journal = Journal(self._env, owner, files, journal_size, went_back)
            failed.pop_all()

    @property
    def is_journaled(self) -> bool:
        """Whether files that are given to `write` need not be synced before."""
        return self._journal is not None

    def view(self) -> View:
        """A snapshot for reading; close it soon (`with index.view() as view`)."""
        return View(self._env)

    def write(
        self,
        work: Callable[[Transaction], T],
        files: Callable[[T], Iterable[FILE]] = _no_files,
    ) -> T:
        """Runs `work` in one transaction and returns its result once that is durable, with the
        bytes of the small `files` that belong to the result.

        Waits for other writers, of other processes too. If `work` raises nothing is changed.
        Raises FullStorage when the index or its disk is full.
        """
        if self._journal is None:
            return self._translated(lambda: self._write_plainly(work))
        return self._translated(lambda: self._write_recorded(work, files))

    def _write_plainly(self, work: Callable[[Transaction], T]) -> T:
        with self._env.lmdb.begin(write=True) as txn:
            transaction = Transaction(self._env, txn, self._terms)
            result = work(transaction)
            transaction.flush()
        return result

    def _write_recorded(
        self, work: Callable[[Transaction], T], files: Callable[[T], Iterable[FILE]]
    ) -> T:
        assert self._journal is not None
        while True:
            is_recorded = False
            try:
                with self._env.lmdb.begin(write=True) as txn:
                    if self._journal.is_ready(txn):
                        recorded = RecordedTransaction(txn, self._env.numbers)
                        transaction = Transaction(self._env, recorded, self._terms)
                        result = work(transaction)
                        transaction.flush()
                        is_recorded = True
                        self._journal.append(txn, recorded.notes(), list(files(result)))
                        return result
            except BaseException:
                if is_recorded and work is not _nothing:
                    self._settle_after_failure()
                raise
            self._journal.make_ready()

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
            self.settle()
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
        """Frees the reader slots of processes that died; returns how many."""
        return self._env.clear_stale_readers()

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
        self._env.close()


def _translate(error: lmdb.Error, folder: Path) -> OrthancError:
    if isinstance(error, lmdb.MapFullError):
        return FullStorage(f"the index in {folder} is full: raise IndexMapSizeGB and restart")
    if isinstance(error, lmdb.DiskError) or "No space left" in str(error):
        return FullStorage(f"no space left for the index in {folder}")
    if isinstance(error, lmdb.CorruptedError | lmdb.PageNotFoundError | lmdb.PanicError):
        return StorageFault(f"the index in {folder} is damaged: {error}")
    return InternalError(f"the index in {folder} failed: {error}")
