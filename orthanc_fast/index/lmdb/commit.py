"""Group commit: concurrent writes share one transaction, hence one record of the journal. Who runs
it is said in `writer.py`."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from orthanc_fast.index.contract import (
    Cargo,
    Effects,
    NoEffects,
    Promise,
    Transaction,
    Write,
)
from orthanc_fast.index.lmdb.locks import Busy, JournalFull
from orthanc_fast.log import Category, logger

T = TypeVar("T")


class Commit(Protocol):
    """`LmdbIndex.write_within`."""

    def __call__(
        self,
        patience: float | None,
        function: Callable[[Transaction], T],
        cargo: Callable[[T], Iterable[Cargo]],
        /,
    ) -> T: ...


class Apart(Exception):
    """One write of a group has failed."""


class Entry:
    """A write on its way with its promise, and from `Committer.commit` on its outcome."""

    __slots__ = ("error", "is_prepared", "promise", "result", "write")

    def __init__(self, write: Write[Any], promise: Promise) -> None:
        self.write = write
        self.promise = promise
        self.is_prepared = False
        self.result: Any = None
        self.error: BaseException | None = None

    def resolve(self) -> None:
        """Tells the promise, in the thread that owns it."""
        try:
            if self.promise.done():
                return  # the client has gone
            if self.error is None:
                self.promise.set_result(self.result)
            else:
                self.promise.set_exception(self.error)
        except Exception as fault:  # of one listener: the others, and the thread, go on
            logger.error(Category.GENERIC, f"The result of a write could not be told: {fault}")


class Committer:
    """Commits groups; may be used from several threads."""

    def __init__(self, commit: Commit, effects: Effects | None = None) -> None:
        self._write_within = commit
        self._effects: Effects = effects or NoEffects()

    def commit(self, group: Sequence[Entry], patience: float | None = None) -> None:
        """Gives each entry its result, which is durable then, or its error.

        Raises Busy if another writer takes longer than `patience` seconds, and with a `patience`
        Apart if each must be committed alone, which takes longer; then the same entries, others
        with them, may be given again.
        """
        try:
            self._prepare(group)
            ready = [entry for entry in group if entry.error is None]
            self._apply(ready, patience)
            self._effects.after(
                [entry.write for entry in group], [(entry.result, entry.error) for entry in group]
            )
        except (Busy, Apart):
            raise
        except BaseException as error:  # a fault of the program: the callers must hear of it
            for entry in group:
                entry.error = error
        for entry in group:
            if entry.error is None:
                try:
                    entry.result = entry.write.finish(entry.result)
                except Exception as failure:  # durable all the same, but the caller must hear of it
                    entry.error = failure

    def _prepare(self, group: Sequence[Entry]) -> None:
        fresh = [entry for entry in group if not entry.is_prepared]
        errors = self._effects.before([entry.write for entry in fresh])
        for entry, error in zip(fresh, errors, strict=True):
            entry.error = error
            entry.is_prepared = True

    def _apply(self, group: list[Entry], patience: float | None) -> None:
        if not group:
            return
        writes = [entry.write for entry in group]
        try:
            results = self._write_within(
                patience,
                lambda txn: [write.apply(txn) for write in writes],
                lambda results: [
                    cargo
                    for write, result in zip(writes, results, strict=True)
                    for cargo in write.cargo(result)
                ],
            )
        except Busy:
            raise
        except Exception as error:
            if len(group) == 1 or isinstance(error, JournalFull):
                for entry in group:
                    entry.error = error
                return
            # One of them failed and nothing was written: find out which by committing each alone.
            if patience is not None:
                raise Apart from error
            for entry in group:
                self._apply([entry], None)
            return
        for entry, result in zip(group, results, strict=True):
            entry.result = result
