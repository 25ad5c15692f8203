"""What a kind of job is, and what the engine lends it while it runs.

A job is a request that is kept: its kind, a payload that the kind alone understands, and what the
client sees of it (`Content`). A job worker runs it by `Kind.run`, in a thread of its own. The
engine may run it again from the start, after a pause or when its worker was killed; what the kind
has remembered of its progress is there then. So each step is done such that doing it twice changes
nothing, and what must be the same in every run (new identifiers) is derived from the payload.

A kind is registered in `services/processes/jobs.py`; doors submit with `rest/job_submission.py`, or
do the work themselves between `Jobs.begin_here` and `succeed` or `fail`.
Source: reference chapter 3, sections 3.8 and 3.9.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from orthanc_fast.model import Caller


class State(StrEnum):
    """The states of a job, as they are written in JSON."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESS = "Success"
    FAILURE = "Failure"
    PAUSED = "Paused"
    RETRY = "Retry"


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the engine. `content` is what the client sees at once; `user_data` is any
    JSON as it was given. A job that `is_saved` outlives the server (`SaveJobs`)."""

    kind: str
    payload: bytes
    content: Mapping[str, Any]
    priority: int = 0
    user_data: msgspec.Raw | None = None
    is_saved: bool = True
    may_be_resubmitted: bool = True


class Stopped(Exception):
    """The job is to be paused or cancelled: raised by `Run.step`, passed on by the kind."""


class Run(ABC):
    """One run of a job, as its kind sees it. All methods may be called from any thread."""

    id: str
    payload: bytes
    caller: Caller  # who submitted it: origin and user of what it stores

    @abstractmethod
    def step(self, done: int, total: int) -> None:
        """Between two steps: tells the progress. Raises Stopped when the job is to be paused or
        cancelled. Cheap enough to be called for each instance."""

    @abstractmethod
    def tell(self, **content: Any) -> None:
        """Adds to what clients see as `Content`, at once, or replaces it, at most ten times a
        second. What is None is taken away."""

    @abstractmethod
    def remember(self, memory: bytes) -> None:
        """What `recalled` shall give when the job runs again, also after a restart of the
        server. For turning points (all is stored, now the sources go), not for each step."""

    @property
    @abstractmethod
    def recalled(self) -> bytes | None:
        """What was remembered last, None in a first run and after a resubmission."""

    @abstractmethod
    def announce(self, made: bytes) -> None:
        """Adds to what `announced` gives, also when the worker is killed next: for what is about to
        be made."""

    @property
    @abstractmethod
    def announced(self) -> bytes:
        """All that runs of this job have announced since the start of the server."""

    @abstractmethod
    def output(self, key: str, filename: str, media_type: str) -> Path:
        """Where to write the output that `/jobs/{id}/{key}` will give: an empty file, which the
        engine keeps when the job succeeds and removes when it does not."""


class Kind(ABC):
    """One kind of job. Its name is the `Type` that clients see."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, run: Run) -> None:
        """Does the work. An OrthancError becomes the error of the job; its details and payload are
        the job's."""

    def give_up(self, run: Run) -> None:
        """The job has killed its workers, and is not run again: tells what is there of it, if its
        content does not say so anyway."""
        return
