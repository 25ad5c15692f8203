"""Group commit: concurrent writes share one transaction, hence one fsync.

A group forms by itself: while one commit runs, what arrives waits and becomes the next group. A
lone write never waits for company.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from orthanc_fast.index.index import Index
from orthanc_fast.index.transaction import Transaction

T = TypeVar("T")

# Bounds the work of one transaction, hence what its members wait and what a crash makes clients
# repeat.
MAX_GROUP = 128


class Promise(Protocol):
    """What is told of the result: an asyncio or a concurrent future."""

    def done(self) -> bool: ...
    def set_result(self, result: Any, /) -> None: ...
    def set_exception(self, error: Any, /) -> None: ...


class Write(Generic[T]):
    """One write and its effects outside of the index, in the order in which they are called.

    A write whose method raises fails alone: its caller gets the error, `abandon` cleans up.
    """

    def prepare(self) -> None:
        """Before the transaction, e.g. writes a file."""

    def settle(self) -> None:
        """After all of the group are prepared, e.g. waits until the file is durable."""

    def apply(self, transaction: Transaction) -> T:
        """Changes the index. Called again, alone, if another write of the group failed."""
        raise NotImplementedError

    def finish(self, result: T) -> Any:
        """After the commit, e.g. moves or unlinks files; returns what the promise gets."""
        return result

    def abandon(self) -> None:
        """The write has failed: undoes `prepare`."""


class Writer:
    """The thread that commits the writes of one process.

    `wake` (e.g. `loop.call_soon_threadsafe`) moves the resolution of promises into the thread that
    owns them, once per group; without it they are resolved here.
    """

    def __init__(self, index: Index, wake: Callable[[Callable[[], None]], object] | None = None):
        self._index = index
        self._wake = wake
        self._queue: list[tuple[Write[Any], Promise]] = []
        self._condition = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="index-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Write[T], promise: Promise) -> None:
        """Queues a write; `promise` gets its result when that is durable, or its error."""
        with self._condition:
            if self._stopping:
                raise RuntimeError("the server is stopping")
            self._queue.append((write, promise))
            self._condition.notify()

    def stop(self) -> None:
        """Completes what is queued and ends the thread."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._queue and not self._stopping:
                    self._condition.wait()
                group, self._queue = self._queue[:MAX_GROUP], self._queue[MAX_GROUP:]
            if not group:
                return
            self._commit(group)

    def _commit(self, group: list[tuple[Write[Any], Promise]]) -> None:
        settled: list[tuple[Promise, Any, BaseException | None]] = []
        ready = _each(group, lambda write: write.prepare(), settled)
        ready = _each(ready, lambda write: write.settle(), settled)
        for (write, promise), result, error in self._apply(ready):
            if error is None:
                try:
                    result = write.finish(result)
                except Exception as failure:  # durable all the same, but the caller must hear of it
                    error = failure
            else:
                write.abandon()
            settled.append((promise, result, error))
        if self._wake is None:
            _resolve(settled)
        else:
            self._wake(lambda: _resolve(settled))

    def _apply(
        self, group: Sequence[tuple[Write[Any], Promise]]
    ) -> list[tuple[tuple[Write[Any], Promise], Any, BaseException | None]]:
        if not group:
            return []
        try:
            results = self._index.write(lambda txn: [write.apply(txn) for write, _ in group])
            return [(entry, result, None) for entry, result in zip(group, results, strict=True)]
        except Exception as error:
            if len(group) == 1:
                return [(group[0], None, error)]
        # One of them failed and nothing was written: find out which by committing each alone.
        return [outcome for entry in group for outcome in self._apply([entry])]


def _each(
    group: Sequence[tuple[Write[Any], Promise]],
    step: Callable[[Write[Any]], None],
    settled: list[tuple[Promise, Any, BaseException | None]],
) -> list[tuple[Write[Any], Promise]]:
    """Runs a step on every write; those that fail are abandoned and settled with their error."""
    passed = []
    for write, promise in group:
        try:
            step(write)
            passed.append((write, promise))
        except Exception as error:
            write.abandon()
            settled.append((promise, None, error))
    return passed


def _resolve(settled: list[tuple[Promise, Any, BaseException | None]]) -> None:
    for promise, result, error in settled:
        if promise.done():
            continue  # the client has gone
        if error is None:
            promise.set_result(result)
        else:
            promise.set_exception(error)
