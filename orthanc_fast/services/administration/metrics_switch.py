"""Whether the metrics are shown: the option `MetricsEnabled`, until REST decides otherwise."""

from orthanc_fast.config import Settings
from orthanc_fast.index.lmdb.commit import Write
from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.index.lmdb.view import View
from orthanc_fast.services.store.session import METRICS


def is_enabled(settings: Settings, view: View) -> bool:
    """As it is now, in all processes."""
    stored = view.property(METRICS)
    return settings.metrics_enabled if stored is None else stored == b"1"


def switching(enabled: bool) -> Write[None]:
    """The write that switches them on or off until the server ends."""
    return _Switch(enabled)


class _Switch(Write[None]):
    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled

    def apply(self, transaction: Transaction) -> None:
        transaction.set_property(METRICS, b"1" if self._enabled else b"0")
