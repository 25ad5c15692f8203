"""Jobs without server and processes: a small store, and job workers that are threads."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from support.small_store import USER, SmallStore

from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.jobs.contract import Kind, Run, Submission
from orthanc_fast.services.jobs.describe import JobAnswer
from orthanc_fast.services.jobs.engine import Engine
from orthanc_fast.services.jobs.jobs import Jobs
from orthanc_fast.services.jobs.registry import Registry
from orthanc_fast.services.jobs.saved import SavedJobs
from orthanc_fast.services.store.file_effects import FileEffects
from orthanc_fast.services.store.writes import Writes

PATIENCE = 20.0  # seconds until a test that waits has failed


class Scripted(Kind):
    """Does what a test says: `work` gets the run."""

    name = "Scripted"

    def __init__(self, work: Callable[[Run], None]) -> None:
        self._work = work

    def run(self, run: Run) -> None:
        self._work(run)

    def give_up(self, run: Run) -> None:
        run.tell(GivenUp=run.announced.decode())


class SmallJobs:
    """`work` is what every job does; no worker runs until `start`."""

    def __init__(
        self, folder: Path, work: Callable[[Run], None] = lambda run: None, **given: Any
    ) -> None:
        self.store = SmallStore(folder, **given)
        self.runtime = MemoryRuntime()
        self.saved = SavedJobs(self.store.settings, self.store.index, self.runtime)
        self.saved.bring_back()
        self.jobs = Jobs(self.runtime, self.store.writes, self.store.settings, "http-0")
        self.registry = Registry(self.runtime, self.store.settings)
        self.kinds: Mapping[str, Callable[[], Kind]] = {"Scripted": lambda: Scripted(work)}
        self._writer = self.store.index.writer(FileEffects(self.store.storage, lambda: None))
        self._engines: list[tuple[Engine, threading.Thread]] = []

    def start(self, count: int = 1) -> None:
        """Starts workers."""
        for number in range(count):
            slot = f"jobs-{number}"
            engine = Engine(self.registry, Writes(self._writer), self.kinds, slot)
            thread = threading.Thread(target=engine.serve)
            self._engines.append((engine, thread))
            thread.start()

    def stop(self) -> None:
        """Stops the workers."""
        for engine, thread in self._engines:
            engine.stop()
            thread.join(PATIENCE)
            assert not thread.is_alive()
        self._engines.clear()

    def restart(self) -> None:
        """What a restart of the server makes of the jobs; no worker runs then."""
        self.stop()
        self.runtime = MemoryRuntime()
        self.saved = SavedJobs(self.store.settings, self.store.index, self.runtime)
        self.saved.bring_back()
        self.jobs = Jobs(self.runtime, self.store.writes, self.store.settings, "http-0")
        self.registry = Registry(self.runtime, self.store.settings)

    def submit(self, **given: Any) -> str:
        return self.store.run(self.jobs.submit(USER, submission(**given)))

    def get(self, job: str) -> JobAnswer:
        found = self.jobs.get(USER, job)
        assert found is not None
        return found

    def wait(self, job: str, *states: str) -> JobAnswer:
        """The job once it is in one of the states, completed if none is given."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = self.get(job)
            if found.State in (states or ("Success", "Failure")):
                return found
            time.sleep(0.005)
        raise AssertionError(f"the job stays as it is: {found}")

    def content(self, job: str) -> Any:
        return msgspec.json.decode(self.get(job).Content)

    def close(self) -> None:
        self.stop()
        self._writer.stop()
        self.store.close()
        self.runtime.close()


def submission(**given: Any) -> Submission:
    """One of the kind `Scripted`."""
    fields = {"kind": "Scripted", "payload": b"", "content": {"Description": "REST API"}, **given}
    return Submission(**fields)
