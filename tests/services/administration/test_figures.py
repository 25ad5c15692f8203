"""The figures of a server, of one process and of several."""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.small_store import SmallStore

from orthanc_fast.config import Settings
from orthanc_fast.model import Caller
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.administration import metrics as metrics_module
from orthanc_fast.services.administration.figures import (
    ACTIVE_ASSOCIATIONS,
    ACTIVE_REQUESTS,
    Figures,
)
from orthanc_fast.services.administration.meters import (
    IngestMeter,
    LogCounter,
    RecordingStorageMeters,
    TranscoderMeters,
)
from orthanc_fast.services.administration.metrics import PEAK_SECONDS, Metrics, begin
from orthanc_fast.services.browse.describe import Describer
from orthanc_fast.services.browse.resources import Resources
from orthanc_fast.services.jobs.jobs import Jobs


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[Metrics]:
    begin(tmp_path)
    made = Metrics(tmp_path, "http-0")
    yield made
    made.close()


def figures(store: SmallStore, metrics: Metrics, settings: Settings | None = None) -> Figures:
    resources = Resources(store.reads, Describer(store.dictionary))
    jobs = Jobs(MemoryRuntime(), store.writes, store.settings, "http-0")
    return Figures(settings or store.settings, metrics, resources, jobs)


def test_what_the_store_holds(small_store: SmallStore, caller: Caller, metrics: Metrics) -> None:
    shown = figures(small_store, metrics)
    empty = shown.all(caller)
    assert empty["orthanc_count_instances"] == empty["orthanc_disk_size_mb"] == 0
    small_store.add(1, 1, 1, 1)
    small_store.add(1, 2, 1, 1)
    found = shown.all(caller)
    levels = ("patients", "studies", "series", "instances")
    assert [found[f"orthanc_count_{level}"] for level in levels] == [1, 2, 2, 2]
    totals = small_store.index.read(lambda view: view.totals())
    assert found["orthanc_disk_size_mb"] * (1 << 20) == totals.disk_size > 0
    assert found["orthanc_last_change"] == totals.next_change - 1
    assert found["orthanc_jobs_running"] == 0, "what there is not is there with nothing"


def test_threads_that_are_free(small_store: SmallStore, caller: Caller, metrics: Metrics) -> None:
    settings = Settings(
        http_workers=2, dicom_server_enabled=True, raw={"DicomMaximumAssociations": 5}
    )
    shown = figures(small_store, metrics, settings)
    before = shown.all(caller)
    metrics.gauge(ACTIVE_REQUESTS).set(3)
    metrics.gauge(ACTIVE_ASSOCIATIONS).set(2)
    after = shown.all(caller)
    http, dicom = "orthanc_available_http_threads_count", "orthanc_available_dicom_threads"
    assert before[http] - after[http] == 3
    assert (before[dicom], after[dicom]) == (5, 3)
    metrics.gauge(ACTIVE_ASSOCIATIONS).set(9)
    metrics.gauge(ACTIVE_REQUESTS).set(1e9)
    crowded = shown.all(caller)
    assert crowded[http] == crowded[dicom] == 0
    without = figures(small_store, metrics, Settings(dicom_server_enabled=False))
    assert dicom not in without.all(caller)


def test_figures_of_all_processes_together(tmp_path: Path, metrics: Metrics) -> None:
    other = Metrics(tmp_path, "dicom-0")
    for each, amount in ((metrics, 1.0), (other, 2.0)):
        each.counter("counter").add(amount)
        each.gauge("gauge").set(amount)
        each.peak("peak").observe(amount, time.perf_counter())
        each.histogram('durations{of="x"}').observe(0.002 * amount)
    found = other.totals()
    assert (found["counter"], found["gauge"], found["peak"]) == (3.0, 3.0, 2.0)
    assert found['durations_count{of="x"}'] == 2
    assert found['durations_sum{of="x"}'] == pytest.approx(0.006)
    assert found['durations_bucket{of="x",le="0.0025"}'] == 1
    assert found['durations_bucket{of="x",le="0.005"}'] == 2
    assert found['durations_bucket{of="x",le="+Inf"}'] == 2
    other.close()


def test_counters_without_a_value_are_not_shown(metrics: Metrics) -> None:
    metrics.counter("nothing")
    metrics.histogram("never")
    metrics.gauge("empty")
    assert metrics.totals() == {"empty": 0.0}


def test_a_worker_goes_on_where_the_one_before_it_ended(tmp_path: Path, metrics: Metrics) -> None:
    """But what that one held is gone."""
    metrics.counter("counter").add(5)
    metrics.gauge("gauge").set(5)
    again = Metrics(tmp_path, "http-0")
    again.counter("counter").add()
    assert again.totals() == {"counter": 6.0, "gauge": 0.0}
    again.close()
    begin(tmp_path)
    fresh = Metrics(tmp_path, "http-0")
    assert fresh.totals() == {}
    fresh.close()


def test_a_peak_is_that_of_the_last_seconds(metrics: Metrics) -> None:
    peak = metrics.peak("peak")
    now = time.perf_counter()
    peak.observe(5.0, now)
    peak.observe(3.0, now + PEAK_SECONDS / 2)
    assert metrics.totals()["peak"] == 5.0
    peak.observe(2.0, now + PEAK_SECONDS * 1.1)
    assert metrics.totals()["peak"] == 2.0
    metrics.peak("old").observe(4.0, now - 3 * PEAK_SECONDS)
    assert metrics.totals()["old"] == 0.0


def test_there_is_an_end_to_the_room(metrics: Metrics) -> None:
    with pytest.raises(RuntimeError, match="no room"):
        for number in range(metrics_module.VALUES + 1):
            metrics.counter(f"a{number}")
    metrics.counter("a0").add()
    assert metrics.totals() == {"a0": 1.0}, "those that are there go on"


def test_the_meters_of_the_store(metrics: Metrics) -> None:
    meters = RecordingStorageMeters(metrics)
    meters.created(1000, 0.5)
    meters.created(24, 0.25)
    meters.read(7, 0.125)
    meters.removed(0.0625)
    IngestMeter(metrics)(2.0)
    assert metrics.totals() == {
        "orthanc_storage_written_bytes": 1024.0,
        "orthanc_storage_create_duration_ms": 500.0,
        "orthanc_storage_read_bytes": 7.0,
        "orthanc_storage_read_duration_ms": 125.0,
        "orthanc_storage_remove_duration_ms": 62.5,
        "orthanc_store_dicom_duration_ms": 2000.0,
    }


def test_the_meters_of_the_cache(metrics: Metrics) -> None:
    meters = TranscoderMeters(metrics)
    for found in (True, False, True):
        meters.asked(found)
    meters.holds(3, 3 << 19)
    assert metrics.totals() == {
        "orthanc_transcoder_cache_count": 3.0,
        "orthanc_transcoder_cache_size_mb": 1.5,
        "orthanc_transcoder_cache_hit_count": 2.0,
        "orthanc_transcoder_cache_miss_count": 1.0,
    }


def test_warnings_and_errors_are_counted_while_it_runs(metrics: Metrics) -> None:
    counter, log = LogCounter(metrics), logging.getLogger("orthanc_fast.test")
    log.error("before the start")
    counter.start()
    try:
        log.info("neither")
        log.warning("one")
        log.error("two")
        log.critical("three")
    finally:
        counter.stop()
    log.warning("after the end")
    assert metrics.totals() == {
        "orthanc_logged_warnings_count": 1.0,
        "orthanc_logged_errors_count": 2.0,
    }


def test_the_server_is_as_old_as_its_start(tmp_path: Path, metrics: Metrics) -> None:
    """A worker that comes later does not make it younger."""
    started = tmp_path / metrics_module.STARTED
    os.utime(started, (1e9, 1e9))
    later = Metrics(tmp_path, "http-1")
    assert later.up_time() == pytest.approx(time.time() - 1e9, abs=60)
    later.close()
