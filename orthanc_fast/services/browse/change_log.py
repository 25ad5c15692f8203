"""The log of changes. Source: reference chapter 1, section 7."""

from orthanc_fast.config import Settings
from orthanc_fast.errors import ReadOnly
from orthanc_fast.index.contract import Snapshot, Transaction, Write
from orthanc_fast.model import Caller, ChangesPage
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes


class ChangeLog:
    """What has happened to the resources, by sequence number."""

    def __init__(self, reads: Reads, writes: Writes, settings: Settings) -> None:
        self._read = reads
        self._write = writes
        self._settings = settings

    def page(
        self,
        caller: Caller,
        since: int,
        to: int,
        limit: int,
        types: frozenset[int] | None = None,
    ) -> ChangesPage:
        """Up to `limit` changes after `since`, up to and including `to` (-1: no bound), of `types`
        (None: all). With `to` and without a positive `since` the last ones instead of the first."""
        return self._read(caller, lambda view: view.changes(since, to, limit, types))

    def newest(self, caller: Caller, types: frozenset[int] | None = None) -> ChangesPage:
        """The newest change of one of `types`, if there is one."""

        def read(view: Snapshot) -> ChangesPage:
            found = view.last_change(types)
            changes = [] if found is None else [found]
            return ChangesPage(changes, True, view.totals().next_change - 1)

        return self._read(caller, read)

    async def clear(self, caller: Caller) -> None:
        """Empties the log; sequence numbers go on. Raises ReadOnly."""
        if self._settings.read_only:
            raise ReadOnly
        await self._write(caller, _Clear())


class _Clear(Write[None]):
    def apply(self, transaction: Transaction) -> None:
        transaction.clear_changes()
