"""The jobs of the whole server, in the runtime state, and their copies in the index."""

import concurrent.futures
import contextlib
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from orthanc_fast.config import Settings
from orthanc_fast.index.contract import Transaction as IndexTransaction
from orthanc_fast.index.contract import Write
from orthanc_fast.model import SERVER
from orthanc_fast.runtime.contract import Runtime, Snapshot, Transaction
from orthanc_fast.services.jobs import records
from orthanc_fast.services.jobs.contract import State
from orthanc_fast.services.jobs.history import Limits
from orthanc_fast.services.jobs.ledger import Ledger
from orthanc_fast.services.jobs.outputs import outputs_folder
from orthanc_fast.services.jobs.records import Progress, SavedJob
from orthanc_fast.services.store.writes import Writes

T = TypeVar("T")

SAVED = "job/"  # properties of the index
SAVED_PAYLOAD = "job-payload/"

_QUICK = 64 << 10  # bytes of payload that an event loop may write itself


class Registry:
    """Changes jobs and tells who waits for them. It does not save: `Save` does."""

    def __init__(self, runtime: Runtime, settings: Settings) -> None:
        self.runtime = runtime
        self.folder = outputs_folder(settings)
        self._limits = Limits(settings.jobs_history_size, settings.media_archive_size)
        self._is_saving = settings.save_jobs

    def change(self, work: Callable[[Ledger], T]) -> tuple[T, "Save | None"]:
        """What `work` returns, and what is to be saved now. Raises what `work` raises, then nothing
        is changed; StorageFault, FullStorage."""
        ledger: Ledger

        def run(transaction: Transaction) -> T:
            nonlocal ledger
            ledger = Ledger(transaction, self._limits)
            return work(ledger)

        result = self.runtime.write(run)
        bell = self.runtime.bell
        bell.ring(*map(records.topic, ledger.changed))
        if ledger.is_queued:
            bell.ring(records.QUEUED)
        remove_files(self.folder, ledger.doomed)
        is_saved = self._is_saving and ledger.touched
        return result, Save(self.runtime, ledger.touched) if is_saved else None


class Save(Write[None]):
    """Brings the saved copies of jobs up to date with the registry, whatever has happened to them
    since: saves that overtake each other do no harm."""

    def __init__(self, runtime: Runtime, jobs: Collection[str]) -> None:
        self._runtime = runtime
        self._jobs = jobs
        self._with_payload = False
        self._payload_size = 0

    def include_payload(self, size: int) -> None:
        """Of a new job: payloads never change. `size` is in bytes."""
        self._with_payload = True
        self._payload_size = size

    @property
    def is_quick(self) -> bool:
        return self._payload_size <= _QUICK

    def apply(self, transaction: IndexTransaction) -> None:
        found = self._runtime.read(
            lambda view: [
                (job, saved_copy(view, job), self._payload(view, job)) for job in self._jobs
            ]
        )
        for job, saved, payload in found:
            copy = None if saved is None else records.encode(saved)
            transaction.set_property(SAVED + job, copy)
            if saved is None or saved.status.state == State.SUCCESS:
                transaction.set_property(SAVED_PAYLOAD + job, None)
            elif payload is not None:
                transaction.set_property(SAVED_PAYLOAD + job, payload)

    def _payload(self, view: Snapshot, job: str) -> bytes | None:
        return view.get(records.PAYLOAD + job) if self._with_payload else None


def saved_copy(view: Snapshot, job: str) -> SavedJob | None:
    """None for a job that is forgotten."""
    facts, status = view.get(records.FACTS + job), view.get(records.STATUS + job)
    if facts is None or status is None:
        return None
    progress = view.get(records.PROGRESS + job)
    return SavedJob(
        records.facts_of(facts),
        records.status_of(status),
        Progress() if progress is None else records.progress_of(progress),
        view.get(records.CONTENT + job) or b"{}",
        view.get(records.MEMORY + job),
    )


def saved_copies(view: Snapshot) -> dict[str, bytes]:
    """What is to be saved of all jobs that are saved, by their IDs."""
    found = {}
    for name, facts in view.below(records.FACTS):
        job = name.removeprefix(records.FACTS)
        copy = saved_copy(view, job) if records.facts_of(facts).is_saved else None
        if copy is not None:
            found[job] = records.encode(copy)
    return found


def save_in_thread(writes: Writes, save: Save | None) -> None:
    """Returns when it is durable; for threads of a process without an event loop of writes. Raises
    what the write fails with."""
    if save is not None:
        promise: concurrent.futures.Future[Any] = concurrent.futures.Future()
        writes.submit(SERVER, save, promise)
        promise.result()


def remove_files(folder: Path, names: Collection[str]) -> None:
    """Those that are there."""
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(folder / name)
