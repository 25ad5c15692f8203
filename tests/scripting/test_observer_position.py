"""The observer of the change log: how often it writes down how far it has come."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from support import generated
from support.small_store import USER, SmallStore

from orthanc_fast.index.contract import Write
from orthanc_fast.model import Caller
from orthanc_fast.registries import CHANGE_NUMBERS
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.scripting import observer as observer_module
from orthanc_fast.scripting.observer import Observer
from orthanc_fast.scripting.rest_calls import RestCalls
from orthanc_fast.services.ingest.contract import IngestRequest
from orthanc_fast.services.scripts.progress import PROPERTY, Progress

INSTANCES = 5


def test_the_position_is_not_written_after_every_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write is a commit, in the way of who stores: one at the start, one at the end, and in
    between only when the period is over."""
    monkeypatch.setattr(observer_module, "KEEP_PERIOD", 1e9)
    store = SmallStore(tmp_path)
    runtime = MemoryRuntime()
    written: list[str] = []
    told: list[str] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        rests = asyncio.Semaphore(0)

        async def writes(caller: Caller, write: Write[Any]) -> Any:
            written.append(type(write).__name__)
            return await store.writes(caller, write)

        def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

        def idle() -> None:
            loop.call_soon_threadsafe(rests.release)

        services = SimpleNamespace(runtime=runtime, reads=store.reads, writes=writes)
        observer = Observer(
            cast(RestCalls, SimpleNamespace(run=run, services=services)),
            "python",
            lambda: frozenset({CHANGE_NUMBERS["NewInstance"]}),
            lambda event: told.append(event.kind),
            idle=idle,
        )
        await asyncio.to_thread(observer.start)
        for number in range(INSTANCES):
            data = generated.small().number(1, 1, 1, number)
            await store.ingest.store(IngestRequest(caller=USER, data=data))
            runtime.bell.ring(Progress.topic)
            while len(told) == number:
                await rests.acquire()
        assert written == ["_Keep"]
        await asyncio.to_thread(observer.stop, 30.0)
        assert written == ["_Keep", "_Keep"]

    store.run(work())
    assert told == ["NewInstance"] * INSTANCES
    kept, last = store.index.read(
        lambda view: (view.property(f"{PROPERTY}/python"), view.totals().next_change - 1)
    )
    assert kept == str(last).encode()
    store.close()
