"""Deleting resources: the index first, then the files."""

import time
from collections.abc import Sequence

from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import Caller, Level, Outcome
from orthanc_fast.services.store.writes import Writes


class Deletion:
    """Removes resources with everything below them and the parents that they leave empty."""

    def __init__(self, writes: Writes) -> None:
        self._write = writes

    async def delete(self, caller: Caller, level: Level, public: bytes) -> Outcome:
        """Returns once the deletion is durable and the files are unlinked; `Outcome.found` is False
        where there is nothing to delete."""
        outcome: Outcome = await self._write(caller, Delete([(level, public)]))
        return outcome

    async def delete_listed(
        self, caller: Caller, resources: Sequence[tuple[Level | None, bytes]]
    ) -> None:
        """The same for several resources in one transaction; without a level the first one from the
        patients down. Those that do not exist are ignored."""
        await self._write(caller, Delete(resources))


class Delete(Write[Outcome]):
    """Deletes several in one transaction; `Outcome.remaining` is that of the last."""

    __slots__ = ("_resources",)

    def __init__(self, resources: Sequence[tuple[Level | None, bytes]]) -> None:
        self._resources = resources

    def apply(self, transaction: Transaction) -> Outcome:
        now = int(time.time())
        total = Outcome()
        for level, public in self._resources:
            if level is None:
                found = transaction.resource_of_any_level(public)
                if found is None:
                    continue
                level = found.level
            outcome = transaction.delete(level, public, now)
            total.found |= outcome.found
            total.doomed += outcome.doomed
            total.remaining = outcome.remaining
        return total
