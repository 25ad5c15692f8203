"""What the DICOM door records of its associations: shown by /tools/metrics-prometheus."""

from threading import Lock

from orthanc_fast.services.administration.metrics import Metrics

PREFIX = "orthanc_dicom_"


class AssociationMeters:
    """Records nothing: for a door outside of a server. `RecordingMeters` is the server's."""

    def began(self) -> None:
        """An association was accepted."""

    def rejected(self) -> None:
        """A request for an association was turned down."""

    def ended(self) -> None:
        """An accepted association is over, whatever ended it."""

    def stored(self, size: int) -> None:
        """An instance whose file has `size` bytes was acknowledged."""

    def refused(self) -> None:
        """A C-STORE was answered by an error."""


class RecordingMeters(AssociationMeters):
    """The figures of one worker. Its associations have a thread each, hence the lock."""

    def __init__(self, metrics: Metrics) -> None:
        self._lock = Lock()
        self._active = metrics.gauge(f"{PREFIX}active_associations")
        self._accepted = metrics.counter(f'{PREFIX}associations_total{{result="accepted"}}')
        self._rejected = metrics.counter(f'{PREFIX}associations_total{{result="rejected"}}')
        self._stored = metrics.counter(f'{PREFIX}stores_total{{result="stored"}}')
        self._refused = metrics.counter(f'{PREFIX}stores_total{{result="refused"}}')
        self._bytes = metrics.counter(f"{PREFIX}stored_bytes_total")

    def began(self) -> None:
        with self._lock:
            self._active.add(1.0)
            self._accepted.add()

    def rejected(self) -> None:
        with self._lock:
            self._rejected.add()

    def ended(self) -> None:
        with self._lock:
            self._active.add(-1.0)

    def stored(self, size: int) -> None:
        with self._lock:
            self._stored.add()
            self._bytes.add(size)

    def refused(self) -> None:
        with self._lock:
            self._refused.add()
