"""Jobs that outlive the server: what was saved comes back before the workers start. Source:
reference chapter 3, section 3.8.4."""

from collections.abc import Mapping

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.index.contract import Index, Transaction
from orthanc_fast.log import Category, logger
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.services.jobs import records
from orthanc_fast.services.jobs.outputs import empty_outputs
from orthanc_fast.services.jobs.records import SavedJob
from orthanc_fast.services.jobs.registry import (
    SAVED,
    SAVED_PAYLOAD,
    Registry,
    Save,
    saved_copies,
)


class SavedJobs:
    """The jobs as the process that watches over the workers has them."""

    def __init__(self, settings: Settings, index: Index, runtime: Runtime) -> None:
        self._settings = settings
        self._index = index
        self._registry = Registry(runtime, settings)

    def bring_back(self) -> None:
        """Before any worker runs. With `--no-jobs` they are forgotten instead. Raises StorageFault
        or FullStorage."""
        empty_outputs(self._settings)
        saved = self._index.read(lambda view: view.properties(SAVED))
        if not self._settings.reload_jobs:
            if self._settings.save_jobs:
                self._forget(saved)
            return
        # Those that were completed first are the first to be forgotten. Payloads may be large: one
        # at a time is in memory.
        for job, each in sorted(_decoded(saved).items(), key=lambda row: row[1].status.order):
            self._bring_back(job, each)

    def _bring_back(self, job: str, saved: SavedJob) -> None:
        payload = self._index.read(lambda view: view.property(SAVED_PAYLOAD + job)) or b""
        _, save = self._registry.change(lambda ledger: ledger.bring_back(job, saved, payload))
        self._keep(save)

    def recover_slot(self, slot: str) -> None:
        """After a worker died: what it ran is put back into the queue, or fails."""
        self._keep(self._registry.change(lambda ledger: ledger.bury(slot))[1])
        if self._settings.save_jobs:
            self._catch_up()

    def _catch_up(self) -> None:
        """The worker may have moved jobs, and died before it saved that: they must not come back
        as they were, after a restart."""
        saved = self._index.read(lambda view: view.properties(SAVED))
        known = self._registry.runtime.read(saved_copies)
        stale = {job for job, copy in known.items() if saved.get(SAVED + job) != copy}
        gone = _decoded(saved).keys() - known.keys()
        save = Save(self._registry.runtime, stale | gone)
        save.include_payload(0)
        if stale or gone:
            self._index.write(save.apply)

    def _keep(self, save: Save | None) -> None:
        if save is not None:
            self._index.write(save.apply)

    def _forget(self, saved: Mapping[str, bytes]) -> None:
        def work(transaction: Transaction) -> None:
            for name in saved:
                transaction.set_property(name, None)
                transaction.set_property(SAVED_PAYLOAD + name.removeprefix(SAVED), None)

        if saved:
            self._index.write(work)


def _decoded(saved: Mapping[str, bytes]) -> dict[str, SavedJob]:
    found = {}
    for name, value in saved.items():
        try:
            found[name.removeprefix(SAVED)] = records.saved_job_of(value)
        except msgspec.DecodeError as error:  # of another version
            logger.warning(Category.JOBS, f"A saved job cannot be read: {name}: {error}")
    return found
