"""/tools/metrics-prometheus: the figures of all processes together."""

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from support import generated
from support.ports import free_port
from support.process import children
from support.server import OurServer

from orthanc_fast.services.administration.metrics import BOUNDS

LINE = re.compile(r"(orthanc_\w+(?:\{[^{}]*\})?) (-?\d+(?:\.\d+)?(?:e-?\d+)?) (\d{13})")
LATENCY = 'orthanc_rest_api_latency_seconds_{}{{family="{}",method="{}"'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with OurServer(tmp_path_factory.mktemp("metrics"), {"HttpWorkers": 2}) as running:
        yield running


def figures(server: OurServer) -> dict[str, float]:
    answer = httpx.get(f"{server.url}/tools/metrics-prometheus")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4"
    found = {}
    for line in answer.text.splitlines():
        match = LINE.fullmatch(line)
        assert match is not None, line
        assert abs(int(match[3]) / 1000 - time.time()) < 60
        found[match[1]] = float(match[2])
    return found


def requests(found: dict[str, float], family: str, method: str = "GET") -> float:
    return found.get(LATENCY.format("count", family, method) + "}", 0)


def hit(server: OurServer, path: str, times: int) -> None:
    """Requests over new connections, several at a time, so that all processes get some."""

    def get(_: int) -> None:
        httpx.get(f"{server.url}{path}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(get, range(times)))


def test_every_request_is_counted_once_whoever_serves_it(server: OurServer) -> None:
    before = figures(server)
    hit(server, "/statistics", 60)
    hit(server, "/nope", 5)
    after = figures(server)
    assert requests(after, "statistics") - requests(before, "statistics") == 60
    assert requests(after, "other", "other") - requests(before, "other", "other") == 5
    folder = server.folder / "storage" / "orthanc-fast.lmdb"
    expected = {f"metrics-{kind}-{number}" for kind in ("http", "jobs") for number in range(2)}
    end = time.monotonic() + 30  # job workers come after those that serve clients
    while (found := {path.name for path in folder.glob("metrics-*")}) != expected:
        assert time.monotonic() < end, found
        time.sleep(0.05)


def test_histograms_are_cumulative(server: OurServer) -> None:
    hit(server, "/statistics", 3)
    found = figures(server)
    buckets = [
        found[LATENCY.format("bucket", "statistics", "GET") + f',le="{bound}"}}']
        for bound in (*BOUNDS, "+Inf")
    ]
    assert buckets == sorted(buckets)
    assert buckets[-1] == requests(found, "statistics")
    assert 0 < found[LATENCY.format("sum", "statistics", "GET") + "}"] < buckets[-1]


# What Orthanc 1.13.0 shows, by a server that has just been started and one that has been used.
PLACES = ("dicom_parser", "storage", "transcoder")
OF_A_CACHE = (
    "available_threads",
    "cache_count",
    "cache_hit_count",
    "cache_miss_count",
    "cache_size_mb",
    "memory_capacity_mb",
    "memory_count",
    "memory_max_usage_mb",
    "memory_usage_mb",
)
AT_FIRST = {
    "orthanc_available_http_threads_count",
    "orthanc_count_instances",
    "orthanc_count_patients",
    "orthanc_count_series",
    "orthanc_count_studies",
    "orthanc_disk_size_mb",
    "orthanc_jobs_pending",
    "orthanc_jobs_running",
    "orthanc_last_change",
    "orthanc_logged_warnings_count",
    "orthanc_rest_api_active_requests",
    "orthanc_rest_api_duration_ms",
    "orthanc_sequential_reader_available_threads",
    "orthanc_storage_read_bytes",
    "orthanc_storage_read_duration_ms",
    "orthanc_uncompressed_size_mb",
    "orthanc_up_time_s",
    *(f"orthanc_{place}_{name}" for place in PLACES for name in OF_A_CACHE),
}
LATER = {
    "orthanc_storage_create_duration_ms",
    "orthanc_storage_remove_duration_ms",
    "orthanc_storage_written_bytes",
    "orthanc_store_dicom_duration_ms",
}


def test_all_names_of_orthanc(tmp_path: Path) -> None:
    """What dashboards and alerts ask for."""
    configuration = {"HttpWorkers": 1, "DicomServerEnabled": True, "DicomPort": free_port()}
    with OurServer(tmp_path, configuration) as server:
        assert figures(server).keys() >= AT_FIRST
        data = generated.small().number(43, 43, 43, 43)
        path = httpx.post(f"{server.url}/instances", content=data).json()["Path"]
        httpx.delete(f"{server.url}{path}").raise_for_status()
        found = figures(server)
    assert found.keys() >= AT_FIRST | LATER
    assert found["orthanc_available_http_threads_count"] == 4095  # one asks
    assert found["orthanc_available_dicom_threads"] == 1024
    assert 0 < found["orthanc_store_dicom_duration_ms"] < 10_000


def test_what_the_storage_does(tmp_path: Path) -> None:
    data = generated.small().number(44, 44, 44, 44)
    with OurServer(tmp_path, {"HttpWorkers": 1}) as server:
        before = figures(server)
        assert before["orthanc_storage_read_bytes"] == 0
        assert "orthanc_storage_written_bytes" not in before
        stored = httpx.post(f"{server.url}/instances", content=data).json()
        httpx.get(f"{server.url}{stored['Path']}/file").raise_for_status()
        found = figures(server)
        assert found["orthanc_storage_written_bytes"] == len(data)
        assert found["orthanc_storage_read_bytes"] == len(data)
        assert found["orthanc_storage_create_duration_ms"] > 0
        httpx.get(f"{server.url}{stored['Path']}/file").raise_for_status()
        assert figures(server)["orthanc_storage_read_bytes"] == 2 * len(data)


def test_the_cache_of_transcoded_files(tmp_path: Path) -> None:
    data = generated.small().number(45, 45, 45, 45)
    with OurServer(tmp_path, {"HttpWorkers": 1}) as server:
        stored = httpx.post(f"{server.url}/instances", content=data).json()
        for _ in range(3):
            path = f"{server.url}{stored['Path']}/file?transcode=1.2.840.10008.1.2.2"
            size = len(httpx.get(path).content)
        found = figures(server)
    cache = "orthanc_transcoder_cache"
    assert found[f"{cache}_count"] == 1
    assert (found[f"{cache}_hit_count"], found[f"{cache}_miss_count"]) == (2, 1)
    assert found[f"{cache}_size_mb"] == pytest.approx(size / (1 << 20))


def test_warnings_and_errors_are_counted(tmp_path: Path) -> None:
    with OurServer(tmp_path, {"HttpWorkers": 1}) as server:
        assert figures(server)["orthanc_logged_errors_count"] == 0
        stored = httpx.post(
            f"{server.url}/instances", content=generated.small().number(46, 46, 46, 46)
        ).json()
        for file in (tmp_path / "storage").glob("??/??/*"):
            file.unlink()
        assert httpx.get(f"{server.url}{stored['Path']}/file").status_code == 500
        assert figures(server)["orthanc_logged_errors_count"] == 1


def test_what_the_store_holds(server: OurServer) -> None:
    data = generated.small().number(41, 41, 41, 41)
    before = figures(server)
    assert httpx.post(f"{server.url}/instances", content=data).status_code == 200
    found = figures(server)
    statistics = httpx.get(f"{server.url}/statistics").json()
    for level in ("Patients", "Studies", "Series", "Instances"):
        assert found[f"orthanc_count_{level.lower()}"] == statistics[f"Count{level}"]
    size = int(statistics["TotalDiskSize"])
    assert found["orthanc_disk_size_mb"] == pytest.approx(size / (1 << 20))
    assert found["orthanc_last_change"] == before["orthanc_last_change"] + 4
    assert 0 <= found["orthanc_up_time_s"] < 300
    assert found["orthanc_rest_api_active_requests"] == 1  # the one that asks
    assert 0 < found["orthanc_rest_api_duration_ms"] < 10_000
    assert list(found) == sorted(found)


def test_a_replaced_worker_goes_on_counting(server: OurServer) -> None:
    hit(server, "/statistics", 40)
    before = figures(server)
    assert server.process is not None
    for worker in children(server.process.pid):
        os.kill(worker, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while True:
        try:
            after = figures(server)
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert requests(after, "statistics") >= requests(before, "statistics")
    assert after["orthanc_rest_api_active_requests"] == 1


def test_waiting_is_no_latency(server: OurServer) -> None:
    before = figures(server)
    last = httpx.get(f"{server.url}/changes?last").json()["Last"]
    httpx.get(f"{server.url}/changes?since={last}&wait=0.3&type=CompletedSeries")
    after = figures(server)
    assert requests(after, "changes") - requests(before, "changes") == 1


def test_switch(server: OurServer) -> None:
    def shown() -> list[str]:
        return [httpx.get(f"{server.url}/tools/metrics").text for _ in range(6)]

    assert shown() == ["1"] * 6
    try:
        answer = httpx.put(f"{server.url}/tools/metrics", content=b" false\n")
        assert (answer.status_code, answer.text) == (200, "")
        assert shown() == ["0"] * 6
        hidden = httpx.get(f"{server.url}/tools/metrics-prometheus")
        assert (hidden.status_code, hidden.content) == (200, b"")
    finally:
        httpx.put(f"{server.url}/tools/metrics", content=b"1")
    assert figures(server)
    wrong = httpx.put(f"{server.url}/tools/metrics", content=b"yes")
    assert wrong.status_code == 400
    assert wrong.json()["OrthancStatus"] == 15


def test_option(tmp_path: Path) -> None:
    with OurServer(tmp_path, {"MetricsEnabled": False, "HttpWorkers": 1}) as server:
        assert httpx.get(f"{server.url}/tools/metrics").text == "0"
        assert httpx.get(f"{server.url}/tools/metrics-prometheus").content == b""


def test_history(ours: httpx.Client) -> None:
    before = ours.get("/tools/metrics-history").json()[-1]
    ours.post("/instances", content=bytes(generated.small().number(71, 71, 71, 71)))
    after = ours.get("/tools/metrics-history").json()[-1]
    assert set(after) == {"Time", "Instances", "WrittenBytes", "ReadBytes", "Requests"}
    assert after["Time"] >= before["Time"]
    assert after["Requests"] > before["Requests"]
    assert after["WrittenBytes"] > before["WrittenBytes"]
