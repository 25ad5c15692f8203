"""What is kept of a job, and under which names in the runtime state.

What never changes (`Facts`) is apart from what does (`Status`), and from what changes often
(`Progress`), so that a list of a thousand jobs is read at once and a step costs a small write. The
payload has a name of its own, which no list reads. Instants are microseconds since the epoch, UTC.
"""

import time
from typing import Final

import msgspec

from orthanc_fast.model import Caller
from orthanc_fast.services.jobs.contract import State

FACTS: Final = "jobs/facts/"
STATUS: Final = "jobs/status/"
PROGRESS: Final = "jobs/progress/"
CONTENT: Final = "jobs/content/"  # JSON
PAYLOAD: Final = "jobs/payload/"
MEMORY: Final = "jobs/memory/"
WISH: Final = "jobs/wish/"  # what the client wants of a running job
OUTPUTS: Final = "jobs/outputs/"  # <id>/<key>
MADE: Final = "jobs/made/"  # <id>/<instant>: what the job is about to make, some at a time
QUEUE: Final = "jobs/queue/"  # those to be run, in this order
RUNNING: Final = "jobs/running/"  # <slot>/<id>
AWAITED: Final = "jobs/awaited/"  # <id>: the slot of the process whose client waits for it
COMPLETED: Final = "jobs/completed/"  # those that are completed, in this order
COUNTERS: Final = "jobs/counters"

OF_A_JOB: Final = (FACTS, STATUS, PROGRESS, CONTENT, PAYLOAD, MEMORY, WISH, AWAITED)

PAUSE: Final = b"pause"
CANCEL: Final = b"cancel"

QUEUED: Final = "jobs-queue"  # the topic that rings when there is a job to be run

_HIGHEST: Final = 1 << 31


def topic(job: str) -> str:
    """What rings when something about a job changes."""
    return f"job/{job}"


def now() -> int:
    return time.time_ns() // 1000


class Facts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of a submission."""

    kind: str
    priority: int
    sequence: int  # in the order of submission
    created: int
    caller: Caller
    is_saved: bool = True
    may_be_resubmitted: bool = True
    user_data: bytes | None = None  # JSON
    is_local: bool = False  # run by the process that submitted it, and by no other

    @property
    def place(self) -> str:
        """Its name in the queue: the highest priority, then the oldest, comes first."""
        return f"{QUEUE}{_HIGHEST - self.priority:010d}/{self.sequence:016d}"


class Status(msgspec.Struct, array_like=True, gc=False):
    """`begun` is the instant of the submission, or of the last resubmission; `since` that of the
    last change of state."""

    state: State
    begun: int
    since: int
    slot: str = ""  # of the process that runs it
    spent: int = 0  # microseconds from `begun` until it ran for the last time
    order: int = 0  # in which jobs were completed
    deaths: int = 0  # of workers that ran it
    error_code: int = 0
    error_details: str = ""
    error_payload: bytes | None = None  # JSON

    @property
    def is_completed(self) -> bool:
        return self.state in (State.SUCCESS, State.FAILURE)


class Progress(msgspec.Struct, array_like=True, gc=False):
    done: int = 0
    total: int = 0

    @property
    def fraction(self) -> float:
        return min(max(self.done / self.total, 0.0), 1.0) if self.total > 0 else 0.0


class Output(msgspec.Struct, array_like=True, gc=False):
    """A file of a job, in the folder of outputs."""

    name: str
    filename: str  # that a client is proposed
    media_type: str
    is_ready: bool = False
    used: int = 0  # when it was made or last asked for


class Counters(msgspec.Struct, array_like=True, gc=False):
    """`kept`: completed jobs that are remembered. The others count since the start."""

    submitted: int = 0
    finished: int = 0
    kept: int = 0
    success: int = 0
    failed: int = 0


class SavedJob(msgspec.Struct, array_like=True, gc=False):
    """A job as the index keeps it; the payload is a property of its own."""

    facts: Facts
    status: Status
    progress: Progress
    content: bytes
    memory: bytes | None = None


encode: Final = msgspec.msgpack.Encoder().encode
facts_of: Final = msgspec.msgpack.Decoder(Facts).decode
status_of: Final = msgspec.msgpack.Decoder(Status).decode
progress_of: Final = msgspec.msgpack.Decoder(Progress).decode
output_of: Final = msgspec.msgpack.Decoder(Output).decode
counters_of: Final = msgspec.msgpack.Decoder(Counters).decode
saved_job_of: Final = msgspec.msgpack.Decoder(SavedJob).decode
