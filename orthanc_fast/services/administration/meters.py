"""What the processes record for the figures that Orthanc has: see `figures`."""

import logging
from time import perf_counter

from orthanc_fast.services.administration.metrics import Metrics
from orthanc_fast.storage.meters import StorageMeters

MEGABYTE = 1 << 20


class LogCounter(logging.Handler):
    """Counts the warnings and errors that this process logs, from `start` on."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(logging.WARNING)
        self._errors = metrics.counter("orthanc_logged_errors_count")
        self._warnings = metrics.counter("orthanc_logged_warnings_count")

    def emit(self, record: logging.LogRecord) -> None:
        (self._errors if record.levelno >= logging.ERROR else self._warnings).add()

    def start(self) -> None:
        logging.root.addHandler(self)

    def stop(self) -> None:
        logging.root.removeHandler(self)


class RecordingStorageMeters(StorageMeters):
    """Of the storage area of this process."""

    def __init__(self, metrics: Metrics) -> None:
        self._create = metrics.peak("orthanc_storage_create_duration_ms")
        self._read = metrics.peak("orthanc_storage_read_duration_ms")
        self._remove = metrics.peak("orthanc_storage_remove_duration_ms")
        self._written_bytes = metrics.counter("orthanc_storage_written_bytes")
        self._read_bytes = metrics.counter("orthanc_storage_read_bytes")

    def created(self, size: int, seconds: float) -> None:
        self._written_bytes.add(size)
        self._create.observe(1000.0 * seconds, perf_counter())

    def read(self, size: int, seconds: float) -> None:
        self._read_bytes.add(size)
        self._read.observe(1000.0 * seconds, perf_counter())

    def removed(self, seconds: float) -> None:
        self._remove.observe(1000.0 * seconds, perf_counter())


class IngestMeter:
    """How long it takes to store an instance."""

    def __init__(self, metrics: Metrics) -> None:
        self._peak = metrics.peak("orthanc_store_dicom_duration_ms")

    def __call__(self, seconds: float) -> None:
        self._peak.observe(1000.0 * seconds, perf_counter())


class OperationMeter:
    """How long it takes to answer a C-FIND, C-MOVE or C-GET: `kind` is find, move or get."""

    def __init__(self, metrics: Metrics, kind: str) -> None:
        self._peak = metrics.peak(f"orthanc_{kind}_scp_duration_ms")

    def __call__(self, seconds: float) -> None:
        self._peak.observe(1000.0 * seconds, perf_counter())


class TranscoderMeters:
    """Of the cache of transcoded files."""

    def __init__(self, metrics: Metrics) -> None:
        name = "orthanc_transcoder_cache"
        self._count = metrics.gauge(f"{name}_count")
        self._size_mb = metrics.gauge(f"{name}_size_mb")
        self._hits = metrics.counter(f"{name}_hit_count")
        self._misses = metrics.counter(f"{name}_miss_count")

    def asked(self, found: bool) -> None:
        (self._hits if found else self._misses).add()

    def holds(self, results: int, size: int) -> None:
        self._count.set(results)
        self._size_mb.set(size / MEGABYTE)
