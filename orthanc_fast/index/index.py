"""The index as the rest of the program sees it: snapshots to read, transactions to write."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import lmdb

from orthanc_fast.errors import FullStorage, InternalError, OrthancError, StorageFault
from orthanc_fast.index.environment import Environment
from orthanc_fast.index.migrations import migrations
from orthanc_fast.index.terms import Terms
from orthanc_fast.index.transaction import Transaction
from orthanc_fast.index.view import View

T = TypeVar("T")


class Index:
    """The durable truth about what is stored. One per process; safe for use from several threads.

    `terms` says under which tags and values a resource can be found (see `terms.Terms`).
    Any later backend offers these four methods, and the views and transactions they give.
    """

    def __init__(self, folder: Path, terms: Terms, map_size: int = 1 << 40, sync: bool = True):
        """Raises StorageFault or IncompatibleDatabase: see Environment."""
        self._env = Environment(folder, map_size, sync, migrations(terms))
        self._terms = terms

    def view(self) -> View:
        """A snapshot for reading; close it soon (`with index.view() as view`)."""
        return View(self._env)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in one transaction and returns its result once that is durable.

        Waits for other writers, of other processes too. If `work` raises nothing is changed.
        Raises FullStorage when the index or its disk is full.
        """
        try:
            with self._env.lmdb.begin(write=True) as txn:
                transaction = Transaction(self._env, txn, self._terms)
                result = work(transaction)
                transaction.flush()
            return result
        except OrthancError:
            raise
        except lmdb.Error as error:
            raise _translate(error, self._env.folder) from error

    def clear_stale_readers(self) -> int:
        """Frees the reader slots of processes that died; returns how many."""
        return self._env.clear_stale_readers()

    def close(self) -> None:
        self._env.close()


def _translate(error: lmdb.Error, folder: Path) -> OrthancError:
    if isinstance(error, lmdb.MapFullError):
        return FullStorage(f"the index in {folder} is full: raise IndexMapSizeGB and restart")
    if isinstance(error, lmdb.DiskError) or "No space left" in str(error):
        return FullStorage(f"no space left for the index in {folder}")
    if isinstance(error, lmdb.CorruptedError | lmdb.PageNotFoundError | lmdb.PanicError):
        return StorageFault(f"the index in {folder} is damaged: {error}")
    return InternalError(f"the index in {folder} failed: {error}")
