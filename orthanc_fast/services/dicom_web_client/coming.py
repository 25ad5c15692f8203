"""How far one resource has come that is retrieved: by bytes where the server has announced how many
there are, else by instances, of which it is asked the number once the answer takes a while."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from orthanc_fast.errors import OrthancError
from orthanc_fast.services.dicom_web_client.calls import WebAnswer
from orthanc_fast.services.dicom_web_client.missing import Inventory
from orthanc_fast.services.dicom_web_client.orders import Wanted

_WHILE: Final = 1.0  # second: for less it is not worth a question
_LARGEST: Final = 0.999  # it has come when all of it is stored


class Coming:
    """One resource, of which so many `parts` are fetched one after the other."""

    def __init__(self, inventory: Inventory, parts: int) -> None:
        self._inventory = inventory
        self._parts = parts
        self._done = 0
        self._answer: WebAnswer | None = None
        self._expected: int | None = None
        self.count = 0  # instances of the part that is coming

    @property
    def share(self) -> float:
        """From 0 to below 1."""
        own = 0.0
        if self._answer is not None and self._answer.length:
            own = self._answer.received / self._answer.length
        elif self._expected:
            own = self.count / self._expected
        return min((self._done + min(own, 1.0)) / max(self._parts, 1), _LARGEST)

    def next_part(self) -> None:
        """One more is stored."""
        self._done += 1
        self._answer = self._expected = None
        self.count = 0

    @asynccontextmanager
    async def begun(self, wanted: Wanted, answer: WebAnswer) -> AsyncGenerator[None]:
        """While this answer comes."""
        self._answer = answer
        asks = wanted.study and not answer.length
        task = asyncio.create_task(self._ask(wanted)) if asks else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _ask(self, wanted: Wanted) -> None:
        await asyncio.sleep(_WHILE)
        try:
            self._expected = await self._inventory.count(wanted)
        except OrthancError:
            return  # a server may keep it to itself
