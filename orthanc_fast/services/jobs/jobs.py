"""Jobs as every process submits, watches and changes them. Source: reference chapter 3, section
3.8."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import InexistentItem, InternalError, OrthancError
from orthanc_fast.model import SERVER, Caller, SendablePath
from orthanc_fast.runtime.bell import RECHECK, Ear
from orthanc_fast.runtime.contract import Runtime, Snapshot
from orthanc_fast.services.jobs import records
from orthanc_fast.services.jobs.contract import State, Submission
from orthanc_fast.services.jobs.describe import (
    JobAnswer,
    JobEvent,
    content_json,
    describe,
    describe_all,
    describe_event,
    describe_events,
    job_ids,
)
from orthanc_fast.services.jobs.history import error_of
from orthanc_fast.services.jobs.ledger import Ledger
from orthanc_fast.services.jobs.records import Counters, Facts
from orthanc_fast.services.jobs.registry import Registry, Save, save_in_thread
from orthanc_fast.services.jobs.runs import LocalRun
from orthanc_fast.services.store.visibility import restricted
from orthanc_fast.services.store.writes import Writes

T = TypeVar("T")

ToldError = Callable[[OrthancError, bytes], OrthancError]

_NO_HISTORY = 'Cannot retrieve the status of the job, make sure that "JobsHistorySize" is not 0'


class Download(msgspec.Struct, frozen=True):
    """A file that a job has made."""

    path: Path
    size: int  # in bytes
    filename: str  # to be proposed to the client
    media_type: str

    @property
    def sendable(self) -> SendablePath:
        """For a door that can send a file by itself."""
        return SendablePath(str(self.path))


class Figures(msgspec.Struct, frozen=True):
    """How many jobs there are, and have been since the start."""

    pending: int
    running: int
    success: int
    failed: int


class Jobs:
    """`slot` is the stable name of this process. Coroutines belong to its event loop, all else may
    be called from any thread."""

    def __init__(self, runtime: Runtime, writes: Writes, settings: Settings, slot: str) -> None:
        self._registry = Registry(runtime, settings)
        self._runtime = runtime
        self._writes = writes
        self._slot = slot
        self._ear = Ear(runtime.bell)
        self._is_ending = False

    # Submitting

    async def submit(self, caller: Caller, submission: Submission) -> str:
        """Queues a job, and returns its ID when it is durable, where jobs of its kind are."""
        job, save = self._add(caller, submission)
        await self._keep(job, save)
        return job

    def submit_in_thread(self, caller: Caller, submission: Submission) -> str:
        """As `submit`, for threads of a process whose writes have no event loop."""
        job, save = self._add(caller, submission)
        try:
            save_in_thread(self._writes, save)
        except BaseException:
            self._withdraw(job)
            raise
        return job

    async def run(
        self, caller: Caller, submission: Submission, told: ToldError = lambda error, content: error
    ) -> msgspec.Raw:
        """Queues a job, waits until it is completed, and returns its content as JSON.

        Raises the error of the job, as `told` makes it of that error and the content of the job;
        InexistentItem where completed jobs are not remembered.
        """
        job, save = self._add(caller, submission, is_awaited=True)
        try:
            await self._keep(job, save)
            return await self._completed(job, told)
        finally:
            self._registry.change(lambda ledger: ledger.wait_no_more(job))

    def begin_here(self, caller: Caller, submission: Submission) -> LocalRun:
        """A job that this process itself does, beginning now; it is never saved. Whoever calls this
        ends it with `succeed` or `fail`."""
        submission = msgspec.structs.replace(submission, is_saved=False)
        job, _ = self._add(caller, submission, is_local=True)
        return LocalRun(self._registry, job, lambda save: None)

    def _add(
        self,
        caller: Caller,
        submission: Submission,
        is_awaited: bool = False,
        is_local: bool = False,
    ) -> tuple[str, Save | None]:
        job = str(uuid4())
        facts = Facts(
            kind=submission.kind,
            priority=submission.priority,
            sequence=0,
            created=records.now(),
            caller=caller,
            is_saved=submission.is_saved,
            may_be_resubmitted=submission.may_be_resubmitted,
            user_data=_sorted(submission.user_data),
            is_local=is_local,
        )
        content = content_json(submission.content)

        def work(ledger: Ledger) -> None:
            slot = self._slot if is_local else None
            ledger.add(job, facts, content, submission.payload, slot)
            if is_awaited:
                ledger.wait_for(job, self._slot)

        _, save = self._registry.change(work)
        if save is not None:
            save.include_payload(len(submission.payload))
        return job, save

    async def _keep(self, job: str, save: Save | None) -> None:
        if save is None:
            return
        try:
            await self._writes(SERVER, save)
        except BaseException:
            self._withdraw(job)
            raise

    def _withdraw(self, job: str) -> None:
        """Takes back a job of which the client was not told. It may have been saved all the same,
        as when the client left meanwhile; nobody waits until that is undone."""
        _, save = self._registry.change(lambda ledger: ledger.withdraw(job))
        if save is not None:
            self._writes.submit(SERVER, save, Future())

    async def _completed(self, job: str, told: ToldError) -> msgspec.Raw:
        topic = records.topic(job)
        while True:
            heard = self._runtime.bell.heard(topic)
            record = self._runtime.get(records.STATUS + job)
            if record is None:
                raise InexistentItem(_NO_HISTORY)
            status = records.status_of(record)
            if status.is_completed:
                content = self._runtime.get(records.CONTENT + job) or b"{}"
                if status.state == State.FAILURE:
                    raise told(error_of(status), content)
                return msgspec.Raw(content)
            if self._is_ending:
                raise InternalError("The server is stopping: see the job when it is there again")
            await self._ear.wait(topic, heard, RECHECK)

    # Watching

    def ids(self, caller: Caller) -> list[str]:
        """Of all jobs that the caller sees, in order."""
        return self._runtime.read(
            lambda view: [
                job for job in job_ids(view) if not caller.is_limited or _is_seen(view, caller, job)
            ]
        )

    def all(self, caller: Caller) -> list[JobAnswer]:
        """All jobs that the caller sees, by ID."""
        return self._runtime.read(
            lambda view: [
                each
                for each in describe_all(view)
                if not caller.is_limited or _is_seen(view, caller, each.ID)
            ]
        )

    def get(self, caller: Caller, job: str) -> JobAnswer | None:
        """None where there is no such job."""
        return self._runtime.read(
            lambda view: describe(view, job) if _is_seen(view, caller, job) else None
        )

    def event(self, caller: Caller, job: str) -> JobEvent | None:
        """What of a job changes, as it is now; None where there is no such job."""
        return self._runtime.read(
            lambda view: describe_event(view, job) if _is_seen(view, caller, job) else None
        )

    def events(self, caller: Caller) -> list[JobEvent]:
        """What of all jobs that the caller sees changes, as it is now."""
        return self._runtime.read(
            lambda view: [
                each
                for each in describe_events(view)
                if not caller.is_limited or _is_seen(view, caller, each.ID)
            ]
        )

    def heard(self, job: str) -> int:
        """Changes when the job does; to be asked before one looks whether to wait."""
        return self._runtime.bell.heard(records.topic(job))

    async def changed(self, job: str, heard: int) -> None:
        """Returns when the job has changed since `heard`, or for no reason, within a second."""
        await self._ear.wait(records.topic(job), heard, RECHECK)

    @property
    def is_ending(self) -> bool:
        """The process is about to end: whoever waits shall come to an end."""
        return self._is_ending

    def stop_waiting(self) -> None:
        """Ends all waiting of this process."""
        self._is_ending = True

    def figures(self, caller: Caller) -> Figures:
        """Paused jobs count as running, as Orthanc counts them; those that were cancelled before
        they ran are in none of the sums."""
        return self._runtime.read(restricted(caller, _figures))

    # Changing. Each says whether there is such a job and may take this way.

    async def cancel(self, caller: Caller, job: str) -> bool:
        """Fails a job with code 37; one that runs when its next step begins."""
        return await self._change(caller, job, Ledger.cancel)

    async def pause(self, caller: Caller, job: str) -> bool:
        """A job that runs pauses when its next step begins."""
        return await self._change(caller, job, Ledger.pause)

    async def resume(self, caller: Caller, job: str) -> bool:
        """Queues a job that is paused."""
        return await self._change(caller, job, Ledger.resume)

    async def resubmit(self, caller: Caller, job: str) -> bool:
        """Queues a job that has failed. Raises BadSequenceOfCalls where its kind forbids it."""
        return await self._change(caller, job, Ledger.resubmit)

    async def delete(self, caller: Caller, job: str) -> None:
        """Forgets a completed job, and removes what it has made. Raises InexistentItem."""
        if not await self._change(caller, job, Ledger.delete):
            raise InexistentItem(f"No job found with this id: {job}")

    def output(self, caller: Caller, job: str, key: str) -> Download:
        """What a successful job has made. Raises InexistentItem."""
        output = None
        if _is_name(key) and self._is_seen(caller, job):
            output, _ = self._registry.change(lambda ledger: ledger.use_output(job, key))
        if output is None:
            raise _no_output(key)
        path = self._registry.folder / output.name
        try:
            size = path.stat().st_size
        except FileNotFoundError as error:  # it has just had to go
            raise _no_output(key) from error
        return Download(path, size, output.filename, output.media_type)

    def delete_output(self, caller: Caller, job: str, key: str) -> None:
        """Raises InexistentItem."""
        is_gone = False
        if _is_name(key) and self._is_seen(caller, job):
            is_gone, _ = self._registry.change(lambda ledger: ledger.delete_output(job, key))
        if not is_gone:
            raise _no_output(key)

    async def _change(self, caller: Caller, job: str, move: Callable[[Ledger, str], bool]) -> bool:
        if not self._is_seen(caller, job):
            return False
        is_done, save = self._registry.change(lambda ledger: move(ledger, job))
        if save is not None:
            await self._writes(SERVER, save)
        return is_done

    def _is_seen(self, caller: Caller, job: str) -> bool:
        return self._runtime.read(lambda view: _is_seen(view, caller, job))


def _is_seen(view: Snapshot, caller: Caller, job: str) -> bool:
    """Whether there is such a job for the caller: who sees some studies only has his own jobs, and
    who came by a share link none. What he has made while he saw more is no longer for him."""
    if not _is_name(job):
        return False
    if not caller.is_limited:
        return True
    facts = view.get(records.FACTS + job)
    if facts is None or caller.user is None or caller.labels is None or caller.study is not None:
        return False
    maker = records.facts_of(facts).caller
    return maker.user == caller.user and maker.labels is not None and maker.labels <= caller.labels


def _is_name(text: str) -> bool:
    """Whether clients may mean a job by it: names in the runtime state are short."""
    return 0 < len(text.encode()) <= 100 and "/" not in text


def _no_output(key: str) -> InexistentItem:
    return InexistentItem(f"Job has no such output: {key}")


def _sorted(json: msgspec.Raw | None) -> bytes | None:
    """Any JSON with its members in order, as Orthanc has them; null is nothing."""
    value = None if json is None else msgspec.json.decode(json)
    return None if value is None else content_json(value)


def _figures(view: Snapshot) -> Figures:
    counters = view.get(records.COUNTERS)
    total = Counters() if counters is None else records.counters_of(counters)
    states = [records.status_of(value).state for _, value in view.below(records.STATUS)]
    return Figures(
        pending=states.count(State.PENDING) + states.count(State.RETRY),
        running=states.count(State.RUNNING) + states.count(State.PAUSED),
        success=total.success,
        failed=total.failed,
    )
