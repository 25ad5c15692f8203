"""A disk that takes 10 ms for each flush keeps writes waiting, not reads."""

import http.client
import multiprocessing
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from support import generated
from support.server import OurServer

SOURCE = Path(__file__).parents[1] / "support" / "slow_disk.c"
DELAY = 0.010
READS = 1000
TRIES = 6  # other programs of the machine disturb the measurement, never for the better


@pytest.fixture(scope="module")
def slow_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes every flush of the process that preloads it slow."""
    library = tmp_path_factory.mktemp("slow") / "slow_disk.so"
    command = ["cc", "-shared", "-fPIC", "-O1", f"-DDELAY_MS={round(DELAY * 1000)}"]
    subprocess.run([*command, str(SOURCE), "-o", str(library), "-ldl"], check=True)
    return library


def write_until(url: str, client: int, start: int, stop: Event, count: object) -> None:
    """Uploads small instances one after the other."""
    template = generated.small()
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    number = start
    while not stop.is_set():
        number += 1
        connection.request("POST", "/instances", template.number(client, 1, 1, number))
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        with count.get_lock():  # type: ignore[attr-defined]
            count.value += 1  # type: ignore[attr-defined]


@contextmanager
def uploads(url: str, start: int) -> Iterator[object]:
    context = multiprocessing.get_context("spawn")
    stop, count = context.Event(), context.Value("i", 0)
    writers = [
        context.Process(target=write_until, args=(url, client, start, stop, count))
        for client in (1, 2)
    ]
    for writer in writers:
        writer.start()
    while count.value < 4:
        time.sleep(0.01)
    try:
        yield count
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)
            assert writer.exitcode == 0


def slowest_percent(url: str, path: str) -> float:
    """The 99th percentile of the seconds that an answer takes."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    took = []
    for _ in range(READS):
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - began)
        assert answer.status == 200
        time.sleep(0.002)
    connection.close()
    return sorted(took)[READS * 99 // 100]


@pytest.mark.parametrize("journal", [4, 0], ids=["journal", "no journal"])
def test_reads_do_not_wait_for_a_slow_disk(
    tmp_path: Path, slow_disk: Path, monkeypatch: pytest.MonkeyPatch, journal: int
) -> None:
    monkeypatch.setenv("LD_PRELOAD", str(slow_disk))
    server = OurServer(tmp_path, {"HttpWorkers": 1, "IndexJournalSizeMB": journal})
    with server:
        monkeypatch.delenv("LD_PRELOAD")
        first = generated.small().number(9, 9, 9, 9)
        began = time.perf_counter()
        identifier = httpx.post(f"{server.url}/instances", content=first).json()["ID"]
        assert time.perf_counter() - began >= DELAY, "the disk is not slow"
        differences = []
        for attempt in range(TRIES):
            alone = slowest_percent(server.url, f"/instances/{identifier}")
            with uploads(server.url, attempt * 100_000) as count:
                beside = slowest_percent(server.url, f"/instances/{identifier}")
                assert count.value > 20  # type: ignore[attr-defined]
            differences.append(beside - alone)
            if differences[-1] < 0.005:
                return
    raise AssertionError(f"reads wait for writes: {differences}")
