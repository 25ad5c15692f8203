"""The last stage: what was stored is announced before whoever waits for it is told, and how long
it has taken."""

import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from time import perf_counter
from typing import Any

from orthanc_fast.index.contract import Promise
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.services.ingest.contract import Stored
from orthanc_fast.services.ingest.hooks import Announcement


class Announced:
    """Stands for another promise until the announcements were made, in a thread of `threads`; the
    commits of others do not wait for that. `wake` moves the rest into the thread that owns the
    other promise; without it that may be told from any."""

    __slots__ = ("_announcements", "_caller", "_promise", "_threads", "_wake")

    def __init__(
        self,
        promise: Promise,
        announcements: Sequence[Announcement],
        caller: Caller,
        threads: Executor,
        wake: Callable[[Callable[[], None]], object] | None,
    ) -> None:
        self._promise = promise
        self._announcements = announcements
        self._caller = caller
        self._threads = threads
        self._wake = wake

    @property
    def is_awaited(self) -> bool:
        return bool(getattr(self._promise, "is_awaited", True))

    def done(self) -> bool:
        """What is stored is announced even if nobody waits any longer."""
        return False

    def set_result(self, result: Any, /) -> None:
        self._threads.submit(self._announce, result)

    def set_exception(self, error: Any, /) -> None:
        if not self._promise.done():
            self._promise.set_exception(error)

    def _announce(self, stored: Stored) -> None:
        if stored.status == "Success":
            for announcement in self._announcements:
                try:
                    announcement(stored, self._caller)
                except Exception as error:  # stored it is all the same
                    text = "".join(traceback.format_exception(error)).rstrip()
                    logger.error(Category.GENERIC, f"An announcement has failed: {text}")
        if self._wake is None:
            self._tell(stored)
        else:
            self._wake(lambda: self._tell(stored))

    def _tell(self, stored: Stored) -> None:
        if not self._promise.done():
            self._promise.set_result(stored)


class Noted:
    """Stands for another promise, and tells `note` when an instance has been stored."""

    __slots__ = ("_note", "_promise")

    def __init__(self, promise: Promise, note: Callable[[], None]) -> None:
        self._promise = promise
        self._note = note

    @property
    def is_awaited(self) -> bool:
        return bool(getattr(self._promise, "is_awaited", True))

    def done(self) -> bool:
        """What is stored is noted even if nobody waits any longer."""
        return False

    def set_result(self, result: Any, /) -> None:
        if isinstance(result, Stored) and result.status == "Success":
            self._note()
        if not self._promise.done():
            self._promise.set_result(result)

    def set_exception(self, error: Any, /) -> None:
        if not self._promise.done():
            self._promise.set_exception(error)


class Timed:
    """Stands for another promise, and tells `took` the seconds until it was kept."""

    __slots__ = ("_began", "_promise", "_took")

    def __init__(self, promise: Promise, took: Callable[[float], None]) -> None:
        self._promise = promise
        self._took = took
        self._began = perf_counter()

    @property
    def is_awaited(self) -> bool:
        return bool(getattr(self._promise, "is_awaited", True))

    def done(self) -> bool:
        return self._promise.done()

    def set_result(self, result: Any, /) -> None:
        self._took(perf_counter() - self._began)
        self._promise.set_result(result)

    def set_exception(self, error: Any, /) -> None:
        self._promise.set_exception(error)
