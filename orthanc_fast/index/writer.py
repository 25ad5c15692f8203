"""Group commit: concurrent writes share one transaction, hence one record of the journal.

A group forms by itself: while one commit runs, what arrives waits and becomes the next group.
Clients that were answered together come back together, so a group waits a little for as many writes
as the last one had; a lone write never waits for company.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from orthanc_fast.index.index import Index
from orthanc_fast.index.journal import FILE
from orthanc_fast.index.transaction import Transaction
from orthanc_fast.log import Category, logger

T = TypeVar("T")

# Bounds the work of one transaction, hence what its members wait and what a crash makes clients
# repeat.
MAX_GROUP = 128

# How long a group waits to become as large as the last one, as a part of the time that that one
# took: what is lost where nobody comes is bounded, and a commit that is spared costs more.
PATIENCE = 0.5


class Promise(Protocol):
    """What is told of the result: an asyncio or a concurrent future."""

    def done(self) -> bool: ...
    def set_result(self, result: Any, /) -> None: ...
    def set_exception(self, error: Any, /) -> None: ...


class Write(Generic[T]):
    """One write of the index. A write whose method raises fails alone."""

    def apply(self, transaction: Transaction) -> T:
        """Changes the index. Called again, alone, if another write of the group failed."""
        raise NotImplementedError

    def journaled(self, result: T) -> Iterable[FILE]:
        """The small files that become durable together with this result."""
        return ()

    def finish(self, result: T) -> Any:
        """After the commit; returns what the promise gets."""
        return result


Outcome = tuple[Any, BaseException | None]


class Effects(Protocol):
    """What a group of writes does outside of the index, e.g. to files."""

    def before(self, writes: Sequence[Write[Any]]) -> Sequence[BaseException | None]:
        """Before the transaction; a write with an error takes no part in it."""

    def after(self, writes: Sequence[Write[Any]], outcomes: Sequence[Outcome]) -> None:
        """After the commit: each write with its result or its error, those of `before` included."""


class NoEffects:
    def before(self, writes: Sequence[Write[Any]]) -> Sequence[BaseException | None]:
        return [None] * len(writes)

    def after(self, writes: Sequence[Write[Any]], outcomes: Sequence[Outcome]) -> None:
        return


class Writer:
    """The thread that commits the writes of one process.

    `wake` (e.g. `loop.call_soon_threadsafe`) moves the resolution of promises into the thread that
    owns them, once per group; without it they are resolved here.
    """

    def __init__(
        self,
        index: Index,
        wake: Callable[[Callable[[], None]], object] | None = None,
        effects: Effects | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._index = index
        self._wake = wake
        self._effects: Effects = effects or NoEffects()
        self._queue: list[tuple[Write[Any], Promise]] = []
        self._condition = threading.Condition()
        self._stopping = False
        self._patience = patience
        self._wanted = 1  # writes that the thread waits for; fewer do not wake it
        self._thread = threading.Thread(target=self._run, name="index-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Write[T], promise: Promise) -> None:
        """Queues a write; `promise` gets its result when that is durable, or its error."""
        with self._condition:
            if self._stopping:
                raise RuntimeError("the server is stopping")
            self._queue.append((write, promise))
            if len(self._queue) >= self._wanted:
                self._condition.notify()

    def stop(self) -> None:
        """Completes what is queued and ends the thread."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        size, seconds = 1, 0.0  # of the last group
        while True:
            group = self._next_group(size, self._patience * seconds)
            if not group:
                return
            began = time.monotonic()
            self._commit(group)
            size, seconds = len(group), time.monotonic() - began

    def _next_group(self, expected: int, patience: float) -> list[tuple[Write[Any], Promise]]:
        """Waits for a write, and up to `patience` seconds for the `expected` number of them. Empty
        at the end of the thread."""
        with self._condition:
            if expected > 1:
                self._wait(expected, patience)
            self._wait(1, None)
            group, self._queue = self._queue[:MAX_GROUP], self._queue[MAX_GROUP:]
        return group

    def _wait(self, wanted: int, patience: float | None) -> None:
        self._wanted = wanted
        self._condition.wait_for(lambda: self._stopping or len(self._queue) >= wanted, patience)

    def _commit(self, group: list[tuple[Write[Any], Promise]]) -> None:
        writes = [write for write, _ in group]
        try:
            outcomes = self._outcomes(writes)
            self._effects.after(writes, outcomes)
        except BaseException as error:  # a fault of the program: the callers must hear of it
            outcomes = [(None, error)] * len(group)
        settled = [
            (promise, *self._finished(write, result, error))
            for (write, promise), (result, error) in zip(group, outcomes, strict=True)
        ]
        if self._wake is None:
            _resolve(settled)
        else:
            self._wake(lambda: _resolve(settled))

    def _outcomes(self, writes: list[Write[Any]]) -> list[Outcome]:
        errors = self._effects.before(writes)
        ready = [write for write, error in zip(writes, errors, strict=True) if error is None]
        results = iter(self._apply(ready))
        return [next(results) if error is None else (None, error) for error in errors]

    def _apply(self, writes: list[Write[Any]]) -> list[Outcome]:
        if not writes:
            return []
        try:
            results = self._index.write(
                lambda txn: [write.apply(txn) for write in writes],
                lambda results: [
                    file
                    for write, result in zip(writes, results, strict=True)
                    for file in write.journaled(result)
                ],
            )
            return [(result, None) for result in results]
        except Exception as error:
            if len(writes) == 1:
                return [(None, error)]
        # One of them failed and nothing was written: find out which by committing each alone.
        return [outcome for write in writes for outcome in self._apply([write])]

    def _finished(
        self, write: Write[Any], result: Any, error: BaseException | None
    ) -> tuple[Any, BaseException | None]:
        if error is not None:
            return None, error
        try:
            return write.finish(result), None
        except Exception as failure:  # durable all the same, but the caller must hear of it
            return None, failure


def _resolve(settled: list[tuple[Promise, Any, BaseException | None]]) -> None:
    for promise, result, error in settled:
        try:
            if promise.done():
                continue  # the client has gone
            if error is None:
                promise.set_result(result)
            else:
                promise.set_exception(error)
        except Exception as fault:  # of one listener: the others, and the thread, go on
            logger.error(Category.GENERIC, f"The result of a write could not be told: {fault}")
