"""Jobs that outlive the server, and those that do not."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.small_jobs import PATIENCE, SmallJobs, submission
from support.small_store import USER

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadRequest, FullStorage
from orthanc_fast.services.jobs import records
from orthanc_fast.services.jobs.contract import Run
from orthanc_fast.services.jobs.describe import JobAnswer
from orthanc_fast.services.jobs.outputs import outputs_folder
from orthanc_fast.services.jobs.registry import SAVED, SAVED_PAYLOAD, Save

Make = Callable[..., SmallJobs]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[SmallJobs] = []

    def new(*given: object, **named: object) -> SmallJobs:
        made.append(SmallJobs(tmp_path, *given, **named))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for each in made:
        each.close()


def known(answer: JobAnswer) -> bytes:
    """All of it but the instant of the answer."""
    return msgspec.json.encode(msgspec.structs.replace(answer, Timestamp=""))


def saved(small: SmallJobs, prefix: str) -> set[str]:
    found = small.store.index.read(lambda view: view.properties(prefix))
    return {name.removeprefix(prefix) for name in found}


def test_all_is_as_it_was(make: Make) -> None:
    def work(run: Run) -> None:
        run.remember(b"here")
        run.tell(ID="made", Some=["thing"])
        if run.payload == b"fail":
            run.step(1, 3)
            raise BadRequest("No such thing", payload={"Type": "Dimse", "Content": {"a": 1}})

    small = make(work)
    good = small.submit(priority=3, user_data=msgspec.Raw(b'{"a":1}'))
    bad = small.submit(payload=b"fail")
    small.start()
    before = {job: known(small.wait(job)) for job in (good, bad)}
    small.stop()
    pending, paused = small.submit(priority=-1), small.submit()
    small.store.run(small.jobs.pause(USER, paused))
    before |= {job: known(small.get(job)) for job in (pending, paused)}
    small.restart()
    assert {job: known(small.get(job)) for job in before} == before
    small.start()
    assert small.wait(pending).State == "Success"
    assert small.get(paused).State == "Paused"
    small.store.run(small.jobs.resubmit(USER, bad))
    assert small.wait(bad).ErrorDetails == "No such thing"


def test_what_ran_is_run_again_with_what_it_remembered(make: Make) -> None:
    seen: list[tuple[bytes, bytes | None]] = []

    def work(run: Run) -> None:
        seen.append((run.payload, run.recalled))
        run.remember(b"half")

    small = make(work)
    job = small.submit(payload=b"x" * 100_000)
    claimed, _ = small.registry.change(lambda ledger: ledger.claim("jobs-0"))
    assert claimed == job
    _, save = small.registry.change(lambda ledger: ledger.remember(job, b"half"))
    assert save is not None
    small.store.index.write(save.apply)
    small.restart()
    assert small.get(job).State == "Pending"
    small.start()
    small.wait(job)
    assert seen == [(b"x" * 100_000, b"half")]
    assert saved(small, SAVED) == {job}
    assert saved(small, SAVED_PAYLOAD) == set()  # it will not be run again


def test_the_order_of_the_history_stays(make: Make) -> None:
    small = make(jobs_history_size=2)
    small.start()
    first, second = small.submit(), small.submit()
    small.wait(first)
    small.wait(second)
    small.restart()
    small.start()
    third = small.submit()
    small.wait(third)
    assert small.jobs.ids(USER) == sorted([second, third])
    small.store.run(small.jobs.delete(USER, second))
    assert saved(small, SAVED) == {third}


def test_what_is_not_to_be_saved(make: Make) -> None:
    small = make()
    job = small.submit(is_saved=False)
    assert saved(small, SAVED) == set()
    small.restart()
    assert small.jobs.get(USER, job) is None


def test_jobs_of_an_earlier_run_are_forgotten(make: Make) -> None:
    small = make()
    small.submit(payload=b"x")
    small.store.settings = msgspec.structs.replace(small.store.settings, reload_jobs=False)
    small.restart()
    assert small.jobs.ids(USER) == []
    assert saved(small, SAVED) | saved(small, SAVED_PAYLOAD) == set()


def test_without_saving_those_of_earlier_are_there_still(make: Make) -> None:
    small = make()
    job = small.submit()
    small.store.settings = msgspec.structs.replace(small.store.settings, save_jobs=False)
    small.restart()
    assert small.jobs.ids(USER) == [job]
    small.submit()
    small.restart()
    assert small.jobs.ids(USER) == [job]


def test_saves_that_overtake_each_other(make: Make) -> None:
    small = make()
    job = small.submit()
    _, late = small.registry.change(lambda ledger: ledger.pause(job))
    _, early = small.registry.change(lambda ledger: ledger.cancel(job))
    assert late is not None
    assert early is not None
    small.store.index.write(early.apply)
    small.store.index.write(late.apply)
    small.restart()
    assert small.get(job).ErrorCode == 37


@pytest.mark.parametrize("history", [0, 10])
def test_what_a_dead_worker_has_not_saved(make: Make, history: int) -> None:
    """It moved jobs, and was killed before it saved that."""
    small = make(jobs_history_size=history)
    cancelled, paused, waiting = (small.submit(payload=b"%d" % number) for number in range(3))
    small.registry.change(lambda ledger: ledger.cancel(cancelled))
    small.registry.change(lambda ledger: ledger.pause(paused))
    new = small.jobs._add(USER, submission(payload=b"new"))[0]
    small.saved.recover_slot("http-1")
    small.restart()
    states = {each.ID: each.State for each in small.jobs.all(USER)}
    expected = {paused: "Paused", waiting: "Pending", new: "Pending"}
    if history:
        expected[cancelled] = "Failure"
    assert states == expected
    assert small.runtime.get(records.PAYLOAD + new) == b"new"


def test_a_job_that_cannot_be_kept_is_taken_back(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = make()

    def fail(save: Save, transaction: object) -> None:
        raise FullStorage

    monkeypatch.setattr(Save, "apply", fail)
    with pytest.raises(FullStorage):
        small.store.run(small.jobs.submit(USER, submission()))
    assert small.jobs.ids(USER) == []


def test_a_client_that_leaves_leaves_no_job_behind(make: Make) -> None:
    """Its job has been saved, but it has not heard of it."""
    small = make(kind="lmdb")

    async def leave() -> None:
        submitting = asyncio.ensure_future(small.jobs.submit(USER, submission()))
        async with asyncio.timeout(PATIENCE):
            while not saved(small, SAVED):
                await asyncio.sleep(0)
            submitting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await submitting
            while saved(small, SAVED):
                await asyncio.sleep(0)

    small.store.run(leave())
    small.restart()
    assert small.jobs.ids(USER) == []


def test_where_outputs_lie(tmp_path: Path) -> None:
    def folder(**given: Any) -> Path:
        return outputs_folder(Settings(storage_directory=tmp_path / "files", **given))

    assert folder().parent == tmp_path / "files"
    shared = {"temporary_directory": tmp_path / "temporary"}
    one, other = (folder(index_directory=tmp_path / name, **shared) for name in "ab")
    assert one.parent == other.parent == tmp_path / "temporary"
    assert one != other
