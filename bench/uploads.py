"""Large uploads to one worker: how long small reads wait meanwhile, and what memory they cost.

`python -m bench uploads`; `--quick` sends a tenth. Needs disk for twice the 4 GB of the archive.
"""

import http.client
import multiprocessing
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpx
from support import generated
from support.process import children
from support.process_memory import anonymous_of
from support.server import OurServer

MB = 1 << 20
LARGE = 840 * MB  # of one DICOM file
ARCHIVE = 4096 * MB
PAUSE = 0.002  # seconds between two small reads
PIECE = 1 * MB
FORM = {"Content-Type": "multipart/form-data; boundary=BB"}

# What small reads may wait while an upload runs, in milliseconds; and the memory of one worker.
GOAL_P99 = 20.0
GOAL_LONGEST = 100.0
GOAL_MEMORY = 150


class Reads:
    """Small reads, one after the other on one connection, and how long each took."""

    def __init__(self, port: int) -> None:
        self.seconds: list[float] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Reads":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.perf_counter()
            self._connection.request("GET", "/instances?limit=1")
            self._connection.getresponse().read()
            self.seconds.append(time.perf_counter() - began)
            time.sleep(PAUSE)

    def milliseconds(self) -> tuple[float, float, float]:
        """Median, 99th percentile and longest."""
        ordered = sorted(self.seconds)
        last = len(ordered) - 1
        return tuple(  # type: ignore[return-value]
            1000 * ordered[min(last, int(part * len(ordered)))] for part in (0.5, 0.99, 1.0)
        )


class Peak:
    """The greatest anonymous memory of a process, in MB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.idle = self.most = self._now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _now(self) -> float:
        return anonymous_of(self._pid) / (1 << 20)

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, self._now())


def large_file(size: int) -> Iterator[bytes]:
    """One DICOM file with pixel data of about `size` bytes, in pieces."""
    template = generated.ct_slice().number(9, 9, 9, 9)
    slice_bytes = 512 * 512 * 2
    head, pixels = template[:-slice_bytes], template[-slice_bytes:]
    frames = size // slice_bytes
    assert head[-4:] == slice_bytes.to_bytes(4, "little")
    yield head[:-4] + (frames * slice_bytes).to_bytes(4, "little")
    for _ in range(frames):
        yield pixels


def archive_of_slices(path: Path, size: int, method: int) -> int:
    """Writes a ZIP archive of CT slices with about `size` unpacked bytes; their number."""
    template = generated.ct_slice()
    count = size // len(template.data)
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as archive:
        for number in range(count):
            archive.writestr(f"{number:06d}.dcm", template.number(8, 8, number // 500, number))
    return count


def form_of(path: Path) -> Iterator[bytes]:
    """A form with one part: the content of a file."""
    yield b'--BB\r\nContent-Disposition: form-data; name="x"; filename="x"\r\n\r\n'
    yield from pieces(path.open("rb"))
    yield b"\r\n--BB--\r\n"


def pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


@contextmanager
def one_worker(folder: Path, **options: Any) -> Iterator[tuple[OurServer, int]]:
    """A server with one worker, and its process."""
    server = OurServer(folder, {"HttpWorkers": 1, **options})
    with server:
        small = generated.small().number(1, 1, 1, 1)
        httpx.post(f"{server.url}/instances", content=small).raise_for_status()
        assert server.process is not None
        workers = [
            pid
            for pid in children(server.process.pid)
            if b"orthanc_fast.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        yield server, workers[0]


def measured(
    folder: Path,
    name: str,
    body: Callable[[], Iterator[bytes]],
    headers: dict[str, str],
    **options: Any,
) -> str:
    """One line: what reads waited, and the memory, while the body was uploaded."""
    place = folder / name.replace(" ", "-")
    with one_worker(place, **options) as (server, pid):
        # Another process sends: its work is not to delay the reads.
        sender = multiprocessing.get_context("fork").Process(
            target=_send, args=(server.url, body, headers)
        )
        with Reads(server.port) as reads, Peak(pid) as peak:
            time.sleep(2)
            alone = reads.milliseconds()
            reads.seconds.clear()
            began = time.perf_counter()
            sender.start()
            sender.join()
            took = time.perf_counter() - began
        if sender.exitcode:
            raise RuntimeError(f"{name}: the upload failed")
        median, late, longest = reads.milliseconds()
    shutil.rmtree(place)
    kept = "kept" if late < GOAL_P99 and longest < GOAL_LONGEST else "MISSED"
    small = "kept" if peak.most - peak.idle <= GOAL_MEMORY else "MISSED"
    before = "/".join(f"{each:.1f}" for each in alone)
    return (
        f"{name}: {took:.1f} s; small reads (median/99%/longest) {before} ms, meanwhile "
        f"{median:.1f}/{late:.1f}/{longest:.1f} ms ({kept}); memory {peak.idle:.0f} MB idle, "
        f"at most +{peak.most - peak.idle:.0f} ({small})"
    )


def _send(url: str, body: Callable[[], Iterator[bytes]], headers: dict[str, str]) -> None:
    answer = httpx.post(f"{url}/instances", content=body(), headers=headers, timeout=1800)
    answer.raise_for_status()


def uploads(folder: Path, quick: bool) -> list[str]:
    """The lines of the report, printed as they come."""
    part = 10 if quick else 1
    large, packed = LARGE // part, ARCHIVE // part
    found: list[str] = []

    def note(text: str) -> None:
        print(text, flush=True)
        found.append(text)

    note(measured(folder, f"one file of {large // MB} MB", lambda: large_file(large), {}))
    compressed = {"StorageCompression": True}
    note(
        measured(
            folder, "the same with StorageCompression", lambda: large_file(large), {}, **compressed
        )
    )
    archive = folder / "slices.zip"
    count = archive_of_slices(archive, packed, zipfile.ZIP_STORED)
    size = archive.stat().st_size // MB
    for name, body, headers in (
        (f"ZIP of {count} slices {size} MB", lambda: pieces(archive.open("rb")), {}),
        ("the same as a form", lambda: form_of(archive), FORM),
    ):
        note(measured(folder, name, body, headers, **compressed, SyncStorageArea=False))
    archive.unlink()
    return found
