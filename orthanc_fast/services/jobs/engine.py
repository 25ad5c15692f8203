"""What a job worker does: it takes one job after the other, and runs it by its kind."""

import time
from collections.abc import Callable, Mapping

from orthanc_fast.errors import NotImplementedYet, OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.runtime.bell import RECHECK
from orthanc_fast.services.jobs import records
from orthanc_fast.services.jobs.contract import Kind
from orthanc_fast.services.jobs.ledger import killer
from orthanc_fast.services.jobs.registry import Registry, Save, save_in_thread
from orthanc_fast.services.jobs.runs import AGAIN, JobRun, log_fault, log_late
from orthanc_fast.services.store.writes import Writes


class Engine:
    """Runs jobs in the thread that calls `serve`. `kinds` opens what a kind needs when the first
    job of it comes."""

    def __init__(
        self,
        registry: Registry,
        writes: Writes,
        kinds: Mapping[str, Callable[[], Kind]],
        slot: str,
    ) -> None:
        self._registry = registry
        self._writes = writes
        self._kinds = kinds
        self._opened: dict[str, Kind] = {}
        self._slot = slot
        self._is_ending = False

    def serve(self) -> None:
        """Returns after `stop`, when the job of that moment is completed or put back."""
        bell = self._registry.runtime.bell
        while not self._is_ending:
            heard = bell.heard(records.QUEUED)
            job = self._claim()
            if job is not None:
                self._run(job)
            elif not self._is_ending:
                bell.wait(records.QUEUED, heard, RECHECK)

    def stop(self) -> None:
        """From any thread, or from a signal: the job that runs ends with its next step."""
        self._is_ending = True
        self._registry.runtime.bell.ring(records.QUEUED)

    def _claim(self) -> str | None:
        # Looking is not writing, which would keep others waiting and ring the bell for nothing.
        if self._registry.runtime.read(lambda view: view.first_below(records.QUEUE)) is None:
            return None
        return self._registry.change(lambda ledger: ledger.claim(self._slot))[0]

    def _run(self, job: str) -> None:
        run = JobRun(self._registry, job, self._save, lambda: self._is_ending)
        error: BaseException | None = None
        try:
            kind = self._kind(run.kind)
            if run.is_given_up:
                kind.give_up(run)
                raise killer()
            kind.run(run)
        except Exception as failure:  # whatever a kind fails with ends its job, not the worker
            error = failure
            log_fault(job, run.kind, error)
        try:
            self._save(self._ended(run, error))
        except OrthancError as failure:  # its saved copy says that it is to be run again
            logger.error(Category.JOBS, f"The end of the job {job} cannot be saved: {failure}")

    def _ended(self, run: JobRun, error: BaseException | None) -> Save | None:
        """Tries again for as long as it cannot be told."""
        while True:
            try:
                return run.end(error)
            except OrthancError as failure:
                log_late(run.id, failure)
                if self._is_ending:  # all jobs that run are put back at the next start
                    return None
                time.sleep(AGAIN)

    def _kind(self, name: str) -> Kind:
        found = self._opened.get(name)
        if found is None:
            make = self._kinds.get(name)
            if make is None:
                raise NotImplementedYet(f"This version knows no jobs of the type {name}")
            found = self._opened[name] = make()
        return found

    def _save(self, save: Save | None) -> None:
        save_in_thread(self._writes, save)
