"""The one way from the services to the index for reading."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from orthanc_fast.index.contract import Index, Snapshot
from orthanc_fast.model import Caller
from orthanc_fast.services.store.visibility import seen
from orthanc_fast.services.store.visible import SetsOfCallers

P = ParamSpec("P")
T = TypeVar("T")


class Reads:
    """What the services of one process read of the index.

    Methods of services that only read are plain functions. Threads call them; what runs on an event
    loop calls them itself where `in_place` says that this takes microseconds, or through `run`.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self.in_place = index.reads_in_place
        self._sets = SetsOfCallers()

    def __call__(self, caller: Caller, function: Callable[[Snapshot], T]) -> T:
        """What `function` makes of one snapshot, as far as the caller may see it. It must
        neither keep the snapshot nor read files."""
        return self._index.read(seen(caller, function, self._sets))

    async def run(self, work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """What `work` returns, without keeping an event loop waiting: in a thread also where its
        first argument is a caller who sees some studies only, for whom sets are made."""
        is_long = bool(given) and isinstance(given[0], Caller) and given[0].is_limited
        if self.in_place and not is_long:
            return work(*given, **named)
        return await asyncio.to_thread(work, *given, **named)
