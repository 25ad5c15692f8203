"""Who runs the group commits of a process.

A group forms by itself: while one commit runs, what arrives becomes the next one. Handing a write
over to another thread and its result back costs more than a small commit, so short writes are
committed by whoever brings them: an event loop (`LoopWriter`) or a lone thread (`CallerWriter`).
All else is done by a thread (`ThreadWriter`).
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from orthanc_fast.index.contract import Promise, Write, Writer
from orthanc_fast.index.lmdb.commit import Apart, Committer, Entry
from orthanc_fast.index.lmdb.locks import Busy
from orthanc_fast.index.lmdb.pace import Pace

# Bounds the work of one transaction, hence what its members wait and what a crash makes clients
# repeat.
MAX_GROUP = 128

# How long a group waits to become as large as the last one, as a part of the time that that one
# took: what is lost where nobody comes is bounded, and a commit that is spared costs more.
PATIENCE = 0.5

# The same for what an event loop does between two looks at its connections.
MAX_LOOP_GROUP = 32
# What another process writes takes tenths of a millisecond, if it is not one of the long writes:
# the loop waits for up to so many seconds; then it looks again after RETRY, so many times; then the
# thread waits in its stead.
LOOP_PATIENCE = 0.002
RETRY = 0.001
RETRIES = 20
# A commit that takes longer than this, for whatever reason, leaves the loop in peace for a while.
SLOW = 0.02
PEACE = 1.0


class ThreadWriter(Writer):
    """A thread that commits. Clients that were answered together come back together, so a group
    waits a little for as many writes as the last one had; a lone write never waits for company.

    `wake` (e.g. `loop.call_soon_threadsafe`) moves the resolution of promises into the thread that
    owns them, once per group; without it they are resolved here.
    """

    def __init__(
        self,
        committer: Committer,
        wake: Callable[[Callable[[], None]], object] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._committer = committer
        self._wake = wake
        self._queue: list[Entry] = []
        self._condition = threading.Condition()
        self._stopping = False
        self._patience = patience
        self._wanted = 1  # writes that the thread waits for; fewer do not wake it
        self._size = 1  # of the last group
        self._is_committing = False
        self._thread = threading.Thread(target=self._run, name="index-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Write[Any], promise: Promise) -> None:
        self.take_over([Entry(write, promise)])

    def take_over(self, entries: list[Entry]) -> None:
        """Queues entries, of which some may have been prepared by another writer."""
        with self._condition:
            if self._stopping:
                raise RuntimeError("the server is stopping")
            self._queue += entries
            if len(self._queue) >= self._wanted:
                self._condition.notify()

    @property
    def is_idle(self) -> bool:
        """Nothing is queued or to come, and there was no crowd of late."""
        return not (self._queue or self._is_committing or self._stopping) and self._size == 1

    def stop(self) -> None:
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        seconds = 0.0  # that the last group took
        while True:
            group = self._next_group(self._size, self._patience * seconds)
            if not group:
                return
            began = time.monotonic()
            self._commit(group)
            self._size, seconds = len(group), time.monotonic() - began
            del group  # with the bytes of its files

    def _next_group(self, expected: int, patience: float) -> list[Entry]:
        """Waits for a write, and up to `patience` seconds for the `expected` number of them. Empty
        at the end of the thread."""
        with self._condition:
            self._is_committing = False
            if expected > 1:
                self._wait(expected, patience)
            self._wait(1, None)
            group, self._queue = self._queue[:MAX_GROUP], self._queue[MAX_GROUP:]
            self._is_committing = True
        return group

    def _wait(self, wanted: int, patience: float | None) -> None:
        self._wanted = wanted
        self._condition.wait_for(lambda: self._stopping or len(self._queue) >= wanted, patience)

    def _commit(self, group: list[Entry]) -> None:
        self._committer.commit(group)
        if self._wake is None:
            _resolve(group)
        else:
            self._wake(lambda: _resolve(group))


class LoopWriter(Writer):
    """The writer of an event loop, which does what is quick itself: all that came in one turn of
    the loop is a group. `submit` must be called in the loop's thread; `stop` may be called in
    any."""

    def __init__(self, loop: asyncio.AbstractEventLoop, committer: Committer, pace: Pace) -> None:
        """`pace` is that of the disk: while it is slow the thread waits for it, from the first
        write on."""
        self._loop = loop
        self._committer = committer
        self._pace = pace
        self._thread = ThreadWriter(committer, loop.call_soon_threadsafe)
        self._entries: list[Entry] = []
        self._is_scheduled = False
        self._peace_until = 0.0
        self._turn = threading.Lock()  # between the loop and `stop`
        self._stopping = False

    def submit(self, write: Write[Any], promise: Promise) -> None:
        if not write.is_quick or self._pace.is_slow or time.monotonic() < self._peace_until:
            self._thread.submit(write, promise)
            return
        with self._turn:
            if self._stopping:
                raise RuntimeError("the server is stopping")
            self._entries.append(Entry(write, promise))
            if not self._is_scheduled:
                self._is_scheduled = True
                self._loop.call_soon(self._commit, 0)

    def stop(self) -> None:
        with self._turn:
            self._stopping = True
            entries, self._entries = self._entries, []
            if entries:
                self._thread.take_over(entries)
        self._thread.stop()

    def _commit(self, tries: int) -> None:
        with self._turn:
            group = self._entries[:MAX_LOOP_GROUP]
            began = time.monotonic()
            try:
                self._committer.commit(group, LOOP_PATIENCE)
            except Busy:
                self._try_again(tries + 1)
                return
            except Apart:
                self._hand_over()
                return
            now = time.monotonic()
            if now - began > SLOW:
                self._peace_until = now + PEACE
            del self._entries[: len(group)]
            self._is_scheduled = bool(self._entries)
            if self._is_scheduled:
                self._loop.call_soon(self._commit, 0)
        _resolve(group)

    def _try_again(self, tries: int) -> None:
        if tries < RETRIES:
            self._loop.call_later(RETRY, self._commit, tries)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        entries, self._entries = self._entries, []
        self._is_scheduled = False
        self._thread.take_over(entries)


class CallerWriter(Writer):
    """The writer of threads: a lone one, which also brought the last write, commits itself. Not
    where its promise says that it is not `is_awaited`: a thread that goes on meanwhile brings more,
    and they become a group."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self._thread = ThreadWriter(committer)
        self._alone = threading.Lock()
        self._last = 0  # thread that brought a write

    def submit(self, write: Write[Any], promise: Promise) -> None:
        here = threading.get_ident()
        is_lone = here == self._last and getattr(promise, "is_awaited", True)
        self._last = here
        if is_lone and self._thread.is_idle and self._alone.acquire(blocking=False):
            try:
                entry = Entry(write, promise)
                self._committer.commit([entry])
            finally:
                self._alone.release()
            entry.resolve()
        else:
            self._thread.submit(write, promise)

    def stop(self) -> None:
        with self._alone:
            self._thread.stop()


def _resolve(group: Sequence[Entry]) -> None:
    for entry in group:
        entry.resolve()
