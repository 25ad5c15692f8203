"""The index in LMDB: snapshots that wait for nobody, and one writer at a time."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import lmdb

from orthanc_fast.errors import OrthancError
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
from orthanc_fast.index.lmdb.commit import Committer
from orthanc_fast.index.lmdb.copying import copy
from orthanc_fast.index.lmdb.disk import fault
from orthanc_fast.index.lmdb.durability import Durability, by_journal, by_lmdb, by_nobody
from orthanc_fast.index.lmdb.faults import translate
from orthanc_fast.index.lmdb.locks import Busy, Gate, JournalFull, Place
from orthanc_fast.index.lmdb.migrations import migrations
from orthanc_fast.index.lmdb.ring import CAN_WRITE_THROUGH
from orthanc_fast.index.lmdb.snapshot import LmdbSnapshot
from orthanc_fast.index.lmdb.tables import LmdbTables
from orthanc_fast.index.lmdb.writer import CallerWriter, LoopWriter
from orthanc_fast.index.rules.transaction import run
from orthanc_fast.index.terms import Terms

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
        """`journal_size` in bytes; with 0, and where the system cannot write through, LMDB itself
        makes writes durable. `sync=False` gives up durability (bulk generation only). `keeper` is
        where the cargo of the writes belongs. Raises StorageFault or IncompatibleDatabase: see
        Environment."""
        self._terms = terms
        self._folder = folder
        keeper, steps = keeper or NoCargo(), migrations(terms)
        with contextlib.ExitStack() as failed:
            self._place = Place(folder)
            failed.callback(self._place.leave)
            self._gate = Gate(folder)
            failed.callback(self._gate.close)
            self._durability: Durability
            with self._place as place:
                if not sync:
                    self._durability = by_nobody(folder, map_size, place, steps)
                elif journal_size and CAN_WRITE_THROUGH:
                    self._durability = by_journal(
                        folder, map_size, place, keeper, journal_size, steps
                    )
                else:
                    self._durability = by_lmdb(folder, map_size, place, keeper, steps)
            self._env = self._durability.env
            failed.pop_all()

    @property
    def reads_in_place(self) -> bool:
        return True

    @property
    def carries_cargo(self) -> bool:
        return self._durability.carries_cargo

    @property
    def was_alone(self) -> bool:
        return self._place.is_alone

    def keep_others_out(self) -> bool:
        return self._place.keep_others_out()

    def read(self, function: Callable[[Snapshot], T]) -> T:
        snapshot = LmdbSnapshot(self._env)
        try:
            return function(snapshot)
        finally:
            snapshot.close()

    def writer(
        self, effects: Effects | None = None, loop: asyncio.AbstractEventLoop | None = None
    ) -> Writer:
        committer = Committer(self.write_within, effects)
        if loop is None:
            return CallerWriter(committer)
        with contextlib.suppress(OrthancError):  # writes will tell
            self.settle()  # shows the pace of the disk before the loop has to rely on it
        return LoopWriter(loop, committer, self._durability.pace)

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
                has_room = written is None and self._translated(self._durability.make_room)
            finally:
                self._gate.leave()
            if written is not None:
                return written[0]
            if has_room:
                continue
            if patience is not None:
                raise Busy
            if time.monotonic() > end:
                raise JournalFull(
                    f"the journal in {self._env.folder} is full and its owner does not empty it: "
                    "see the log of the server"
                )
            time.sleep(PAUSE)

    def _write_once(
        self, function: Callable[[Transaction], T], cargo: Callable[[T], Iterable[Cargo]]
    ) -> tuple[T] | None:
        return self._durability.transact(
            lambda txn: run(LmdbTables(self._env, txn), self._terms, function), cargo
        )

    def settle(self) -> None:
        self.write(_nothing)

    def checkpoint(self) -> None:
        """Makes durable, without the journal, what was written so far: as the owner does from time
        to time. Nothing where another process is the owner. Raises StorageFault or FullStorage."""
        self._translated(self._durability.checkpoint)

    def _translated(self, run: Callable[[], T]) -> T:
        try:
            return run()
        except OrthancError:
            raise
        except lmdb.Error as error:
            raise translate(error, self._env.folder) from error

    def copy(self, folder: Path, function: Callable[[Snapshot], T]) -> T:
        """See `copying`. Raises FullStorage or StorageFault."""
        try:
            return self._translated(lambda: copy(self._env, folder, function))
        except OSError as error:
            raise fault(error, folder) from error

    def clear_dead_readers(self) -> int:
        """One of their slots may be what keeps the last checkpoint valid, so none is freed but by
        the owner, who has its own."""
        return self._env.clear_stale_readers() if self._durability.may_clear_readers else 0

    def close(self) -> None:
        try:
            self._durability.close()
        finally:
            self._gate.close()
            self._place.leave()
