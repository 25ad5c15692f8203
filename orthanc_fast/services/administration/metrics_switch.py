"""Whether the metrics are shown: the option `MetricsEnabled`, until REST decides otherwise."""

from orthanc_fast.config import Settings
from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import Caller
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.session import METRICS
from orthanc_fast.services.store.writes import Writes


class MetricsSwitch:
    """As it is now, in all processes."""

    def __init__(self, reads: Reads, writes: Writes, settings: Settings) -> None:
        self._read = reads
        self._write = writes
        self._settings = settings

    def is_on(self, caller: Caller) -> bool:
        """Whether metrics are shown."""
        stored = self._read(caller, lambda view: view.property(METRICS))
        return self._settings.metrics_enabled if stored is None else stored == b"1"

    async def turn(self, caller: Caller, on: bool) -> None:
        """Switches them on or off until the server ends."""
        await self._write(caller, _Switch(on))


class _Switch(Write[None]):
    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled

    def apply(self, transaction: Transaction) -> None:
        transaction.set_property(METRICS, b"1" if self._enabled else b"0")
