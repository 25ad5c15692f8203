"""Waking those who wait for something, in whichever process it happens.

A page of counters lies in memory that the processes share. A topic is one of them: to ring it is
to add one and to wake the kernel's queue of those who wait for that counter (a futex). That costs
half a microsecond, whether somebody waits or not; nobody is registered, so nothing is left behind
by a process that dies. Topics may share a counter: whoever is woken looks whether what he waits
for has happened, and goes on waiting if not:

    while True:
        heard = bell.heard(topic)
        if has_happened():
            break
        bell.wait(topic, heard, seconds)        # or, in an event loop, await ear.wait(...)

In this order nothing is missed. A ring can be lost only with the process that was about to ring,
hence nobody waits for longer than RECHECK without looking again.
"""

import asyncio
import contextlib
import mmap
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from zlib import crc32

from orthanc_fast._ext.futex import Counters
from orthanc_fast.runtime.reserved import reserved

SIZE = mmap.PAGESIZE
RECHECK = 1.0  # seconds

# This counter rings with every topic: one thread can wait for all.
_ANY = 0
# Between two looks of an ear: what rings often costs an event loop no more than that.
_PAUSE = 0.001


class Bell:
    """Rings topics, and waits for them in threads. Topics are any texts."""

    def __init__(self, path: Path | None = None) -> None:
        """The bell of all processes that give this path; without it one of this process alone.
        Raises StorageFault or FullStorage."""
        self._page = mmap.mmap(-1, SIZE) if path is None else _shared_page(path)
        self._counters = Counters(self._page)
        self._topics = self._counters.count - 1
        self.is_closed = False

    def _number(self, topic: str) -> int:
        return 1 + crc32(topic.encode()) % self._topics

    def ring(self, *topics: str) -> None:
        """Wakes all who wait for one of the topics."""
        for topic in topics:
            self._counters.add(self._number(topic))
        self._counters.add(_ANY)

    def heard(self, topic: str) -> int:
        """Changes when the topic rings; to be asked before one looks whether to wait."""
        return self._counters.value(self._number(topic))

    def counter(self, topic: str) -> Callable[[], int]:
        """`heard` of one topic, for who asks very often."""
        return partial(self._counters.value, self._number(topic))

    def wait(self, topic: str, heard: int, seconds: float) -> None:
        """Returns when the topic has rung since `heard`, after `seconds` or RECHECK, or for no
        reason. For threads: see `Ear` for event loops."""
        if not self.is_closed:
            self._counters.wait(self._number(topic), heard, min(seconds, RECHECK))

    def heard_any(self) -> int:
        """Changes when any topic rings."""
        return self._counters.value(_ANY)

    def wait_for_any(self, heard: int) -> None:
        """As `wait`, for all topics at once; `heard` is from `heard_any`."""
        if not self.is_closed:
            self._counters.wait(_ANY, heard, RECHECK)

    def close(self) -> None:
        """Ends all waiting of this process; nobody waits from now on. (Others are woken for no
        reason.)"""
        self.is_closed = True
        for number in range(self._counters.count):
            self._counters.add(number)


class Ear:
    """Waiting of coroutines: one thread for all of them, and only while there are some."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Future[None], tuple[str, int]] = {}
        self._thread: threading.Thread | None = None

    async def wait(self, topic: str, heard: int, seconds: float) -> None:
        """As `Bell.wait`."""
        woken = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting[woken] = topic, heard
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="ear", daemon=True)
                self._thread.start()
        try:
            if self._bell.heard(topic) == heard and not self._bell.is_closed:
                await asyncio.wait((woken,), timeout=min(seconds, RECHECK))
        finally:
            with self._lock:
                self._waiting.pop(woken, None)

    def _listen(self) -> None:
        while True:
            heard = self._bell.heard_any()
            with self._lock:
                if not self._waiting or self._bell.is_closed:
                    self._thread = None
                    self._wake(list(self._waiting))
                    return
                rung = [
                    woken
                    for woken, (topic, known) in self._waiting.items()
                    if self._bell.heard(topic) != known
                ]
                self._wake(rung)
            if rung:
                time.sleep(_PAUSE)
            else:
                self._bell.wait_for_any(heard)

    def _wake(self, rung: list[asyncio.Future[None]]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for woken in rung:
            del self._waiting[woken]
            by_loop.setdefault(woken.get_loop(), []).append(woken)
        for loop, futures in by_loop.items():
            with contextlib.suppress(RuntimeError):  # it has been closed
                loop.call_soon_threadsafe(_resolve, futures)


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def _shared_page(path: Path) -> mmap.mmap:
    descriptor = reserved(path, SIZE)
    try:
        return mmap.mmap(descriptor, SIZE)
    finally:
        os.close(descriptor)
