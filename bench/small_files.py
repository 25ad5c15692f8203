"""Which files the journal should carry: `python -m bench small_files`.

Index and storage alone, without a server: files of one size stored one after the other or by eight
threads, synced each or carried by the journal. What a carried file costs later, when a checkpoint
syncs it, is part of the time. Rounds of both alternate, since disks and machines have moods.
"""

import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock
from uuid import uuid4

from orthanc_fast.index.conformance import new_instance, terms
from orthanc_fast.index.contract import Transaction
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.model import Attachment, Level, NewInstance, Outcome
from orthanc_fast.services.store.file_effects import FileEffects, FilesWrite
from orthanc_fast.services.store.journaled_files import JournaledFiles
from orthanc_fast.storage.contract import Pending
from orthanc_fast.storage.files import area
from orthanc_fast.storage.files.area import StorageArea

KB = 1 << 10
# The fourth is a slice of 256 x 256 x 16 bits with its header.
SIZES = (16 * KB, 64 * KB, 128 * KB, 131_072 + 2_000, 256 * KB, 512 * KB, 1024 * KB)
CLIENTS = (1, 8)
ROUNDS = 3
EVERYTHING = 1 << 30

Cell = tuple[float, float]  # files each second, milliseconds of CPU for each


class _Store(FilesWrite):
    def __init__(self, new: NewInstance, file: Pending) -> None:
        super().__init__([file])
        self._new = new

    def apply(self, transaction: Transaction) -> Outcome:
        return transaction.store_instance(self._new)


class _Place:
    """An index with its files."""

    def __init__(self, folder: Path) -> None:
        self.storage = StorageArea(folder / "storage", "bench")
        self.index = LmdbIndex(
            folder / "index", terms, 1 << 34, keeper=JournaledFiles(self.storage)
        )
        self.storage.rely_on_carrier()
        self.writer = self.index.writer(FileEffects(self.storage, lambda: None))
        self._lock = threading.Lock()
        self._count = 0

    def store(self, data: bytes) -> None:
        """One file, durable when it returns."""
        with self._lock:
            self._count += 1
            number = self._count
        new = new_instance(f"{chr(200 + number % 50)}{number // 500 % 100:02}{number:012}")
        uuid = str(uuid4())
        new.attachments = {1: Attachment(uuid, len(data), len(data), False, bytes(16))}
        file = self.storage.new_file(new.publics[Level.INSTANCE], uuid, data)
        promise: Future[Any] = Future()
        self.writer.submit(_Store(new, file), promise)
        promise.result()

    def close(self) -> None:
        self.writer.stop()
        self.index.close()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _round(place: _Place, size: int, clients: int, seconds: float) -> Cell:
    data = bytes(size - 8)
    counts = [0] * clients
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        while time.monotonic() < end:
            place.store(data + counts[number].to_bytes(8, "big"))
            counts[number] += 1

    began, used = time.monotonic(), _cpu()
    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    place.index.checkpoint()
    total = sum(counts)
    return total / (time.monotonic() - began), (_cpu() - used) * 1000 / total


def _pair(size: int, clients: int, seconds: float) -> tuple[Cell, Cell]:
    """Synced each, and carried: medians of rounds in alternation."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=Path.cwd()))
    place = _Place(folder)
    found: dict[int, list[Cell]] = {0: [], EVERYTHING: []}
    try:
        for _ in range(ROUNDS):
            for cut, cells in found.items():
                with mock.patch.object(area, "CARRIED_FILE", cut):
                    cells.append(_round(place, size, clients, seconds))
    finally:
        place.close()
        shutil.rmtree(folder, ignore_errors=True)
    middle: Callable[[list[Cell]], Cell] = lambda cells: (  # noqa: E731
        median(rate for rate, _ in cells),
        median(cpu for _, cpu in cells),
    )
    return middle(found[0]), middle(found[EVERYTHING])


def run(seconds: float) -> list[str]:
    """Lines for the report: a table of files each second and milliseconds of CPU for each."""
    lines = [
        "Small files, synced each or carried by the journal:",
        "",
        "| bytes | clients | synced: /s, ms CPU | carried: /s, ms CPU | rate | CPU |",
        "|---|---|---|---|---|---|",
    ]
    for size in SIZES:
        for clients in CLIENTS:
            synced, carried = _pair(size, clients, seconds)
            lines.append(
                f"| {size:,} | {clients} | {synced[0]:.0f}, {synced[1]:.2f} | "
                f"{carried[0]:.0f}, {carried[1]:.2f} | x{carried[0] / synced[0]:.2f} | "
                f"x{carried[1] / synced[1]:.2f} |"
            )
            print(lines[-1], flush=True)
    return lines
