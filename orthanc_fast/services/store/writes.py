"""The one way from the services to the index for changing it."""

import asyncio
from typing import Any

from orthanc_fast.index.contract import Promise as Promise
from orthanc_fast.index.contract import Write, Writer
from orthanc_fast.model import Caller
from orthanc_fast.services.store.file_effects import FilesWrite
from orthanc_fast.services.store.visibility import Judged


class Writes:
    """Changes that one process makes; `loop` is its event loop, where it has one."""

    def __init__(self, writer: Writer, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._writer = writer
        self._loop = loop

    async def __call__(self, caller: Caller, write: Write[Any]) -> Any:
        """The result of a write, which is durable then. Raises what the write fails with. For the
        event loop of the process only."""
        assert self._loop is not None
        promise = self._loop.create_future()
        self.submit(caller, write, promise)
        return await promise

    def submit(self, caller: Caller, write: Write[Any], promise: Promise) -> None:
        """Queues a write; `promise` gets its result when that is durable, or its error."""
        try:
            self._writer.submit(Judged(caller, write), promise)
        except BaseException:
            if isinstance(write, FilesWrite):
                write.withdraw()
            raise
