"""The change log as it is shown, and waiting for what comes next.

Source: reference chapter 1, section 7; the waiting is this server's own.
"""

import asyncio

import msgspec

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.index.contract import Index, Snapshot
from orthanc_fast.model import Change, Level, timestamp
from orthanc_fast.registries import CHANGE_NUMBERS, CHANGE_TYPES
from orthanc_fast.runtime.bell import RECHECK, Bell, Ear
from orthanc_fast.services.browse.describe import NAMES, PLURALS
from orthanc_fast.services.store.file_effects import CHANGES


class ChangeEntry(msgspec.Struct, gc=False):
    """One entry of the change log as REST and webhooks show it."""

    ChangeType: str
    Date: str
    ID: str
    Path: str
    ResourceType: str
    Seq: int


def change_entry(sequence: int, change: Change) -> ChangeEntry:
    """The entry with this sequence number."""
    level = Level(change.level)
    text = to_text(change.public)
    return ChangeEntry(
        ChangeType=CHANGE_TYPES[change.type],
        Date=timestamp(change.date),
        ID=text,
        Path=f"/{PLURALS[level]}/{text}",
        ResourceType=NAMES[level],
        Seq=sequence,
    )


def change_types(text: str) -> frozenset[int] | None:
    """The types that a text such as `NewStudy;StableStudy` names, None for all of them. Raises
    ParameterOutOfRange."""
    if text in ("", "All", "all"):
        return None
    names = [name for name in text.split(";") if name]
    unknown = [name for name in names if name not in CHANGE_NUMBERS]
    if unknown:
        raise ParameterOutOfRange(f"Unknown type of change: {unknown[0]}")
    return frozenset(CHANGE_NUMBERS[name] for name in names)


def _last(snapshot: Snapshot) -> int:
    return snapshot.totals().next_change - 1


class ChangeFeed:
    """Wakes those who wait for the change log to grow, whichever process makes it grow.

    One task waits for the bell while somebody waits; without waiters there is none. It belongs to
    the event loop that uses it.
    """

    def __init__(self, index: Index, bell: Bell) -> None:
        self._index = index
        self._bell = bell
        self._ear = Ear(bell)
        self._waiting = 0
        self._grown: asyncio.Future[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """The process is stopping: whoever waits shall come to an end."""
        return self._closed

    def last(self) -> int:
        """The greatest sequence number ever given, 0 for none."""
        return self._index.read(_last)

    async def beyond(self, known: int, timeout: float) -> bool:
        """Waits until there are sequence numbers greater than `known`; False when `timeout`
        seconds have passed or the process is stopping."""
        deadline = asyncio.get_running_loop().time() + timeout
        self._waiting += 1
        try:
            if await self._index.read_async(_last) > known:
                return True
            while True:
                grown = self._next_growth()  # before looking, so that nothing falls in between
                if await self._index.read_async(_last) > known:
                    return True
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0 or self._closed:
                    return False
                # Not wait_for, which forgets a cancellation that comes together with the result.
                await asyncio.wait((grown,), timeout=left)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Ends all waiting."""
        self._closed = True
        if self._watcher is not None:
            self._watcher.cancel()
        self._wake()

    def _next_growth(self) -> asyncio.Future[None]:
        if self._grown is None:
            self._grown = asyncio.get_running_loop().create_future()
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())
        return self._grown

    async def _watch(self) -> None:
        seen = 0  # so that all who are there look once more
        try:
            while self._waiting and not self._closed:
                heard = self._bell.heard(CHANGES)
                last = await self._index.read_async(_last)
                if last != seen:
                    seen = last
                    self._wake()
                await self._ear.wait(CHANGES, heard, RECHECK)
        finally:
            self._watcher = None
            self._wake()  # whoever came in the meantime starts the next watcher

    def _wake(self) -> None:
        grown, self._grown = self._grown, None
        if grown is not None and not grown.done():
            grown.set_result(None)
