"""All figures of /tools/metrics-prometheus under the names that Orthanc has for them, so that its
dashboards and alerts go on. Source: reference chapter 4, section 11.2.

What this server has not got, as the cache of parsed files, is there with what it is: nothing.
Threads do not wait for requests here, but take what may keep an event loop waiting: one request
occupies one of them at most, which is how many are free at least.
"""

import os
from collections.abc import Callable

from orthanc_fast.config import REQUESTS_AT_ONCE, Settings
from orthanc_fast.config_options import BY_NAME
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.administration.metrics import Metrics
from orthanc_fast.services.browse.resources import Resources
from orthanc_fast.services.jobs.jobs import Jobs

MEGABYTE = 1 << 20

LATENCY = "orthanc_rest_api_latency_seconds"
ACTIVE_REQUESTS = "orthanc_rest_api_active_requests"
ACTIVE_ASSOCIATIONS = "orthanc_dicom_active_associations"

_ASSOCIATIONS = "DicomMaximumAssociations"
_CACHE = ("cache_count", "cache_hit_count", "cache_miss_count", "cache_size_mb")
_MEMORY = ("memory_capacity_mb", "memory_count", "memory_max_usage_mb", "memory_usage_mb")
# There from the beginning; others only once they have a value.
_AT_FIRST = {
    "orthanc_logged_errors_count": 0.0,
    "orthanc_logged_warnings_count": 0.0,
    "orthanc_storage_read_bytes": 0.0,
    "orthanc_storage_read_duration_ms": 0.0,
} | {
    f"orthanc_{place}_{name}": 0.0
    for place in ("dicom_parser", "storage", "transcoder")
    for name in (*_CACHE, *_MEMORY)
}


class Figures:
    """The figures of a server, whichever of its processes is asked."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        resources: Resources,
        jobs: Jobs,
        others: Callable[[Caller], dict[str, float]] = lambda caller: {},
    ) -> None:
        """`others` are figures that Orthanc has not."""
        self._settings = settings
        self._jobs = jobs
        self._metrics = metrics
        self._resources = resources
        self._others = others

    def all(self, caller: Caller) -> dict[str, float]:
        """By name."""
        found = _AT_FIRST | self._at_first() | self._metrics.totals() | self._of_the_store(caller)
        found |= self._of_jobs(caller) | self._others(caller)
        found["orthanc_up_time_s"] = int(self._metrics.up_time())
        return found | self._threads(found)

    def _at_first(self) -> dict[str, float]:
        """Of parts that not every server has."""
        return {} if self._settings.audit_log is None else {"orthanc_audit_lost_count": 0.0}

    def _of_the_store(self, caller: Caller) -> dict[str, float]:
        totals = self._resources.totals(caller)
        counts = totals.resources
        return {
            "orthanc_count_patients": counts[Level.PATIENT],
            "orthanc_count_studies": counts[Level.STUDY],
            "orthanc_count_series": counts[Level.SERIES],
            "orthanc_count_instances": counts[Level.INSTANCE],
            "orthanc_disk_size_mb": totals.disk_size / MEGABYTE,
            "orthanc_uncompressed_size_mb": totals.uncompressed_size / MEGABYTE,
            "orthanc_last_change": totals.next_change - 1,
        }

    def _of_jobs(self, caller: Caller) -> dict[str, float]:
        """Sums are there once they are not 0."""
        jobs = self._jobs.figures(caller)
        sums = {
            "completed": jobs.success + jobs.failed,
            "failed": jobs.failed,
            "success": jobs.success,
        }
        found = {f"orthanc_jobs_total_{name}": float(each) for name, each in sums.items() if each}
        return found | {
            "orthanc_jobs_pending": float(jobs.pending),
            "orthanc_jobs_running": float(jobs.running),
        }

    def _threads(self, found: dict[str, float]) -> dict[str, float]:
        """How many are free, at least."""
        settings, workers = self._settings, self._settings.http_workers
        active = found.get(ACTIVE_REQUESTS, 0.0)
        cores = os.cpu_count() or 1
        shared = min(32, cores + 4)  # of `asyncio.to_thread`
        pools = {
            "orthanc_available_http_threads_count": REQUESTS_AT_ONCE,
            "orthanc_dicom_parser_available_threads": shared,
            "orthanc_sequential_reader_available_threads": shared,
            "orthanc_storage_available_threads": shared,
            "orthanc_transcoder_available_threads": min(settings.transcoder_threads_count, cores),
        }
        free = {name: max(workers * size - active, 0.0) for name, size in pools.items()}
        limit = settings.raw.get(_ASSOCIATIONS, BY_NAME[_ASSOCIATIONS].default)
        if settings.dicom_server_enabled and limit:
            used = found.get(ACTIVE_ASSOCIATIONS, 0.0)
            free["orthanc_available_dicom_threads"] = max(limit - used, 0.0)
        return free
