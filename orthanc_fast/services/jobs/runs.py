"""One run of a job: what its kind is given."""

import asyncio
import os
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from orthanc_fast.errors import DISK_FULL, FullStorage, InternalError, OrthancError, StorageFault
from orthanc_fast.log import Category, logger
from orthanc_fast.services.jobs import records
from orthanc_fast.services.jobs.contract import Run, Stopped
from orthanc_fast.services.jobs.describe import content_json
from orthanc_fast.services.jobs.ledger import MOST_DEATHS, Ledger
from orthanc_fast.services.jobs.records import Output, Progress
from orthanc_fast.services.jobs.registry import Registry, Save

AGAIN: Final = 1.0  # seconds until it is tried again to tell the end of a job

_PERIOD: Final = 0.1  # seconds between two writes of what a job tells


class JobRun(Run):
    """A job that is running in this process. `save` waits until something is durable; `is_ending`
    says whether the process is about to end."""

    def __init__(
        self,
        registry: Registry,
        job: str,
        save: Callable[[Save | None], None],
        is_ending: Callable[[], bool] = lambda: False,
    ) -> None:
        self.id = job
        self._registry = registry
        self._save = save
        self._is_ending = is_ending
        self._lock = threading.Lock()
        get = registry.runtime.get
        facts, status = get(records.FACTS + job), get(records.STATUS + job)
        assert facts is not None and status is not None
        self.caller = records.facts_of(facts).caller
        self.kind = records.facts_of(facts).kind
        self.is_given_up = records.status_of(status).deaths >= MOST_DEATHS
        self.payload = get(records.PAYLOAD + job) or b""
        self._memory = get(records.MEMORY + job)
        self._content: dict[str, Any] = msgspec.json.decode(get(records.CONTENT + job) or b"{}")
        self._progress = Progress()
        self._has_news = False
        self._told_at = 0.0

    def step(self, done: int, total: int) -> None:
        self._progress = Progress(done, total)
        if self._registry.runtime.get(records.WISH + self.id) is not None or self._is_ending():
            self.flush()
            raise Stopped
        self._tell_now_and_then()

    def tell(self, **content: Any) -> None:
        told = {name: value for name, value in content.items() if value is not None}
        with self._lock:
            is_new = not told.keys() <= self._content.keys()
            for name in content.keys() - told.keys():
                self._content.pop(name, None)
            self._content.update(told)
            self._has_news = True
        if is_new:  # where the result is must be known also of a job that is killed
            self.flush()
        else:
            self._tell_now_and_then()

    def remember(self, memory: bytes) -> None:
        self._memory = memory
        self._save(self._change(lambda ledger: ledger.remember(self.id, memory)))

    @property
    def recalled(self) -> bytes | None:
        return self._memory

    def announce(self, made: bytes) -> None:
        self._change(lambda ledger: ledger.announce(self.id, made))

    @property
    def announced(self) -> bytes:
        begin = f"{records.MADE}{self.id}/"
        return b"".join(
            made for _, made in self._registry.runtime.read(lambda view: view.below(begin))
        )

    def output(self, key: str, filename: str, media_type: str) -> Path:
        output = Output(f"{self.id}.{key}", filename, media_type)
        self._change(lambda ledger: ledger.add_output(self.id, key, output))
        path = self._registry.folder / output.name
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        except OSError as error:
            kind = FullStorage if error.errno in DISK_FULL else StorageFault
            raise kind("cannot write the output of a job", private=error) from error
        return path

    def _tell_now_and_then(self) -> None:
        if time.monotonic() - self._told_at >= _PERIOD:
            self.flush()

    def flush(self) -> None:
        """Tells what has not been told yet."""
        with self._lock:
            self._told_at = time.monotonic()
            content = content_json(self._content) if self._has_news else None
            progress = self._progress
            self._change(lambda ledger: ledger.tell(self.id, progress, content))
            self._has_news = False

    def end(self, error: BaseException | None) -> Save | None:
        """The job is over, or has stopped: what is to be saved."""
        self.flush()
        return self._change(lambda ledger: _end(ledger, self.id, error))

    def _change(self, work: Callable[[Ledger], None]) -> Save | None:
        return self._registry.change(work)[1]


class LocalRun(JobRun):
    """A job that is done by the process that submitted it, as an archive that is sent while it is
    made. Whoever began it must end it, in the event loop of the process."""

    def succeed(self, **content: Any) -> None:
        """The job is done; `content` is told as by `tell`."""
        with self._lock:
            self._content.update(content)
            self._has_news = True
        self._tell_end(None)

    def fail(self, error: BaseException) -> None:
        """The job ended with this error; Stopped: it was cancelled."""
        self._tell_end(error)

    def _tell_end(self, error: BaseException | None) -> None:
        try:
            self.end(error)
        except OrthancError as failure:
            log_late(self.id, failure)
            # If the process ends before, the job is found among those that it ran.
            asyncio.get_running_loop().call_later(AGAIN, self._tell_end, error)


def _end(ledger: Ledger, job: str, error: BaseException | None) -> None:
    if error is None:
        ledger.succeed(job)
    elif isinstance(error, Stopped):
        ledger.stop(job)
    elif isinstance(error, OrthancError):
        ledger.fail(job, error)
    else:
        ledger.fail(job, InternalError())


def log_late(job: str, failure: OrthancError) -> None:
    """The end of a job could not be told, because the disk is full: it is tried `AGAIN`. A job that
    nobody runs must not be taken for one that runs."""
    logger.error(Category.JOBS, f"The end of the job {job} cannot be told yet: {failure}")


def log_fault(job: str, kind: str, error: BaseException) -> None:
    """One line for what the kind foresaw, the place for what it did not."""
    if isinstance(error, OrthancError):
        logger.error(Category.JOBS, f"The job {job} ({kind}) has failed: {error}")
    elif not isinstance(error, Stopped):
        text = "".join(traceback.format_exception(error)).rstrip()
        logger.error(Category.JOBS, f"The job {job} ({kind}) has failed: {text}")
