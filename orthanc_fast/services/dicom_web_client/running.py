"""What jobs of both directions have in common: tasks that wait for the other server, and somebody
who looks meanwhile whether the job is to stop."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Final

import uvloop

from orthanc_fast.error_codes import BY_CODE
from orthanc_fast.errors import OrthancError
from orthanc_fast.services.jobs.contract import Run, Stopped

_REMEMBERED_EACH: Final = 1.0  # second
_LOOKED_EACH: Final = 0.2  # second: whether the job is to stop, while all requests wait
_MB: Final = 1 << 20

# What Orthanc's jobs of DICOMweb fail with, whatever it was: their content has the reason.
_PLUGIN: Final = 1


class Running(ABC):
    """One run of one job."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._remembered_at = time.monotonic()

    def complete(self) -> None:
        """Does all that is left. Raises Stopped, or the error of the job, whose reason it tells."""
        try:
            uvloop.run(self.work())
        except Stopped:
            self.run.remember(self.memory())
            raise
        except OrthancError as error:
            self.run.tell(
                FunctionErrorCode=error.code,
                FunctionErrorDescription=BY_CODE[error.code].text,
                FunctionErrorDetails=error.details or "",
            )
            raise OrthancError(error.details, private=error, code=_PLUGIN) from error

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


def megabytes(size: int) -> str:
    """As contents of jobs have them."""
    return str(size // _MB)
