"""Arrays against Debian's Orthanc, and against a plain file of the same bytes."""

import re
import socket
import time
from pathlib import Path
from statistics import median

import httpx
from support import generated
from support.process import ServerProcess
from support.server import OurServer

from bench import load
from bench.compare import Goal, Pair, Row
from bench.load import Load
from bench.measure import anonymous_megabytes, cpu_seconds

BASE = 700_000_000
SLICES = 100  # of one series: `load.post` makes a series of every hundred
LONG = 500
BUFFER = 1 << 20
ATTACHMENT = 1042  # a number for users

SERIES = (
    ("series numpy, float32, per slice", "", Goal(4, 0.25)),
    ("series numpy, rescale=0, per slice", "?rescale=0", Goal(2.5, 0.35)),
    ("series numpy, compress=1, per slice", "?compress=1", Goal(25, 0.04)),
)


def volumes(pair: Pair, rounds: int, quick: bool) -> list[Row]:
    """Instances over 8 connections, series over one."""
    for server in pair.servers:
        load.post(server.port, generated.ct_slice(), BASE, SLICES, 4)
    series, instances = _identifiers(pair.ours)
    seconds = 2 if quick else 4
    paths = [f"/instances/{name}/numpy" for name in instances]

    def instance(server: ServerProcess, _: int) -> Load:
        return load.get(server.url, paths, seconds, 8)

    rows = [pair.compare("instance numpy, 512 x 512", Goal(2.5, 0.3), rounds, instance)]
    for name, query, goal in SERIES:

        def pull(server: ServerProcess, _: int, query: str = query) -> Load:
            times = [fetch(server.port, f"/series/{series}/numpy{query}") for _ in range(2)]
            total = sum(each[0] for each in times)
            return Load(2 * SLICES, total, median(each[0] for each in times) / SLICES, 0.0)

        rows.append(pair.compare(name, goal, rounds, pull))
    return rows


def limits(folder: Path, rounds: int) -> list[str]:
    """Lines about a series of 500 slices: its rate against a file of the same size through the same
    server, time to the first byte, memory."""
    with OurServer(folder, {"HttpWorkers": 1}) as server:
        assert server.process is not None
        pid = server.process.pid
        name, instance = _one_series(server)
        with httpx.Client(base_url=server.url, timeout=600) as http:
            size = LONG * 512 * 512 * 2
            path = f"/instances/{instance}/attachments/{ATTACHMENT}"
            http.put(path, content=bytes(size)).raise_for_status()
        idle = anonymous_megabytes(pid)
        paths = {
            "plain file": f"{path}/data",
            "raw": f"/series/{name}/numpy?rescale=0",
            "float32": f"/series/{name}/numpy",
            "int16": f"/series/{name}/numpy?dtype=int16",
        }
        found: dict[str, list[tuple[float, float, float]]] = {key: [] for key in paths}
        memory = 0.0
        for _ in range(rounds):
            for key, path in paths.items():
                before = cpu_seconds(pid)
                seconds, first, total = fetch(server.port, path)
                cost = cpu_seconds(pid) - before
                found[key].append((total / seconds / 1e6, first * 1e3, cost / total * 1e9))
                memory = max(memory, anonymous_megabytes(pid) - idle)
    plain = median(row[0] for row in found["plain file"])
    lines = []
    for key, rows in found.items():
        rate, first, cost = (median(column) for column in zip(*rows, strict=True))
        lines.append(
            f"{LONG} slices, {key}: {rate:,.0f} MB/s, {rate / plain:.0%} of the plain file; first "
            f"byte after {first:.0f} ms; {cost:.2f} ms CPU per MB"
        )
    return [*lines, f"anonymous memory grew by at most {memory:.0f} MB"]


def fetch(port: int, path: str, accept: str = "*/*") -> tuple[float, float, int]:
    """(seconds to the last byte, to the first one, bytes of the answer), into one buffer."""
    head = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: {accept}\r\nConnection: close"
    request = f"{head}\r\n\r\n".encode()
    buffer = bytearray(BUFFER)
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=600) as connection:
        connection.sendall(request)
        count = total = connection.recv_into(buffer)
        first = time.perf_counter() - begin
        answer = bytes(buffer[: min(count, 4096)])
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{path}: {answer[:200]!r}")
        length = re.search(rb"(?i)content-length: (\d+)", answer.partition(b"\r\n\r\n")[0])
        wanted = int(length[1]) if length else None
        while count and (wanted is None or total < wanted):
            count = connection.recv_into(buffer)
            total += count
    return time.perf_counter() - begin, first, total


def _identifiers(server: ServerProcess) -> tuple[str, list[str]]:
    patient = generated.identifier(f"PATIENT{BASE // 1000:010d}")
    with httpx.Client(base_url=server.url, timeout=60) as http:
        (study,) = http.get(f"/patients/{patient}").json()["Studies"]
        (series,) = http.get(f"/studies/{study}").json()["Series"]
        return series, http.get(f"/series/{series}").json()["Instances"]


def _one_series(server: ServerProcess) -> tuple[str, str]:
    template = generated.ct_slice()
    with httpx.Client(base_url=server.url, timeout=60) as http:
        for number in range(LONG):
            stored = http.post("/instances", content=template.number(1, 1, 1, number)).json()
    return stored["ParentSeries"], stored["ID"]
