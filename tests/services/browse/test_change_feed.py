"""Waiting for the change log: who waits is woken, and looks at the index only then."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orthanc_fast.index.contract import Index
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.runtime import bell as bell_module
from orthanc_fast.runtime.bell import Bell
from orthanc_fast.services.browse import change_feed
from orthanc_fast.services.browse.change_feed import ChangeFeed
from orthanc_fast.services.store.file_effects import CHANGES
from orthanc_fast.services.store.terms import terms

GUARD = 20.0  # seconds after which a test that hangs is ended


class CountingIndex(LmdbIndex):
    """Counts the snapshots; `after_read` is called when one has ended."""

    snapshots = 0
    after_read: Callable[[], None] = staticmethod(lambda: None)

    def read(self, function: Any) -> Any:
        self.snapshots += 1
        found = super().read(function)
        self.after_read()
        return found


@pytest.fixture
def index(tmp_path: Path) -> Any:
    found = CountingIndex(tmp_path, terms, 1 << 26)
    yield found
    found.close()


def log_something(index: Index) -> None:
    """The change log as if something had been stored in another process: the number alone."""

    def write(transaction: Any) -> None:
        transaction.totals.next_change += 1

    index.write(write)


def test_who_waits_looks_at_the_index_only_when_it_rings(
    index: CountingIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (change_feed, bell_module):
        monkeypatch.setattr(module, "RECHECK", 3600.0)
    bell = Bell()

    async def run() -> None:
        feed = ChangeFeed(index, bell)
        waiting = [asyncio.create_task(feed.beyond(0, 3600)) for _ in range(200)]
        await asyncio.sleep(0.05)
        index.snapshots = 0
        await asyncio.sleep(0.5)
        assert index.snapshots == 0
        bell.ring(CHANGES)  # something that is no change
        await asyncio.sleep(0.1)
        assert index.snapshots == 1
        assert not any(task.done() for task in waiting)
        log_something(index)
        bell.ring(CHANGES)
        async with asyncio.timeout(GUARD):
            assert all(await asyncio.gather(*waiting))

    asyncio.run(run())


def test_a_change_between_looking_and_waiting_wakes(index: CountingIndex) -> None:
    bell = Bell()

    def change_after_the_first_look() -> None:
        if index.snapshots == 1:
            log_something(index)
            bell.ring(CHANGES)

    async def run() -> bool:
        index.after_read = change_after_the_first_look
        async with asyncio.timeout(GUARD):
            return await ChangeFeed(index, bell).beyond(0, 3600)

    assert asyncio.run(run())


def test_a_change_without_a_ring_is_found_all_the_same(index: CountingIndex) -> None:
    async def run() -> bool:
        feed = ChangeFeed(index, Bell())
        waiting = asyncio.create_task(feed.beyond(0, 3600))
        await asyncio.sleep(0.05)
        log_something(index)
        async with asyncio.timeout(GUARD):
            return await waiting

    assert asyncio.run(run())


def test_time_outs_and_the_end(index: CountingIndex) -> None:
    async def run() -> None:
        feed = ChangeFeed(index, Bell())
        assert not await feed.beyond(0, 0.1)
        waiting = asyncio.create_task(feed.beyond(0, 3600))
        await asyncio.sleep(0.05)
        feed.close()
        async with asyncio.timeout(GUARD):
            assert not await waiting
            assert not await feed.beyond(0, 3600)

    asyncio.run(run())


def test_who_is_cancelled_in_the_moment_of_waking_is_cancelled(index: CountingIndex) -> None:
    """Else a process that stops would wait for ever for one that goes on."""

    async def run(turns: int) -> bool:
        bell = Bell()
        feed = ChangeFeed(index, bell)
        waiting = asyncio.create_task(feed.beyond(feed.last(), 3600))
        await asyncio.sleep(0.01)
        feed.close()
        for _ in range(turns):
            await asyncio.sleep(0)
        if waiting.done():
            return False
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, GUARD)
        bell.close()
        return True

    was_cancelled = [asyncio.run(run(turns)) for turns in range(6)]
    assert was_cancelled[0]
