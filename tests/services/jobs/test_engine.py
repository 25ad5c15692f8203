"""Jobs from their submission to their end, with workers that are threads."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.small_jobs import PATIENCE, SmallJobs, submission
from support.small_store import USER

from orthanc_fast.errors import (
    BadRequest,
    BadSequenceOfCalls,
    FullStorage,
    InexistentItem,
    OrthancError,
)
from orthanc_fast.services.jobs import records, runs
from orthanc_fast.services.jobs.contract import Run
from orthanc_fast.services.jobs.runs import JobRun

Make = Callable[..., SmallJobs]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[SmallJobs] = []

    def new(*given: Any, **named: Any) -> SmallJobs:
        made.append(SmallJobs(tmp_path, *given, **named))
        return made[-1]

    yield new
    for each in made:
        each.close()


class Gate:
    """Work that stands still until the test lets it go on, one step at a time."""

    def __init__(self, steps: int = 10) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.steps = steps

    def __call__(self, run: Run) -> None:
        self.begun.set()
        for done in range(self.steps + 1):
            run.step(done, self.steps)
            assert self.go.wait(20)


def test_a_job_is_run(make: Make) -> None:
    def work(run: Run) -> None:
        assert run.caller == USER
        run.step(1, 2)
        run.tell(InstancesCount=int(run.payload))
        run.step(2, 2)

    small = make(work)
    small.start()
    user_data = msgspec.Raw(b'{"b": 1, "a": [null]}')
    job = small.submit(payload=b"17", priority=-3, user_data=user_data)
    found = small.wait(job)
    assert (found.State, found.Progress, found.ErrorCode) == ("Success", 100, 0)
    assert (found.Priority, found.Type, found.ErrorDescription) == (-3, "Scripted", "Success")
    assert found.CreationTime < str(found.CompletionTime) <= found.Timestamp
    assert bytes(found.Content) == b'{"Description":"REST API","InstancesCount":17}'
    assert bytes(found.UserData or b"") == b'{"a":[null],"b":1}'
    assert small.jobs.ids(USER) == [job]
    assert [each.ID for each in small.jobs.all(USER)] == [job]


@pytest.mark.parametrize(
    ("before", "sees"), [(None, False), ("ab", False), ("a", True), ("c", False)]
)
def test_who_sees_less_than_before_has_none_of_his_jobs_of_then(
    make: Make, before: str | None, sees: bool
) -> None:
    small = make(lambda run: None)
    labels = None if before is None else frozenset(before)
    maker = msgspec.structs.replace(USER, labels=labels)
    job = small.jobs.submit_in_thread(maker, submission())
    now = msgspec.structs.replace(USER, labels=frozenset("a"))
    assert small.jobs.ids(now) == ([job] if sees else [])
    assert (small.jobs.get(now, job) is not None) == sees
    other = msgspec.structs.replace(now, user="other")
    assert small.jobs.get(other, job) is None
    assert small.jobs.get(msgspec.structs.replace(now, study=b"s" * 20), job) is None


def test_the_highest_priority_then_the_oldest_comes_first(make: Make) -> None:
    order: list[bytes] = []
    small = make(lambda run: order.append(run.payload))
    given = [(0, b"3"), (5, b"1"), (-2, b"6"), (0, b"4"), (5, b"2"), (0, b"5")]
    jobs = [small.submit(priority=priority, payload=name) for priority, name in given]
    assert {small.get(job).State for job in jobs} == {"Pending"}
    small.start()
    for job in jobs:
        small.wait(job)
    assert b"".join(order) == b"123456"


def test_none_runs_twice_at_the_same_time(make: Make) -> None:
    running: list[bytes] = []
    ran: list[bytes] = []

    def work(run: Run) -> None:
        assert run.payload not in running
        running.append(run.payload)
        run.step(0, 1)
        running.remove(run.payload)
        ran.append(run.payload)

    small = make(work, jobs_history_size=1000)
    small.start(8)
    jobs = [small.submit(payload=b"%d" % number) for number in range(300)]
    for job in jobs:
        assert small.wait(job).State == "Success"
    assert sorted(ran) == sorted(b"%d" % number for number in range(300))


def test_what_a_job_adds_to_its_content_is_seen_at_once(make: Make) -> None:
    gate = Gate()

    def work(run: Run) -> None:
        run.step(1, 4)
        run.tell(ID="x")
        gate(run)

    small = make(work)
    small.start()
    job = small.submit()
    assert gate.begun.wait(20)
    assert small.content(job)["ID"] == "x"
    gate.go.set()


def test_errors_are_the_job_s(make: Make) -> None:
    def work(run: Run) -> None:
        run.step(1, 4)
        if run.payload == b"foreseen":
            raise BadRequest("No such thing", payload={"Type": "Dimse", "Content": {"a": 1}})
        raise ZeroDivisionError

    small = make(work)
    small.start()
    found = small.wait(small.submit(payload=b"foreseen"))
    assert (found.State, found.ErrorCode, found.Progress) == ("Failure", 8, 25)
    assert (found.ErrorDescription, found.ErrorDetails) == ("Bad request", "No such thing")
    assert msgspec.json.decode(found.ErrorPayload or b"") == {"Type": "Dimse", "Content": {"a": 1}}
    found = small.wait(small.submit())
    assert (found.ErrorCode, found.ErrorDetails, found.ErrorPayload) == (-1, "", None)
    found = small.wait(small.submit(kind="Unknown"))
    assert (found.State, found.ErrorCode) == ("Failure", 2)


def test_waiting_for_a_job(make: Make) -> None:
    def work(run: Run) -> None:
        if run.payload:
            raise BadRequest("No such thing", payload={"Type": "Dimse"})
        run.tell(ID="x")

    small = make(work)
    small.start()
    content = small.store.run(small.jobs.run(USER, submission()))
    assert bytes(content) == b'{"Description":"REST API","ID":"x"}'
    with pytest.raises(BadRequest.__mro__[1], match="No such thing") as raised:
        small.store.run(small.jobs.run(USER, submission(payload=b"fail")))
    error = raised.value
    assert isinstance(error, OrthancError)
    assert (error.code, error.http_status, error.payload) == (8, 400, {"Type": "Dimse"})


def test_one_who_waits_is_told_though_the_history_is_short(make: Make) -> None:
    small = make(jobs_history_size=1)
    small.start()

    async def both() -> None:
        waiting = small.jobs.run(USER, submission())
        for _ in range(5):
            await small.jobs.submit(USER, submission())
        assert bytes(await waiting)

    for _ in range(20):
        small.store.run(both())


def test_without_history_nothing_is_known_of_what_is_completed(make: Make) -> None:
    ran = threading.Event()
    small = make(lambda run: ran.set(), jobs_history_size=0)
    small.start()
    with pytest.raises(InexistentItem, match='"JobsHistorySize" is not 0'):
        small.store.run(small.jobs.run(USER, submission()))
    assert ran.is_set()
    assert small.jobs.ids(USER) == []


def test_what_was_completed_first_is_forgotten_first(make: Make) -> None:
    small = make(jobs_history_size=3)
    jobs = [small.submit(priority=number) for number in range(5)]
    small.start()
    end = small.submit(priority=-1)
    small.wait(end)
    assert small.jobs.ids(USER) == sorted([jobs[1], jobs[0], end])


def test_a_job_that_runs_is_cancelled_with_its_next_step(make: Make) -> None:
    gate = Gate()
    small = make(gate)
    small.start()
    job = small.submit()
    assert gate.begun.wait(20)
    assert small.store.run(small.jobs.cancel(USER, job))
    assert small.get(job).State == "Running"
    gate.go.set()
    found = small.wait(job)
    assert (found.State, found.ErrorCode) == ("Failure", 37)
    assert found.ErrorDescription == "This job was canceled"
    with pytest.raises(OrthancError) as raised:
        small.store.run(_cancelled_while_waited_for(small, gate))
    assert (raised.value.code, raised.value.http_status) == (37, 500)


async def _cancelled_while_waited_for(small: SmallJobs, gate: Gate) -> None:
    import asyncio

    gate.begun.clear()
    gate.go.clear()
    waiting = asyncio.ensure_future(small.jobs.run(USER, submission()))
    await asyncio.to_thread(gate.begun.wait, 20)
    running = next(each for each in small.jobs.all(USER) if each.State == "Running")
    await small.jobs.cancel(USER, running.ID)
    gate.go.set()
    await waiting


def test_its_own_end_wins_over_a_cancellation(make: Make) -> None:
    gate = Gate(0)
    small = make(gate)
    small.start()
    job = small.submit()
    assert gate.begun.wait(20)
    gate.begun.clear()
    small.store.run(small.jobs.cancel(USER, job))
    gate.go.set()
    assert small.wait(job).State == "Success"


def test_a_job_is_paused_and_resumed(make: Make) -> None:
    gate, memories = Gate(), []

    def work(run: Run) -> None:
        memories.append(run.recalled)
        run.remember(b"%d" % len(memories))
        gate(run)

    small = make(work)
    small.start()
    job = small.submit()
    assert gate.begun.wait(20)
    assert small.store.run(small.jobs.pause(USER, job))
    assert not small.store.run(small.jobs.resume(USER, job))
    gate.go.set()
    small.wait(job, "Paused")
    assert small.store.run(small.jobs.pause(USER, job))
    assert small.store.run(small.jobs.resume(USER, job))
    assert small.wait(job).State == "Success"
    assert memories == [None, b"1"]


def test_what_waits_is_paused_and_cancelled_at_once(make: Make) -> None:
    small = make()
    first, second, third = (small.submit() for _ in range(3))
    small.store.run(small.jobs.pause(USER, first))
    small.store.run(small.jobs.pause(USER, second))
    assert small.get(first).State == "Paused"
    small.store.run(small.jobs.cancel(USER, second))
    small.store.run(small.jobs.cancel(USER, third))
    assert {small.get(job).ErrorCode for job in (second, third)} == {37}
    assert {small.get(job).EffectiveRuntime for job in (first, second)} == {0.0}
    small.start()
    small.wait(small.submit())
    assert [small.get(job).State for job in (first, second, third)] == [
        "Paused",
        "Failure",
        "Failure",
    ]
    assert small.jobs.figures(USER).failed == 0


def test_a_failed_job_is_run_again(make: Make) -> None:
    ran: list[bytes | None] = []

    def work(run: Run) -> None:
        ran.append(run.recalled)
        run.remember(b"begun")
        if len(ran) == 1:
            raise BadRequest("not yet")

    small = make(work)
    small.start()
    job = small.submit(priority=4)
    failed = small.wait(job)
    assert failed.State == "Failure"
    small.stop()
    assert small.store.run(small.jobs.resubmit(USER, job))
    pending = small.get(job)
    assert (pending.State, pending.EffectiveRuntime) == ("Pending", 0.0)
    assert not small.store.run(small.jobs.resubmit(USER, job))
    small.start()
    found = small.wait(job)
    assert (found.State, found.ErrorCode, found.ErrorDetails) == ("Success", 0, "")
    assert (found.CreationTime, found.Priority) == (failed.CreationTime, 4)
    assert ran == [None, None]
    assert not small.store.run(small.jobs.resubmit(USER, job))


def test_some_jobs_are_not_to_be_run_again(make: Make) -> None:
    small = make()
    job = small.submit(may_be_resubmitted=False)
    small.store.run(small.jobs.cancel(USER, job))
    with pytest.raises(BadSequenceOfCalls, match="Cannot resubmit"):
        small.store.run(small.jobs.resubmit(USER, job))


def test_only_what_is_completed_can_be_deleted(make: Make) -> None:
    small = make()
    job = small.submit()
    for wrong in (job, "nope", "", "a/b", "x" * 600):
        with pytest.raises(InexistentItem, match="No job found with this id"):
            small.store.run(small.jobs.delete(USER, wrong))
    small.start()
    small.wait(job)
    small.store.run(small.jobs.delete(USER, job))
    assert small.jobs.get(USER, job) is None
    for name in ("cancel", "pause", "resume", "resubmit"):
        assert not small.store.run(getattr(small.jobs, name)(USER, job))


def test_outputs(make: Make, tmp_path: Path) -> None:
    def work(run: Run) -> None:
        path = run.output("archive", "Archive.zip", "application/zip")
        assert path.read_bytes() == b""
        path.write_bytes(run.payload)
        if run.payload == b"bad":
            raise BadRequest

    small = make(work, media_archive_size=2)
    small.start()
    jobs = [small.submit(payload=payload) for payload in (b"one", b"bad", b"two")]
    for job in jobs:
        small.wait(job)
    one, bad, two = jobs
    found = small.jobs.output(USER, one, "archive")
    assert (found.path.read_bytes(), found.filename) == (b"one", "Archive.zip")
    assert found.media_type == "application/zip"
    three = small.submit(payload=b"three")
    small.wait(three)  # the one that was used last stays, and that of `two` goes
    assert small.jobs.output(USER, one, "archive").path.read_bytes() == b"one"
    for job, key in ((two, "archive"), (bad, "archive"), (one, "other"), ("no", "archive")):
        with pytest.raises(InexistentItem, match=f"Job has no such output: {key}"):
            small.jobs.output(USER, job, key)
    small.jobs.delete_output(USER, one, "archive")
    with pytest.raises(InexistentItem):
        small.jobs.delete_output(USER, one, "archive")
    assert small.get(one).State == "Success"
    small.store.run(small.jobs.delete(USER, three))
    assert list(small.registry.folder.iterdir()) == []


def test_a_job_of_this_process(make: Make) -> None:
    small = make()
    small.start()
    run = small.jobs.begin_here(USER, submission(priority=2))
    run.step(1, 4)
    run.flush()
    found = small.get(run.id)
    assert (found.State, found.Progress, found.Priority) == ("Running", 25, 2)
    assert found.EstimatedTimeOfArrival is not None
    small.store.run(small.jobs.pause(USER, run.id))
    run.step(2, 4)  # it cannot be continued later, so it is not paused
    run.succeed()
    assert small.get(run.id).State == "Success"
    other = small.jobs.begin_here(USER, submission())
    small.store.run(small.jobs.cancel(USER, other.id))
    from orthanc_fast.services.jobs.contract import Stopped

    with pytest.raises(Stopped) as stopped:
        other.step(1, 4)
    other.fail(stopped.value)
    assert small.get(other.id).ErrorCode == 37
    third = small.jobs.begin_here(USER, submission())
    third.fail(OrthancError("gone", code=9))
    assert (small.get(third.id).ErrorCode, small.get(third.id).ErrorDetails) == (9, "gone")


def test_figures(make: Make) -> None:
    def work(run: Run) -> None:
        if run.payload:
            raise BadRequest

    small = make(work)
    first, second = small.submit(), small.submit()
    small.store.run(small.jobs.pause(USER, first))
    figures = small.jobs.figures(USER)
    assert (figures.pending, figures.running, figures.success, figures.failed) == (1, 1, 0, 0)
    third = small.submit(payload=b"fail")
    small.start()
    small.wait(second)
    small.wait(third)
    figures = small.jobs.figures(USER)
    assert (figures.pending, figures.running, figures.success, figures.failed) == (0, 1, 1, 1)


def test_an_end_that_cannot_be_told_is_told_later(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that is full for a while: the job is not taken for one that runs for ever."""
    small = make()
    refused = threading.Event()
    write = small.runtime.write

    def full_for_a_while(work: Callable[[Any], Any]) -> Any:
        running = small.runtime.read(lambda view: view.below(records.RUNNING))
        if running and not refused.is_set():
            refused.set()
            raise FullStorage
        return write(work)

    monkeypatch.setattr(small.runtime, "write", full_for_a_while)
    small.start()
    job = small.submit()
    assert small.wait(job).State == "Success"
    assert refused.is_set()


def test_the_end_of_a_job_of_this_process_is_told_later(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client has its archive, whatever the disk says."""
    small = make()
    monkeypatch.setattr(runs, "AGAIN", 0.01)
    write, is_full = small.runtime.write, True

    def may_be_full(work: Callable[[Any], Any]) -> Any:
        if is_full:
            raise FullStorage
        return write(work)

    async def send() -> list[str]:
        nonlocal is_full
        good, bad = (small.jobs.begin_here(USER, submission()) for _ in range(2))
        monkeypatch.setattr(small.runtime, "write", may_be_full)
        good.succeed(ArchiveSize="5")
        bad.fail(OrthancError("gone", code=9))
        await asyncio.sleep(0.02)
        jobs = [good.id, bad.id]
        assert {small.get(job).State for job in jobs} == {"Running"}
        is_full = False
        async with asyncio.timeout(PATIENCE):
            while any(small.get(job).State == "Running" for job in jobs):
                await asyncio.sleep(0.01)
        return jobs

    good, bad = small.store.run(send())
    assert (small.get(good).State, small.content(good)["ArchiveSize"]) == ("Success", "5")
    assert (small.get(bad).State, small.get(bad).ErrorCode) == ("Failure", 9)


def test_what_is_given_up_is_told(make: Make) -> None:
    """By the kind, in another worker than those that the job has killed."""
    small = make(lambda run: None)
    job = small.submit()
    for number in range(3):
        assert small.registry.change(lambda ledger: ledger.claim("jobs-9"))[0] == job
        JobRun(small.registry, job, lambda save: None).announce(b"%d" % number)
        small.registry.change(lambda ledger: ledger.bury("jobs-9"))
    small.start()
    found = small.wait(job)
    assert (found.State, found.ErrorDetails) == ("Failure", "The job has killed its worker 3 times")
    assert small.content(job)["GivenUp"] == "012"
    assert not small.runtime.read(lambda view: view.below(records.MADE))


def test_what_cannot_be_given_up_fails_all_the_same(make: Make) -> None:
    small = make()
    job = small.submit()
    for _ in range(4):
        assert small.registry.change(lambda ledger: ledger.claim("jobs-9"))[0] == job
        small.registry.change(lambda ledger: ledger.bury("jobs-9"))
    assert small.get(job).ErrorDetails == "The job has killed its worker 3 times"
