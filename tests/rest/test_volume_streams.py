"""Large volumes and archives: memory stays where it is, and a client that has gone costs nothing
more."""

import io
import socket
import time
from collections.abc import Iterator

import httpx
import numpy as np
import psutil
import pytest
from support import generated
from support.process_memory import anonymous, worker
from support.server import OurServer

FRAMES = 700  # of 512 x 512: 350 MB in the file, 700 MB as float32
BOUND = 100 << 20
ARCHIVE_BOUND = 50 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    configuration = {"HttpWorkers": 1, "MaximumRequestBodySizeMB": 4096}
    with OurServer(tmp_path_factory.mktemp("streams"), configuration) as running:
        yield running


@pytest.fixture(scope="module")
def series(server: OurServer) -> str:
    """One large multi-frame instance."""
    dataset = generated.base("1.2.840.10008.5.1.4.1.1.2.1")
    generated.add_pixels(dataset, np.zeros((512, 512), "<i2"))
    dataset.NumberOfFrames = FRAMES
    frame = np.arange(512 * 512, dtype="<i2").tobytes()
    dataset.PixelData = frame * FRAMES
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    answer = httpx.post(f"{server.url}/instances", content=buffer.getvalue(), timeout=300)
    assert answer.status_code == 200, answer.text
    name: str = answer.json()["ParentSeries"]
    return name


@pytest.mark.parametrize("query", ["", "?rescale=0", "?compress=1"])
def test_memory_does_not_follow_the_data(server: OurServer, series: str, query: str) -> None:
    process = worker(server)
    idle = anonymous(process)
    peak = total = 0
    path = f"{server.url}/series/{series}/numpy{query}"
    with httpx.stream("GET", path, timeout=300) as answer:
        for number, chunk in enumerate(answer.iter_raw()):
            total += len(chunk)
            if number % 64 == 0:
                peak = max(peak, anonymous(process))
    if query != "?compress=1":
        item = 4 if query == "" else 2
        assert total == 128 + FRAMES * 512 * 512 * item
    assert peak - idle < BOUND


@pytest.mark.parametrize("kind", ["archive", "media", "archive?compression=0"])
def test_nor_that_of_archives(server: OurServer, series: str, kind: str) -> None:
    process = worker(server)
    idle = anonymous(process)
    peak = total = 0
    with httpx.stream("GET", f"{server.url}/series/{series}/{kind}", timeout=300) as answer:
        for number, chunk in enumerate(answer.iter_raw()):
            total += len(chunk)
            if number % 16 == 0:
                peak = max(peak, anonymous(process))
    assert total > 1 << 20
    assert peak - idle < ARCHIVE_BOUND


def test_a_client_that_does_not_read_is_waited_for(server: OurServer, series: str) -> None:
    """And when it has gone, the producer ends: the worker gets idle long before all is made."""
    process = worker(server)
    idle = anonymous(process)
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        request = f"GET /series/{series}/numpy HTTP/1.1\r\nHost: test\r\n\r\n"
        connection.sendall(request.encode())
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        wait_until_idle(process)
        assert anonymous(process) - idle < BOUND
        read = process.io_counters().read_chars
    wait_until_idle(process)
    made = process.io_counters().read_chars - read
    assert made < FRAMES * 512 * 512 * 2 // 2, "the rest was made for nobody"
    answer = httpx.get(f"{server.url}/series/{series}/numpy?slices=:2", timeout=60)
    assert answer.status_code == 200


def wait_until_idle(process: psutil.Process) -> None:
    """Returns when the worker has used no CPU time to speak of for a while."""
    deadline = time.monotonic() + 120
    while True:
        before = sum(process.cpu_times()[:2])
        time.sleep(0.5)
        if sum(process.cpu_times()[:2]) - before < 0.05:
            return
        assert time.monotonic() < deadline, "the worker does not get idle"
