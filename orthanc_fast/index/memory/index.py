"""The index in memory as a whole: one lock, under which one reads or writes at a time."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from orthanc_fast.index.contract import (
    Cargo,
    Effects,
    Index,
    NoEffects,
    Promise,
    Snapshot,
    Transaction,
    Write,
    Writer,
    no_cargo,
)
from orthanc_fast.index.memory.snapshot import MemorySnapshot
from orthanc_fast.index.memory.state import State, Undo
from orthanc_fast.index.memory.tables import MemoryTables
from orthanc_fast.index.rules.transaction import run
from orthanc_fast.index.terms import Terms

T = TypeVar("T")


class MemoryIndex(Index):
    """Lives as long as the object, so that durable means done; `terms` says under which tags and
    values a resource can be found."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._state = State()
        self._lock = threading.RLock()

    @property
    def reads_in_place(self) -> bool:
        return True

    @property
    def carries_cargo(self) -> bool:
        return False

    @property
    def was_alone(self) -> bool:
        return True

    def keep_others_out(self) -> bool:
        return True

    def read(self, function: Callable[[Snapshot], T]) -> T:
        with self._lock:
            return function(MemorySnapshot(self._state))

    def write(
        self,
        function: Callable[[Transaction], T],
        cargo: Callable[[T], Iterable[Cargo]] = no_cargo,
    ) -> T:
        with self._lock:
            undo = Undo()
            try:
                return run(MemoryTables(self._state, undo), self._terms, function)
            except BaseException:
                undo.take_back()
                raise

    def writer(
        self, effects: Effects | None = None, loop: asyncio.AbstractEventLoop | None = None
    ) -> Writer:
        return ImmediateWriter(self, effects or NoEffects())

    def settle(self) -> None:
        return

    def clear_dead_readers(self) -> int:
        return 0

    def close(self) -> None:
        return


class ImmediateWriter(Writer):
    """Each write is a transaction of its own, done before `submit` returns."""

    def __init__(self, index: Index, effects: Effects) -> None:
        self._index = index
        self._effects = effects

    def submit(self, write: Write[Any], promise: Promise) -> None:
        try:
            result = self._done(write)
        except Exception as error:  # of any write: it belongs to who waits for the promise
            promise.set_exception(error)
        else:
            promise.set_result(result)

    def _done(self, write: Write[Any]) -> Any:
        result: Any = None
        [error] = self._effects.before([write])
        if error is None:
            try:
                result = self._index.write(write.apply)
            except Exception as failure:
                error = failure
        self._effects.after([write], [(result, error)])
        if error is not None:
            raise error
        return write.finish(result)

    def stop(self) -> None:
        return
