"""How what a transaction has changed comes to the disk: by LMDB itself, or by the journal.

LMDB writes and syncs each page that changed, in two steps; the journal writes one record, with the
small files of the transaction in it: `docs/decisions/0004-journal.md`.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

import lmdb

from orthanc_fast._ext.redo import RecordedTransaction
from orthanc_fast.errors import OrthancError, StorageFault
from orthanc_fast.index.contract import Cargo, CargoKeeper, no_cargo
from orthanc_fast.index.lmdb import checkpoint
from orthanc_fast.index.lmdb.environment import Environment, Migrations, WriteTransaction
from orthanc_fast.index.lmdb.journal import RING, Journal, go_back, protect
from orthanc_fast.index.lmdb.locks import Place
from orthanc_fast.index.lmdb.pace import Pace
from orthanc_fast.log import Category, logger

T = TypeVar("T")


class Durability(Protocol):
    """The way to the disk of one open index. Methods that write are called behind the gate."""

    env: Environment
    pace: Pace
    carries_cargo: bool

    def transact(
        self,
        function: Callable[[WriteTransaction], T],
        cargo: Callable[[T], Iterable[Cargo]] = no_cargo,
    ) -> tuple[T] | None:
        """Runs `function` in a transaction and returns its result once that is durable; None, with
        nothing changed, where there is no room for it at the moment."""

    def make_room(self) -> bool:
        """After `transact` gave None: whether it may be tried again at once; otherwise another
        process has to make room, which takes a while."""

    def checkpoint(self) -> None:
        """See `LmdbIndex.checkpoint`."""

    @property
    def may_clear_readers(self) -> bool:
        """Whether what processes that died still hold is of no use to anyone."""

    def close(self) -> None:
        """With the environment."""


class ByLmdb(Durability):
    """LMDB syncs each commit itself, or nobody does."""

    carries_cargo = False

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.pace = Pace()
        env.pin.abort()

    def transact(
        self,
        function: Callable[[WriteTransaction], T],
        cargo: Callable[[T], Iterable[Cargo]] = no_cargo,
    ) -> tuple[T] | None:
        with self.env.lmdb.begin(write=True) as txn:
            result = function(txn)
            began = time.monotonic()
        self.pace.note(time.monotonic() - began)
        return (result,)

    def make_room(self) -> bool:
        return True

    def checkpoint(self) -> None:
        return

    @property
    def may_clear_readers(self) -> bool:
        return True

    def close(self) -> None:
        self.env.close()


class ByJournal(Durability):
    """A record of the journal is on the disk before LMDB, which does not sync, commits."""

    carries_cargo = True

    def __init__(self, env: Environment, journal: Journal) -> None:
        self.env = env
        self.pace = Pace()
        self._journal = journal

    def transact(
        self,
        function: Callable[[WriteTransaction], T],
        cargo: Callable[[T], Iterable[Cargo]] = no_cargo,
    ) -> tuple[T] | None:
        is_recorded = False
        try:
            with self.env.lmdb.begin(write=True) as txn:
                if not self._journal.is_ready(txn):
                    return None
                recorded = RecordedTransaction(txn, self.env.numbers)
                result = function(recorded)
                is_recorded = True
                began = time.monotonic()
                self._journal.append(txn, recorded.notes(), list(cargo(result)))
                self.pace.note(time.monotonic() - began)
                return (result,)
        except BaseException:
            if is_recorded and function is not _nothing:
                self._settle()
            raise

    def _settle(self) -> None:
        """The record of a failed write must not be repeated after a crash: another one takes its
        place."""
        try:
            if self.transact(_nothing) is None:
                raise StorageFault("the journal is full")
        except (OrthancError, lmdb.Error) as error:
            logger.error(Category.GENERIC, f"A failed write may come back after a crash: {error}")

    def make_room(self) -> bool:
        return self._journal.make_ready()

    def checkpoint(self) -> None:
        self._journal.checkpoint()

    @property
    def may_clear_readers(self) -> bool:
        return self._journal.is_protecting

    def close(self) -> None:
        try:
            self._journal.close()
        finally:
            self.env.close()


def _nothing(txn: WriteTransaction) -> None:
    return


def by_journal(
    folder: Path,
    map_size: int,
    place: Place,
    keeper: CargoKeeper,
    size: int,
    migrations: Migrations,
) -> ByJournal:
    """Opens an index whose writes go through a journal of `size` bytes."""
    if place.is_alone and not place.become_owner():
        raise StorageFault("another program holds owner.lock of the index: end it", private=folder)
    if not place.is_alone and checkpoint.load(folder) is None:
        raise StorageFault(
            "another program uses the index without a journal: end it, or set IndexJournalSizeMB "
            "to 0 here too",
            private=folder,
        )
    went_back = place.is_alone and go_back(folder)

    def before_writing(env: Environment) -> None:
        if place.is_alone and not went_back:
            protect(env, keeper)

    env = Environment(folder, map_size, False, migrations, before_writing)
    try:
        journal = Journal(env, place, keeper, size, went_back)
        try:
            env.migrate(place.is_alone, journal.checkpoint)
        except BaseException:
            journal.close()
            raise
        return ByJournal(env, journal)
    except BaseException:
        env.close()
        raise


def by_lmdb(
    folder: Path, map_size: int, place: Place, keeper: CargoKeeper, migrations: Migrations
) -> ByLmdb:
    """Opens an index that LMDB syncs. What a crash has left in a journal is repeated before."""
    last = checkpoint.load(folder)
    if place.is_alone and last is not None and not last.clean:
        ring = folder / RING
        size = ring.stat().st_size if ring.exists() else 0
        by_journal(folder, map_size, place, keeper, size, migrations).close()
    return _without_journal(folder, map_size, True, place.is_alone, migrations)


def by_nobody(folder: Path, map_size: int, place: Place, migrations: Migrations) -> ByLmdb:
    """Opens an index that is not durable until it is closed."""
    return _without_journal(folder, map_size, False, place.is_alone, migrations)


def _without_journal(
    folder: Path, map_size: int, sync: bool, is_alone: bool, migrations: Migrations
) -> ByLmdb:
    checkpoint.forget(folder)
    env = Environment(folder, map_size, sync, migrations)
    try:
        env.migrate(is_alone)
    except BaseException:
        env.close()
        raise
    return ByLmdb(env)
