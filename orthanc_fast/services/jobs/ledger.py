"""The jobs within one transaction of the runtime state: each method is one move of a job from state
to state. Source: reference chapter 3, section 3.8.1."""

import msgspec

from orthanc_fast.errors import BadSequenceOfCalls, InternalError, OrthancError
from orthanc_fast.services.jobs import records
from orthanc_fast.services.jobs.contract import State
from orthanc_fast.services.jobs.history import History, completed_name
from orthanc_fast.services.jobs.records import (
    AWAITED,
    CANCEL,
    CONTENT,
    COUNTERS,
    FACTS,
    MADE,
    MEMORY,
    PAUSE,
    PAYLOAD,
    PROGRESS,
    RUNNING,
    STATUS,
    WISH,
    Facts,
    Progress,
    SavedJob,
    Status,
)
from orthanc_fast.services.store.script_notes import note

CANCELLED = 37
MOST_DEATHS = 3


class Ledger(History):
    """`is_queued` says that there is a job to be run now."""

    is_queued = False

    # Coming

    def add(self, job: str, facts: Facts, content: bytes, payload: bytes, slot: str | None) -> None:
        """A new job: to be run by any worker, or running in `slot` already."""
        counters = self.counters()
        counters.submitted += 1
        self._txn.set(COUNTERS, records.encode(counters))
        facts = msgspec.structs.replace(facts, sequence=counters.submitted)
        self._add(job, facts, content, payload)
        note(self._txn, "JobSubmitted", job)
        state = State.PENDING if slot is None else State.RUNNING
        status = Status(state, facts.created, facts.created, slot or "")
        self._put(job, facts, status)
        if slot is None:
            self._enqueue(job, facts)
        else:
            self._txn.set(f"{RUNNING}{slot}/{job}", b"")

    def bring_back(self, job: str, saved: SavedJob, payload: bytes) -> None:
        """A job that was saved in an earlier run of the server."""
        facts, status = saved.facts, saved.status
        self._add(job, facts, saved.content, payload)
        self._txn.set(PROGRESS + job, records.encode(saved.progress))
        if saved.memory is not None:
            self._txn.set(MEMORY + job, saved.memory)
        counters = self.counters()
        counters.submitted = max(counters.submitted, facts.sequence)
        if status.is_completed:
            counters.finished = max(counters.finished, status.order)
            counters.kept += 1
            self._txn.set(completed_name(status.order), job.encode())
        elif status.state != State.PAUSED:
            status.state, status.slot = State.PENDING, ""
            self._enqueue(job, facts)
        self._txn.set(COUNTERS, records.encode(counters))
        self._txn.set(STATUS + job, records.encode(status))
        self._forget_oldest()

    def _add(self, job: str, facts: Facts, content: bytes, payload: bytes) -> None:
        self._txn.set(FACTS + job, records.encode(facts))
        self._txn.set(CONTENT + job, content)
        self._txn.set(PAYLOAD + job, payload)

    def _enqueue(self, job: str, facts: Facts) -> None:
        self._txn.set(facts.place, job.encode())
        self.is_queued = True

    # Running

    def claim(self, slot: str) -> str | None:
        """The next job, which runs in `slot` now; None where none is to be run."""
        first = self._txn.first_below(records.QUEUE)
        if first is None:
            return None
        place, job = first[0], first[1].decode()
        self._txn.delete(place)
        self._txn.set(f"{RUNNING}{slot}/{job}", b"")
        status = self.status(job)
        assert status is not None
        status.state, status.slot, status.since = State.RUNNING, slot, records.now()
        status.error_code, status.error_details, status.error_payload = 0, "", None
        self._txn.delete(PROGRESS + job)
        self._txn.set(STATUS + job, records.encode(status))
        self.changed.add(job)
        return job

    def tell(self, job: str, progress: Progress, content: bytes | None) -> None:
        """What a running job has to say."""
        self._txn.set(PROGRESS + job, records.encode(progress))
        if content is not None:
            self._txn.set(CONTENT + job, content)
        self.changed.add(job)

    def remember(self, job: str, memory: bytes) -> None:
        self._txn.set(MEMORY + job, memory)
        if self.facts(job).is_saved:
            self.touched.add(job)

    def announce(self, job: str, made: bytes) -> None:
        self._txn.set(f"{MADE}{job}/{records.now():016d}", made)

    def succeed(self, job: str) -> None:
        """A running job is done, with its outputs."""
        status = self._leave(job)
        self._make_outputs_ready(job)
        self._txn.set(PROGRESS + job, records.encode(Progress(1, 1)))
        self._txn.delete(PAYLOAD + job)  # it is not run again
        status.state = State.SUCCESS
        note(self._txn, "JobSuccess", job)
        self._complete(job, status, is_counted=True)

    def fail(self, job: str, error: OrthancError) -> None:
        """A running job has failed; its outputs go."""
        status = self._leave(job)
        self._fail(job, status, error, is_counted=True)

    def stop(self, job: str) -> None:
        """A running job has stopped between two steps: as a client wants it, else because its
        process is about to end, then another one goes on with it."""
        wish = self._txn.get(WISH + job)
        status = self._leave(job)
        if wish == CANCEL or self.facts(job).is_local:
            self._fail(job, status, OrthancError(code=CANCELLED), is_counted=True)
            return
        self._remove_outputs(job)
        self._put_back(job, status, State.PAUSED if wish == PAUSE else State.PENDING)

    def bury(self, slot: str) -> None:
        """The process of this slot is gone, and nobody waits there any more."""
        begin = f"{RUNNING}{slot}/"
        for name, _ in self._txn.below(begin):
            self._outlive(name.removeprefix(begin))
        for name, waiting in self._txn.below(AWAITED):
            if waiting.decode() == slot:
                self._txn.delete(name)
        self._forget_oldest()

    def _outlive(self, job: str) -> None:
        """The worker that ran the job was killed."""
        facts, wish = self.facts(job), self._txn.get(WISH + job)
        status = self._leave(job)
        status.deaths += 1
        if wish == CANCEL:
            self._fail(job, status, OrthancError(code=CANCELLED), is_counted=True)
        elif facts.is_local:
            error = InternalError("The process that was sending the answer of this job has died")
            self._fail(job, status, error, is_counted=True)
        elif status.deaths > MOST_DEATHS:  # it could not even be given up
            self._fail(job, status, killer(), is_counted=True)
        else:
            self._remove_outputs(job)
            is_paused = wish == PAUSE and status.deaths < MOST_DEATHS
            self._put_back(job, status, State.PAUSED if is_paused else State.PENDING)

    def _leave(self, job: str) -> Status:
        """The job runs no more; what was wanted of it meanwhile is forgotten."""
        status = self.status(job)
        assert status is not None
        self._txn.delete(f"{RUNNING}{status.slot}/{job}")
        self._txn.delete(WISH + job)
        status.slot = ""
        status.spent = records.now() - status.begun
        return status

    def _put_back(self, job: str, status: Status, state: State) -> None:
        facts = self.facts(job)
        status.state, status.since = state, records.now()
        self._put(job, facts, status)
        if state == State.PENDING:
            self._enqueue(job, facts)

    # What clients want. Each says whether the job is there and may take this way.

    def cancel(self, job: str) -> bool:
        """Fails what is not completed; what runs when its next step begins."""
        status = self.status(job)
        if status is None:
            return False
        if status.state == State.RUNNING:
            self._txn.set(WISH + job, CANCEL)
        elif not status.is_completed:
            self._txn.delete(self.facts(job).place)
            self._fail(job, status, OrthancError(code=CANCELLED), is_counted=False)
        return True

    def pause(self, job: str) -> bool:
        """What is streamed to a client goes on: it could not continue later."""
        status = self.status(job)
        if status is None:
            return False
        facts = self.facts(job)
        if status.state == State.RUNNING and not facts.is_local:
            if self._txn.get(WISH + job) != CANCEL:
                self._txn.set(WISH + job, PAUSE)
        elif status.state == State.PENDING:
            self._txn.delete(facts.place)
            self._put_back(job, status, State.PAUSED)
        return True

    def resume(self, job: str) -> bool:
        status = self.status(job)
        if status is None or status.state != State.PAUSED:
            return False
        self._put_back(job, status, State.PENDING)
        return True

    def resubmit(self, job: str) -> bool:
        """Raises BadSequenceOfCalls for a kind that cannot be run again."""
        status = self.status(job)
        if status is None or status.state != State.FAILURE:
            return False
        facts = self.facts(job)
        if facts.is_local or not facts.may_be_resubmitted:
            raise BadSequenceOfCalls("Cannot resubmit the creation of an archive")
        self._take_off_history(status)
        self._txn.delete(MEMORY + job)
        status.begun = records.now()
        status.spent = status.deaths = status.order = 0
        self._put_back(job, status, State.PENDING)
        return True

    def delete(self, job: str) -> bool:
        """Only what is completed."""
        status = self.status(job)
        if status is None or not status.is_completed:
            return False
        self._take_off_history(status)
        self._forget(job)
        return True

    def withdraw(self, job: str) -> None:
        """Takes back a job that could not be kept."""
        self.cancel(job)
        self.delete(job)


def killer() -> OrthancError:
    """The error of a job that is not tried again."""
    return InternalError(f"The job has killed its worker {MOST_DEATHS} times")
