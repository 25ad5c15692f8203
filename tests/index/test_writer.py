"""Group commit: threads, event loops, failures, several processes."""

import asyncio
import multiprocessing
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.instances import new_instance, terms
from support.snapshots import reading

from orthanc_fast.errors import FullStorage
from orthanc_fast.index.contract import (
    NoEffects,
    Transaction,
    Write,
)
from orthanc_fast.index.lmdb.commit import Committer
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.index.lmdb.pace import Pace
from orthanc_fast.index.lmdb.ring import Ring
from orthanc_fast.index.lmdb.writer import CallerWriter, LoopWriter, ThreadWriter
from orthanc_fast.model import Level, Outcome

MAP_SIZE = 1 << 26


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LmdbIndex]:
    opened = LmdbIndex(tmp_path, terms, MAP_SIZE)
    yield opened
    opened.close()


class Store(Write[Outcome]):
    """Stores the instance of a path, or fails where it is told to."""

    def __init__(self, path: str, fail_in: str = "") -> None:
        self.path = path
        self.fail_in = fail_in

    def fail(self, name: str) -> None:
        if name == self.fail_in:
            raise ValueError(f"failed in {name}")

    def apply(self, transaction: Transaction) -> Outcome:
        outcome = transaction.store_instance(new_instance(self.path))
        self.fail("apply")
        return outcome

    def finish(self, result: Outcome) -> str:
        self.fail("finish")
        return self.path


class Deaf:
    """A promise that cannot be told anything."""

    def done(self) -> bool:
        return False

    def set_result(self, result: Any, /) -> None:
        raise OSError("nobody is there")

    def set_exception(self, error: Any, /) -> None:
        raise OSError("nobody is there")


def test_a_promise_that_fails_harms_no_other(index: LmdbIndex) -> None:
    writer = ThreadWriter(Committer(index.write_within))
    heard: Future[Any] = Future()
    writer.submit(Store("aaaa"), Deaf())
    writer.submit(Store("aaab"), heard)
    assert heard.result(10) == "aaab"
    writer.stop()


class Notes:
    """Effects that note what the writer tells them, and fail for writes that are told to."""

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.outcomes: dict[str, bool] = {}

    def before(self, writes: Sequence[Write[Any]]) -> Sequence[BaseException | None]:
        stores = [write for write in writes if isinstance(write, Store)]
        self.prepared += [write.path for write in stores]
        return [
            ValueError("failed before") if isinstance(w, Store) and w.fail_in == "before" else None
            for w in writes
        ]

    def after(
        self, writes: Sequence[Write[Any]], outcomes: Sequence[tuple[Any, BaseException | None]]
    ) -> None:
        for write, (_, error) in zip(writes, outcomes, strict=True):
            if isinstance(write, Store):
                self.outcomes[write.path] = error is None


class Groups(NoEffects):
    """Counts the members of every group."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def before(self, writes: Sequence[Write[Any]]) -> Sequence[BaseException | None]:
        self.sizes.append(len(writes))
        return super().before(writes)


class Gate(Write[None]):
    """Holds the writer's thread inside a commit until it is opened, so that a group forms."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def apply(self, transaction: Transaction) -> None:
        self.entered.set()
        assert self.open.wait(10)


def submit_as_group(
    index: LmdbIndex, writes: list[Store], effects: Notes | None = None
) -> list["Future[str]"]:
    writer = ThreadWriter(Committer(index.write_within, effects))
    gate = Gate()
    writer.submit(gate, Future())
    assert gate.entered.wait(10)
    promises: list[Future[str]] = [Future() for _ in writes]
    for write, promise in zip(writes, promises, strict=True):
        writer.submit(write, promise)
    gate.open.set()
    writer.stop()
    return promises


def test_effects_surround_the_transaction(index: LmdbIndex) -> None:
    notes = Notes()
    (promise,) = submit_as_group(index, [Store("aaaa")], notes)
    assert promise.result(0) == "aaaa"
    assert notes.prepared == ["aaaa"]
    assert notes.outcomes == {"aaaa": True}


@pytest.mark.parametrize("step", ["before", "apply"])
def test_a_failing_write_fails_alone(index: LmdbIndex, step: str) -> None:
    notes = Notes()
    writes = [Store("aaaa"), Store("abaa", step), Store("acaa")]
    promises = submit_as_group(index, writes, notes)
    assert promises[0].result(0) == "aaaa"
    assert promises[2].result(0) == "acaa"
    assert isinstance(promises[1].exception(0), ValueError)
    assert notes.outcomes == {"aaaa": True, "abaa": False, "acaa": True}
    with reading(index) as view:
        assert view.totals().resources[Level.STUDY] == 2


def test_a_write_that_cannot_finish_is_durable_but_reported(index: LmdbIndex) -> None:
    (promise,) = submit_as_group(index, [Store("aaaa", "finish")])
    assert isinstance(promise.exception(0), ValueError)
    with reading(index) as view:
        assert view.totals().resources[Level.INSTANCE] == 1


def test_the_owner_of_the_promises_is_woken_once_for_a_group(index: LmdbIndex) -> None:
    woken: list[int] = []

    def wake(resolve: object) -> None:
        woken.append(1)
        resolve()  # type: ignore[operator]

    writer = ThreadWriter(Committer(index.write_within), wake)
    gate = Gate()
    writer.submit(gate, Future())
    assert gate.entered.wait(10)
    promises: list[Future[str]] = [Future() for _ in range(10)]
    for number, promise in enumerate(promises):
        writer.submit(Store(f"aa{number}a"), promise)
    gate.open.set()
    writer.stop()
    assert all(promise.result(0) for promise in promises)
    assert len(woken) == 2, "one for the gate, one for the ten"


def submit_three_as_group(writer: ThreadWriter) -> None:
    gate = Gate()
    writer.submit(gate, Future())
    assert gate.entered.wait(10)
    promises: list[Future[str]] = [Future() for _ in range(3)]
    for number, promise in enumerate(promises):
        writer.submit(Store(f"aa{number}a"), promise)
    gate.open.set()
    for promise in promises:
        promise.result(10)


def test_a_group_waits_to_become_as_large_as_the_last_one(index: LmdbIndex) -> None:
    notes = Groups()
    writer = ThreadWriter(Committer(index.write_within, notes), patience=1e9)
    submit_three_as_group(writer)
    promises: list[Future[str]] = [Future() for _ in range(3)]
    for number, promise in enumerate(promises):
        assert not any(promise.done() for promise in promises)
        writer.submit(Store(f"ab{number}a"), promise)
    for promise in promises:
        promise.result(10)
    writer.stop()
    assert notes.sizes == [1, 3, 3]


def test_a_group_does_not_wait_for_those_who_stay_away(index: LmdbIndex) -> None:
    writer = ThreadWriter(Committer(index.write_within))
    submit_three_as_group(writer)
    promise: Future[str] = Future()
    writer.submit(Store("abaa"), promise)
    assert promise.result(10) == "abaa"
    writer.stop()


def test_stopping_ends_the_waiting_for_a_group(index: LmdbIndex) -> None:
    writer = ThreadWriter(Committer(index.write_within), patience=1e9)
    submit_three_as_group(writer)
    promise: Future[str] = Future()
    writer.submit(Store("abaa"), promise)
    writer.stop()
    assert promise.result(0) == "abaa"


def test_cancelled_promises_are_left_alone(index: LmdbIndex) -> None:
    writer = ThreadWriter(Committer(index.write_within))
    promise: Future[str] = Future()
    assert promise.cancel()
    writer.submit(Store("aaaa"), promise)
    writer.stop()
    with reading(index) as view:
        assert view.totals().resources[Level.INSTANCE] == 1


def stored_in(transaction: Transaction, path: str) -> Outcome:
    return transaction.store_instance(new_instance(path))


def deleted_in(transaction: Transaction, public: bytes) -> Outcome:
    return transaction.delete(Level.INSTANCE, public, 1)


def test_a_full_map_is_reported_and_harms_nothing(tmp_path: Path) -> None:
    index = LmdbIndex(tmp_path, terms, 1 << 18)
    stored = 0
    with pytest.raises(FullStorage, match="IndexMapSizeGB"):
        for number in range(100_000):
            path = f"{number:05}"
            index.write(partial(stored_in, path="aaa" + path))
            stored += 1
    index.close()
    reopened = LmdbIndex(tmp_path, terms, 1 << 24)
    with reading(reopened) as view:
        assert view.totals().resources[Level.INSTANCE] == stored
        assert len(view.listing(Level.INSTANCE)) == stored
    reopened.write(lambda txn: txn.store_instance(new_instance("aaamore")))
    reopened.close()


def store_many(folder: Path, letter: str, count: int) -> None:
    index = LmdbIndex(folder, terms, MAP_SIZE)
    for number in range(count):
        # All processes share the patient and the study; each has a series of its own.
        path = f"aa{letter}{number:03}"
        index.write(partial(stored_in, path=path))
        if number % 3 == 0:
            public = new_instance(path).publics[Level.INSTANCE]
            index.write(partial(deleted_in, public=public))
    index.close()


def test_counters_do_not_drift_between_processes(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=store_many, args=(tmp_path, x, 30)) for x in "xyz"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    index = LmdbIndex(tmp_path, terms, MAP_SIZE)
    with reading(index) as view:
        totals = view.totals()
        assert totals.resources == [1, 1, 3, 60]
        patient = view.resource(Level.PATIENT, new_instance("aaaa").publics[0])
        assert patient is not None
        assert patient.counts == [1, 3, 60]
        assert patient.uncompressed_size == totals.uncompressed_size == 60 * 100
        sequences = [sequence for sequence, _ in view.changes(limit=10_000).changes]
        assert sequences == sorted(set(sequences))
    index.close()


class Unawaited(Future[Any]):
    is_awaited = False


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


class Quick(Store):
    """What an event loop may commit."""

    thread = 0

    @property
    def is_quick(self) -> bool:
        return True

    def apply(self, transaction: Transaction) -> Outcome:
        self.thread = threading.get_ident()
        return super().apply(transaction)


def run_in_loop(work: Callable[[asyncio.AbstractEventLoop], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        await work(asyncio.get_running_loop())

    asyncio.run(main())


def test_an_event_loop_commits_what_is_quick_itself(index: LmdbIndex) -> None:
    groups = Groups()

    async def work(loop: asyncio.AbstractEventLoop) -> None:
        writer = LoopWriter(loop, Committer(index.write_within, groups), Pace())
        writes = [Quick(f"aa{number}a") for number in range(5)]
        slow = Quick("abaa")
        slow.__class__ = type("Slow", (Quick,), {"is_quick": False})
        promises: list[asyncio.Future[str]] = [loop.create_future() for _ in range(6)]
        for write, promise in zip([*writes, slow], promises, strict=True):
            writer.submit(write, promise)
        assert await asyncio.gather(*promises) == [*(w.path for w in writes), "abaa"]
        assert {write.thread for write in writes} == {threading.get_ident()}
        assert slow.thread != threading.get_ident()
        await asyncio.to_thread(writer.stop)

    run_in_loop(work)
    assert sorted(groups.sizes) == [1, 5], "all of one turn of the loop are a group"


def test_an_event_loop_does_not_wait_for_a_slow_disk(
    index: LmdbIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first write on."""
    write_through = Ring._write_through

    def delayed(ring: Ring, record: memoryview, offset: int) -> None:
        time.sleep(0.01)
        write_through(ring, record, offset)

    monkeypatch.setattr(Ring, "_write_through", delayed)

    async def work(loop: asyncio.AbstractEventLoop) -> None:
        writer = index.writer(loop=loop)
        for number in range(20):
            write, promise = Quick(f"a{number}aa"), loop.create_future()
            writer.submit(write, promise)
            await promise
            assert write.thread != threading.get_ident(), number
        await asyncio.to_thread(writer.stop)

    run_in_loop(work)


def test_the_pace_of_a_disk_forgets() -> None:
    pace = Pace()
    assert not pace.is_slow
    for seconds in (0.0005, 0.0005, 0.010, 0.010, 0.010, 0.010, 0.010, 0.010):
        pace.note(seconds)
        assert not pace.is_slow, "times that were held up by a busy machine tell nothing"
    pace.note(0.010)
    assert pace.is_slow
    pace.note(0.0005)
    assert pace.is_slow, "one that was quick tells nothing either"
    pace.note(0.0005)
    assert not pace.is_slow
    first = Pace()
    first.note(0.010)
    assert first.is_slow, "all that is known of it"


def test_an_event_loop_does_not_wait_for_a_long_write(index: LmdbIndex) -> None:
    """Of another thread or process: the loop goes on, and the write comes after it."""
    gate = Gate()
    other = threading.Thread(target=lambda: index.write(gate.apply))
    other.start()
    assert gate.entered.wait(10)

    async def work(loop: asyncio.AbstractEventLoop) -> None:
        writer = LoopWriter(loop, Committer(index.write_within), Pace())
        first, second = loop.create_future(), loop.create_future()
        writer.submit(Quick("aaaa"), first)
        turns = 0
        while turns < 100:  # more than the loop tries
            await asyncio.sleep(0.001)
            turns += 1
        assert not first.done()
        writer.submit(Quick("aaab"), second)
        gate.open.set()
        assert await first == "aaaa"
        assert await second == "aaab"
        await asyncio.to_thread(writer.stop)

    run_in_loop(work)
    other.join()


def test_the_end_of_a_loops_writer_completes_what_is_queued(index: LmdbIndex) -> None:
    async def work(loop: asyncio.AbstractEventLoop) -> None:
        writer = LoopWriter(loop, Committer(index.write_within), Pace())
        promise = loop.create_future()
        writer.submit(Quick("aaaa"), promise)
        await asyncio.to_thread(writer.stop)
        assert await promise == "aaaa"
        with pytest.raises(RuntimeError, match="stopping"):
            writer.submit(Quick("aaab"), loop.create_future())

    run_in_loop(work)


def test_a_failing_write_of_a_loop_fails_alone(index: LmdbIndex) -> None:
    async def work(loop: asyncio.AbstractEventLoop) -> None:
        writer = LoopWriter(loop, Committer(index.write_within), Pace())
        writes = [Quick("aaaa"), Quick("abaa", "apply"), Quick("acaa")]
        promises = [loop.create_future() for _ in writes]
        for write, promise in zip(writes, promises, strict=True):
            writer.submit(write, promise)
        found = await asyncio.gather(*promises, return_exceptions=True)
        assert found[::2] == ["aaaa", "acaa"]
        assert isinstance(found[1], ValueError)
        await asyncio.to_thread(writer.stop)

    run_in_loop(work)


def test_a_group_that_fails_does_not_hold_up_its_loop(index: LmdbIndex) -> None:
    """Its members are committed one by one, by the thread."""

    async def work(loop: asyncio.AbstractEventLoop) -> None:
        writer = LoopWriter(loop, Committer(index.write_within), Pace())
        good, bad = Quick("aaaa"), Quick("abaa", "apply")
        promises = [loop.create_future() for _ in range(2)]
        for write, promise in zip([good, bad], promises, strict=True):
            writer.submit(write, promise)
        await asyncio.gather(*promises, return_exceptions=True)
        assert good.thread != threading.get_ident()
        await asyncio.to_thread(writer.stop)

    run_in_loop(work)


def test_a_lone_thread_commits_itself_and_a_crowd_forms_groups(index: LmdbIndex) -> None:
    groups = Groups()
    writer = CallerWriter(Committer(index.write_within, groups))
    first = Future[str]()
    writer.submit(Quick("aaab"), first)
    assert first.result(10) == "aaab"
    wait_until(lambda: writer._thread.is_idle)
    lone, promise = Quick("aaaa"), Future[str]()
    writer.submit(lone, promise)
    assert promise.result(0) == "aaaa", "it is done when submit returns"
    assert lone.thread == threading.get_ident()
    gate = Gate()
    writer.submit(gate, Unawaited())
    assert gate.entered.wait(10)
    promises = [Future[str]() for _ in range(10)]
    for number, each in enumerate(promises):
        writer.submit(Quick(f"ab{number}a"), each)
    gate.open.set()
    assert all(each.result(10) for each in promises)
    writer.stop()
    assert len(groups.sizes) < 13
    with pytest.raises(RuntimeError, match="stopping"):
        writer.submit(Quick("acaa"), Future())


def test_a_lone_thread_that_does_not_wait_goes_on(index: LmdbIndex) -> None:
    writer = CallerWriter(Committer(index.write_within))
    gate = Gate()
    writer.submit(gate, Unawaited())  # returns although the write is held
    assert gate.entered.wait(10)
    gate.open.set()
    writer.stop()
