"""The index in LMDB: snapshots that wait for nobody, and one writer at a time."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import lmdb

from orthanc_fast._ext.redo import RecordedTransaction
from orthanc_fast.errors import FullStorage, InternalError, OrthancError, StorageFault
from orthanc_fast.index.contract import (
    Cargo,
    CargoKeeper,
    Effects,
    Index,
    NoCargo,
    Snapshot,
    Transaction,
    Writer,
    no_cargo,
)
from orthanc_fast.index.lmdb import checkpoint
from orthanc_fast.index.lmdb.commit import Committer
from orthanc_fast.index.lmdb.environment import Environment, WriteTransaction
from orthanc_fast.index.lmdb.journal import Journal, go_back, protect
from orthanc_fast.index.lmdb.locks import Busy, Gate, JournalFull, Place
from orthanc_fast.index.lmdb.migrations import migrations
from orthanc_fast.index.lmdb.ring import CAN_WRITE_THROUGH
from orthanc_fast.index.lmdb.snapshot import LmdbSnapshot
from orthanc_fast.index.lmdb.tables import LmdbTables
from orthanc_fast.index.lmdb.writer import CallerWriter, LoopWriter
from orthanc_fast.index.rules.transaction import run
from orthanc_fast.index.terms import Terms
from orthanc_fast.log import Category, logger

T = TypeVar("T")

JOURNAL_SIZE = 64 << 20

# Seconds that a write waits for room in the journal, and between two looks.
WAIT = 60.0
PAUSE = 0.002


def _nothing(transaction: Transaction) -> None:
    return


class LmdbIndex(Index):
    """The index in a folder that all processes of the server have open.

    `terms` says under which tags and values a resource can be found (see `terms.Terms`).
    """

    def __init__(
        self,
        folder: Path,
        terms: Terms,
        map_size: int = 1 << 40,
        sync: bool = True,
        keeper: CargoKeeper | None = None,
        journal_size: int = JOURNAL_SIZE,
    ):
        """`sync=False` gives up durability (bulk generation only). `keeper` is where the cargo of
        the writes belongs. Raises StorageFault or IncompatibleDatabase: see Environment."""
        self._terms = terms
        self._journal: Journal | None = None
        with contextlib.ExitStack() as failed:
            self._place = Place(folder)
            failed.callback(self._place.leave)
            self._gate = Gate(folder)
            failed.callback(self._gate.close)
            with self._place as place:
                if sync and CAN_WRITE_THROUGH:
                    self._open_with_journal(
                        folder, map_size, place, keeper or NoCargo(), journal_size
                    )
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
        keeper: CargoKeeper,
        journal_size: int,
    ) -> None:
        if place.is_alone and not place.become_owner():
            raise StorageFault(
                "another program holds owner.lock of the index: end it", private=folder
            )
        went_back = place.is_alone and go_back(folder)

        def before_writing(env: Environment) -> None:
            if place.is_alone and not went_back:
                protect(env, keeper)

        self._env = Environment(folder, map_size, False, migrations(self._terms), before_writing)
        try:
            self._journal = Journal(self._env, place, keeper, journal_size, went_back)
        except BaseException:
            self._env.close()
            raise

    @property
    def reads_in_place(self) -> bool:
        return True

    @property
    def carries_cargo(self) -> bool:
        return self._journal is not None

    @property
    def was_alone(self) -> bool:
        return self._place.is_alone

    def view(self) -> LmdbSnapshot:
        return LmdbSnapshot(self._env)

    def read(self, function: Callable[[Snapshot], T]) -> T:
        with LmdbSnapshot(self._env) as snapshot:
            return function(snapshot)

    def writer(
        self, effects: Effects | None = None, loop: asyncio.AbstractEventLoop | None = None
    ) -> Writer:
        committer = Committer(self.write_within, effects)
        return CallerWriter(committer) if loop is None else LoopWriter(loop, committer)

    def write(
        self,
        function: Callable[[Transaction], T],
        cargo: Callable[[T], Iterable[Cargo]] = no_cargo,
    ) -> T:
        return self.write_within(None, function, cargo)

    def write_within(
        self,
        patience: float | None,
        function: Callable[[Transaction], T],
        cargo: Callable[[T], Iterable[Cargo]] = no_cargo,
    ) -> T:
        """As `write`; raises Busy where other writers, of other processes too, take longer than
        `patience` seconds."""
        end = time.monotonic() + WAIT
        while True:
            self._gate.enter(patience)
            try:
                written = self._translated(lambda: self._write_once(function, cargo))
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
        self, function: Callable[[Transaction], T], cargo: Callable[[T], Iterable[Cargo]]
    ) -> tuple[T] | None:
        """The result; None where the journal has no room for it at the moment."""
        if self._journal is None:
            with self._env.lmdb.begin(write=True) as txn:
                return (self._run(txn, function),)
        is_recorded = False
        try:
            with self._env.lmdb.begin(write=True) as txn:
                if not self._journal.is_ready(txn):
                    return None
                recorded = RecordedTransaction(txn, self._env.numbers)
                result = self._run(recorded, function)
                is_recorded = True
                self._journal.append(txn, recorded.notes(), list(cargo(result)))
                return (result,)
        except BaseException:
            if is_recorded and function is not _nothing:
                self._settle_after_failure()
            raise

    def _run(self, txn: WriteTransaction, function: Callable[[Transaction], T]) -> T:
        return run(LmdbTables(self._env, txn), self._terms, function)

    def settle(self) -> None:
        self.write(_nothing)

    def checkpoint(self) -> None:
        """Makes durable, without the journal, what was written so far: as the owner does from time
        to time. Nothing where another process is the owner. Raises StorageFault or FullStorage."""
        if self._journal is not None:
            self._translated(self._journal.checkpoint)

    def _settle_after_failure(self) -> None:
        try:
            if self._write_once(_nothing, no_cargo) is None:
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

    def clear_dead_readers(self) -> int:
        """One of their slots may be what keeps the last checkpoint valid, so none is freed but by
        the owner, who has its own."""
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
