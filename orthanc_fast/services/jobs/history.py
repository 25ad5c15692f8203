"""What is known of the jobs within one transaction of the runtime state, and what of it has to go:
completed jobs beyond `JobsHistorySize`, outputs beyond `MediaArchiveSize`. Source: reference
chapter 3, section 3.8.1."""

import msgspec

from orthanc_fast.error_codes import BY_CODE
from orthanc_fast.errors import OrthancError
from orthanc_fast.runtime.contract import Transaction
from orthanc_fast.services.jobs import records
from orthanc_fast.services.jobs.contract import State
from orthanc_fast.services.jobs.records import (
    AWAITED,
    COMPLETED,
    COUNTERS,
    FACTS,
    MADE,
    OUTPUTS,
    STATUS,
    Counters,
    Facts,
    Output,
    Status,
)
from orthanc_fast.services.store.script_notes import note


class Limits(msgspec.Struct, frozen=True):
    """`JobsHistorySize` and `MediaArchiveSize`."""

    history: int
    outputs: int


class History:
    """`touched` are the jobs whose saved copy is out of date now, `changed` those of which somebody
    may want to hear, `doomed` the files that nothing names any more."""

    def __init__(self, transaction: Transaction, limits: Limits) -> None:
        self._txn = transaction
        self._limits = limits
        self.changed: set[str] = set()
        self.touched: set[str] = set()
        self.doomed: list[str] = []

    # Looking

    def facts(self, job: str) -> Facts:
        """Of a job that exists."""
        found = self._txn.get(FACTS + job)
        assert found is not None
        return records.facts_of(found)

    def status(self, job: str) -> Status | None:
        """None where there is no such job."""
        found = self._txn.get(STATUS + job)
        return None if found is None else records.status_of(found)

    def counters(self) -> Counters:
        found = self._txn.get(COUNTERS)
        return Counters() if found is None else records.counters_of(found)

    # Outputs, and who waits

    def add_output(self, job: str, key: str, output: Output) -> None:
        self._txn.set(f"{OUTPUTS}{job}/{key}", records.encode(output))

    def use_output(self, job: str, key: str) -> Output | None:
        """An output of a successful job; it is not the next to go."""
        name = f"{OUTPUTS}{job}/{key}"
        found = self._txn.get(name)
        output = None if found is None else records.output_of(found)
        if output is None or not output.is_ready:
            return None
        output.used = records.now()
        self._txn.set(name, records.encode(output))
        return output

    def delete_output(self, job: str, key: str) -> bool:
        output = self.use_output(job, key)
        if output is None:
            return False
        self._txn.delete(f"{OUTPUTS}{job}/{key}")
        self.doomed.append(output.name)
        return True

    def wait_for(self, job: str, slot: str) -> None:
        """A client waits for the job: it is not forgotten before it has been told."""
        self._txn.set(AWAITED + job, slot.encode())

    def wait_no_more(self, job: str) -> None:
        if self._txn.delete(AWAITED + job):
            self._forget_oldest()

    # The end

    def _fail(self, job: str, status: Status, error: OrthancError, is_counted: bool) -> None:
        self._remove_outputs(job)
        status.state = State.FAILURE
        note(self._txn, "JobFailure", job)
        status.error_code, status.error_details = error.code, error.details or ""
        status.error_payload = None if error.payload is None else _json(error.payload)
        self._complete(job, status, is_counted)

    def _complete(self, job: str, status: Status, is_counted: bool) -> None:
        counters = self.counters()
        counters.finished += 1
        counters.kept += 1
        if is_counted and status.state == State.SUCCESS:
            counters.success += 1
        elif is_counted:
            counters.failed += 1
        self._txn.set(COUNTERS, records.encode(counters))
        status.order, status.since = counters.finished, records.now()
        self._txn.set(completed_name(status.order), job.encode())
        self._put(job, self.facts(job), status)
        self._remove_below(f"{MADE}{job}/")
        self._forget_oldest()

    def _put(self, job: str, facts: Facts, status: Status) -> None:
        self._txn.set(STATUS + job, records.encode(status))
        self.changed.add(job)
        if facts.is_saved:
            self.touched.add(job)

    def _take_off_history(self, status: Status) -> None:
        self._txn.delete(completed_name(status.order))
        counters = self.counters()
        counters.kept -= 1
        self._txn.set(COUNTERS, records.encode(counters))

    def _forget_oldest(self) -> None:
        """As many as are too many, in the order of their completion."""
        for _ in range(self.counters().kept - self._limits.history):
            job = self._oldest()
            if job is None:
                return
            status = self.status(job)
            assert status is not None
            self._take_off_history(status)
            self._forget(job)

    def _oldest(self) -> str | None:
        first = self._txn.first_below(COMPLETED)
        if first is None or not self._is_awaited(first[1].decode()):
            return None if first is None else first[1].decode()
        jobs = (value.decode() for _, value in self._txn.below(COMPLETED))
        return next((job for job in jobs if not self._is_awaited(job)), None)

    def _is_awaited(self, job: str) -> bool:
        return self._limits.history > 0 and self._txn.get(AWAITED + job) is not None

    def _forget(self, job: str) -> None:
        if self.facts(job).is_saved:
            self.touched.add(job)
        self.changed.add(job)
        self._remove_outputs(job)
        for name in records.OF_A_JOB:
            self._txn.delete(name + job)

    def _make_outputs_ready(self, job: str) -> None:
        """Those of a job that succeeds; it may be the turn of others to go."""
        used = records.now()
        for name, output in self._outputs(f"{OUTPUTS}{job}/"):
            output.is_ready, output.used = True, used
            self._txn.set(name, records.encode(output))
        self._remove_unused_outputs()

    def _remove_below(self, begin: str) -> None:
        for name, _ in self._txn.below(begin):
            self._txn.delete(name)

    def _outputs(self, begin: str) -> list[tuple[str, Output]]:
        return [(name, records.output_of(value)) for name, value in self._txn.below(begin)]

    def _remove_outputs(self, job: str) -> None:
        for name, output in self._outputs(f"{OUTPUTS}{job}/"):
            self._txn.delete(name)
            self.doomed.append(output.name)

    def _remove_unused_outputs(self) -> None:
        ready = [row for row in self._outputs(OUTPUTS) if row[1].is_ready]
        ready.sort(key=lambda row: row[1].used, reverse=True)
        for name, output in ready[self._limits.outputs :]:
            self._txn.delete(name)
            self.doomed.append(output.name)


def error_of(status: Status) -> OrthancError:
    """The error of a job that has failed."""
    code = status.error_code if status.error_code in BY_CODE else -1
    payload = None if status.error_payload is None else msgspec.json.decode(status.error_payload)
    return OrthancError(status.error_details or None, code=code, payload=payload)


def completed_name(order: int) -> str:
    """Under which the job is found that was completed as the `order`th."""
    return f"{COMPLETED}{order:016d}"


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")
