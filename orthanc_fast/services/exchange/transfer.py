"""What jobs that exchange with another server by HTTP have in common: tasks that wait for the other
server, and somebody who looks meanwhile whether the job is to stop."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Final

import uvloop

from orthanc_fast.services.jobs.contract import Run, Stopped

_REMEMBERED_EACH: Final = 1.0  # second
_LOOKED_EACH: Final = 0.2  # second: whether the job is to stop, while all requests wait


class Transfer(ABC):
    """One run of one job."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._remembered_at = time.monotonic()

    def complete(self) -> None:
        """Does all that is left. Raises Stopped, or the error of the job."""
        try:
            uvloop.run(self.work())
        except Stopped:
            self.run.remember(self.memory())
            raise

    @abstractmethod
    async def work(self) -> None:
        """Does it."""

    @abstractmethod
    def memory(self) -> bytes:
        """How far the job has come."""

    @abstractmethod
    def tell(self) -> None:
        """Tells progress and content. Raises Stopped."""

    async def together(self, count: int, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """So many tasks that do the same, until all of them are done. Raises what one of them
        raises, Stopped; the others are gone then."""
        tasks = {asyncio.create_task(work()) for _ in range(count)}
        try:
            await self._watch(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, pending: "set[asyncio.Task[None]]") -> None:
        while pending:
            self.tell()
            done, pending = await asyncio.wait(
                pending, timeout=_LOOKED_EACH, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
            if time.monotonic() - self._remembered_at >= _REMEMBERED_EACH:
                self._remembered_at = time.monotonic()
                await asyncio.to_thread(self.run.remember, self.memory())
        self.tell()
