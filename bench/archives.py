"""Archives and media against Orthanc, against the codec alone, and against plain files."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import httpx
from isal import igzip_lib
from support import generated
from support.process import ServerProcess
from support.server import OurServer

from bench import load
from bench.compare import Goal, Pair, Row
from bench.load import Load
from bench.measure import anonymous_megabytes
from bench.volumes import fetch

BASE = 600_000_000
SLICES = 400
SMALL = 5000  # instances of the study whose first byte is waited for

KINDS = (
    ("study archive, per CT slice", "archive", Goal(15, 0.06)),
    ("study media, per CT slice", "media", Goal(10, 0.1)),
)


def archives(pair: Pair, rounds: int, quick: bool) -> list[Row]:
    """One patient of 400 CT slices, over one connection."""
    slices = SLICES // 4 if quick else SLICES
    for server in pair.servers:
        load.post(server.port, generated.ct_slice(), BASE, slices, 4)
    patient = generated.identifier(f"PATIENT{BASE // 1000:010d}")
    rows = []
    for name, kind, goal in KINDS:

        def pull(server: ServerProcess, _: int, kind: str = kind) -> Load:
            seconds, first, _size = fetch(server.port, f"/patients/{patient}/{kind}")
            return Load(slices, seconds, seconds / slices, first)

        rows.append(pair.compare(name, goal, rounds, pull))
    return rows


def limits(folder: Path, rounds: int) -> list[str]:
    """Lines about a patient of 400 slices beside the codec alone and beside the files themselves,
    and about a study of 5,000 small instances: time to the first byte, memory."""
    template = generated.ct_slice()
    with OurServer(folder, {"HttpWorkers": 1}) as server:
        assert server.process is not None
        pid = server.process.pid
        load.post(server.port, template, BASE, SLICES, 4)
        patient = generated.identifier(f"PATIENT{BASE // 1000:010d}")
        with httpx.Client(base_url=server.url, timeout=60) as http:
            instances = http.get(f"/patients/{patient}/instances").json()
        files = [f"/instances/{each['ID']}/file" for each in instances]
        size = len(template.data) * SLICES / 1e6
        idle = anonymous_megabytes(pid)
        deflated, stored, plain, codec = [], [], [], []
        memory = 0.0
        for _ in range(rounds):
            codec.append(size / _codec_alone(template.data))
            deflated.append(size / fetch(server.port, f"/patients/{patient}/archive")[0])
            memory = max(memory, anonymous_megabytes(pid) - idle)
            path = f"/patients/{patient}/archive?compression=0"
            stored.append(size / fetch(server.port, path)[0])
            memory = max(memory, anonymous_megabytes(pid) - idle)
            plain.append(load.get(server.url, files, 2, 1).rate * len(template.data) / 1e6)
        first = _first_byte(server, rounds)
        memory = max(memory, anonymous_megabytes(pid) - idle)
    return [
        f"archive of {SLICES} CT slices: {median(deflated):,.0f} MB/s, "
        f"{median(deflated) / median(codec):.0%} of the codec alone on all cores",
        f"stored: {median(stored):,.0f} MB/s, {median(stored) / median(plain):.0%} of the files "
        "one by one over one connection",
        f"archive of {SMALL} instances of 10 KB: first byte after {first * 1e3:.0f} ms",
        f"anonymous memory grew by at most {memory:.0f} MB",
    ]


def _codec_alone(data: bytes) -> float:
    """Seconds to deflate so many slices in memory, on all cores."""

    def work(_: int) -> None:
        igzip_lib.compress(data, 2, igzip_lib.COMP_DEFLATE)

    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        begin = time.perf_counter()
        list(threads.map(work, range(SLICES)))
        return time.perf_counter() - begin


def _first_byte(server: ServerProcess, rounds: int) -> float:
    """All of them in one series."""
    template = generated.small()
    with httpx.Client(base_url=server.url, timeout=60) as http:
        for number in range(SMALL):
            stored = http.post("/instances", content=template.number(2, 2, 2, number)).json()
    path = f"/studies/{stored['ParentStudy']}/archive"
    return median(fetch(server.port, path)[1] for _ in range(max(rounds, 3)))
