"""Jobs as clients see them. Source: reference chapter 3, section 3.8.3."""

from typing import Any

import msgspec

from orthanc_fast.error_codes import BY_CODE
from orthanc_fast.model import timestamp
from orthanc_fast.runtime.contract import Snapshot
from orthanc_fast.services.jobs import records
from orthanc_fast.services.jobs.contract import State
from orthanc_fast.services.jobs.records import CONTENT, FACTS, PROGRESS, STATUS, Progress, Status

_SECOND = 1_000_000
_LEAST_PROGRESS = 0.01  # below there is no telling when the job will end


class JobAnswer(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """`GET /jobs/{id}`. What may be missing is None."""

    CompletionTime: str | None = None
    Content: msgspec.Raw
    CreationTime: str
    EffectiveRuntime: float  # seconds
    ErrorCode: int
    ErrorDescription: str
    ErrorDetails: str
    ErrorPayload: msgspec.Raw | None = None
    EstimatedTimeOfArrival: str | None = None
    ID: str
    Priority: int
    Progress: int  # per cent
    State: State
    Timestamp: str
    Type: str
    UserData: msgspec.Raw | None = None


class JobEvent(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """What `/jobs/{id}/events` tells of a change: the members of `JobAnswer` that change."""

    ErrorCode: int
    ErrorDescription: str
    ErrorDetails: str
    EstimatedTimeOfArrival: str | None = None
    ID: str
    Progress: int
    State: State

    @property
    def is_last(self) -> bool:
        return self.State in (State.SUCCESS, State.FAILURE)


def describe(view: Snapshot, job: str) -> JobAnswer | None:
    """One job, None where there is no such job."""
    return _described(
        job,
        view.get(FACTS + job),
        view.get(STATUS + job),
        view.get(PROGRESS + job),
        view.get(CONTENT + job),
        records.now(),
    )


def describe_all(view: Snapshot) -> list[JobAnswer]:
    """All jobs, by ID."""
    statuses, progress, contents = (_by_job(view, table) for table in (STATUS, PROGRESS, CONTENT))
    now = records.now()
    found = (
        _described(job, facts, statuses.get(job), progress.get(job), contents.get(job), now)
        for job, facts in _by_job(view, FACTS).items()
    )
    return [each for each in found if each is not None]


def job_ids(view: Snapshot) -> list[str]:
    """The IDs of all jobs, in order."""
    return list(_by_job(view, STATUS))


def describe_event(view: Snapshot, job: str) -> JobEvent | None:
    """None where there is no such job."""
    raw, progress = view.get(STATUS + job), _progress(view.get(PROGRESS + job))
    if raw is None:
        return None
    status = records.status_of(raw)
    return JobEvent(
        ErrorCode=status.error_code,
        ErrorDescription=BY_CODE[status.error_code].text,
        ErrorDetails=status.error_details,
        EstimatedTimeOfArrival=_arrival(status, progress, records.now()),
        ID=job,
        Progress=_percent(progress),
        State=status.state,
    )


def describe_events(view: Snapshot) -> list[JobEvent]:
    """Of all jobs, in the order of their IDs."""
    found = (describe_event(view, job) for job in job_ids(view))
    return [event for event in found if event is not None]


def _described(
    job: str,
    facts_record: bytes | None,
    status_record: bytes | None,
    progress_record: bytes | None,
    content: bytes | None,
    now: int,
) -> JobAnswer | None:
    if facts_record is None or status_record is None or content is None:
        return None
    facts, status = records.facts_of(facts_record), records.status_of(status_record)
    progress = _progress(progress_record)
    return JobAnswer(
        CompletionTime=_instant(status.since) if status.is_completed else None,
        Content=msgspec.Raw(content),
        CreationTime=_instant(facts.created),
        EffectiveRuntime=_runtime(status, now),
        ErrorCode=status.error_code,
        ErrorDescription=BY_CODE[status.error_code].text,
        ErrorDetails=status.error_details,
        ErrorPayload=_raw(status.error_payload),
        EstimatedTimeOfArrival=_arrival(status, progress, now),
        ID=job,
        Priority=facts.priority,
        Progress=_percent(progress),
        State=status.state,
        Timestamp=_instant(now),
        Type=facts.kind,
        UserData=_raw(facts.user_data),
    )


def _by_job(view: Snapshot, table: str) -> dict[str, bytes]:
    skip = len(table)
    return {name[skip:]: value for name, value in view.below(table)}


def _raw(json: bytes | None) -> msgspec.Raw | None:
    return None if json is None else msgspec.Raw(json)


def _progress(record: bytes | None) -> Progress:
    return Progress() if record is None else records.progress_of(record)


def _percent(progress: Progress) -> int:
    return int(100 * progress.fraction + 0.5)


def _runtime(status: Status, now: int) -> float:
    """As Orthanc has it: with the time of waiting where the job has run, without it while it runs,
    and nothing where it has not."""
    if status.state == State.RUNNING:
        spent = now - status.since
    else:
        spent = 0 if status.state == State.PENDING else status.spent
    return max(spent, 0) // 1000 / 1000


def _arrival(status: Status, progress: Progress, now: int) -> str | None:
    """When the job will end if it goes on as it has come so far."""
    fraction = progress.fraction
    if status.state != State.RUNNING or fraction <= _LEAST_PROGRESS:
        return None
    return _instant(now + int((now - status.since) * (1 - fraction) / fraction))


def _instant(microseconds: int) -> str:
    """YYYYMMDDTHHMMSS.ffffff in UTC; a fraction of zero is left out."""
    second, fraction = divmod(microseconds, _SECOND)
    text = timestamp(second)
    return f"{text}.{fraction:06d}" if fraction else text


def content_json(content: Any) -> bytes:
    """The members in order, as Orthanc has them."""
    return msgspec.json.encode(content, order="sorted")
