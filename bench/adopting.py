"""Taking over the store of an Orthanc: `python -m bench adopt`.

The index has the tables that Orthanc 1.13 made for one instance, and that instance many times with
other identifiers; files have a few bytes. There is nothing to compare with: no server of Orthanc
takes over another's store.
"""

import hashlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from typing import Any
from uuid import UUID

import httpx
from support import generated
from support.reference_server import ReferenceServer

from orthanc_fast.services.store.opening import INDEX_FOLDER

PER_SERIES = 100
PER_STUDY = 4  # series
CONTENT = b"not read"
AT_ONCE = 4000  # instances of one INSERT
GOAL = 20_000  # instances/s, for two cores

# Orthanc's numbers of levels, and the tags that differ from one resource to the next.
_PATIENT, _STUDY, _SERIES, _INSTANCE = 1, 2, 3, 4
_OWN_TAGS = {
    (_PATIENT, 0x10, 0x20): 0,
    (_STUDY, 0x10, 0x20): 0,
    (_STUDY, 0x20, 0x0D): 1,
    (_SERIES, 0x20, 0x0E): 2,
    (_INSTANCE, 0x08, 0x18): 3,
}
_INSERTED = {  # tables with the number of their columns
    "Resources": 4,
    "MainDicomTags": 4,
    "DicomIdentifiers": 4,
    "Metadata": 4,
    "AttachedFiles": 10,
    "Changes": 5,
}


def run(folder: Path, rounds: int, quick: bool) -> list[str]:
    """Lines for the report."""
    amount = 20_000 if quick else 200_000
    store = make(folder, amount)
    cells = [_adopt(store, folder / "configuration.json") for _ in range(rounds + 1)][1:]
    rate = median(amount / seconds for seconds, _ in cells)
    cpu = median(used * 1e6 / amount for _, used in cells)
    line = (
        f"Adopting {amount:,} instances of an Orthanc, {len(os.sched_getaffinity(0))} cores, warm "
        f"disk: {rate:,.0f} instances/s (goal: {GOAL:,}), {cpu:.0f} us of CPU time each"
    )
    print(line, flush=True)
    return ["", line]


def _adopt(store: Path, configuration: Path) -> tuple[float, float]:
    """Seconds that passed, and seconds of CPU time."""
    configuration.write_text(json.dumps({"StorageDirectory": str(store)}))
    command = [sys.executable, "-m", "orthanc_fast.cli", "adopt", str(configuration), "--json"]
    began, before = time.monotonic(), getrusage(RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after, passed = getrusage(RUSAGE_CHILDREN), time.monotonic() - began
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for left in (store / INDEX_FOLDER).iterdir():
        left.unlink()
    (store / INDEX_FOLDER).rmdir()
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return passed, used


def make(folder: Path, amount: int) -> Path:
    """A store of an Orthanc with so many instances in a folder of its own."""
    with ReferenceServer(folder / "theirs") as server:
        content = generated.small().number(1, 1, 1, 1)
        httpx.post(f"{server.url}/instances", content=content).raise_for_status()
    store = folder / "theirs" / "storage"
    database = sqlite3.connect(store / "index", isolation_level=None)
    database.execute("PRAGMA synchronous = OFF")
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        database.execute(f"DROP TRIGGER {name}")
    _Population(database, store).fill(amount)
    database.close()
    return store


class _Population:
    """Many instances after the pattern of the one that is there."""

    def __init__(self, database: sqlite3.Connection, store: Path) -> None:
        self._database = database
        self._store = store
        self._random = random.Random(1)
        levels = dict(database.execute("SELECT internalId, resourceType FROM Resources"))
        self._pattern: dict[int, dict[str, list[Any]]] = {
            level: {
                table: database.execute(f"SELECT * FROM {table} WHERE id = {number}").fetchall()
                for table in ("MainDicomTags", "DicomIdentifiers", "Metadata", "AttachedFiles")
            }
            for number, level in levels.items()
        }
        for pattern in self._pattern.values():
            for _, _, uuid, *_ in pattern["AttachedFiles"]:
                (store / uuid[:2] / uuid[2:4] / uuid).unlink()
        for table in (*_INSERTED, "PatientRecyclingOrder"):
            database.execute(f"DELETE FROM {table}")
        self._rows: dict[str, list[Any]] = {table: [] for table in _INSERTED}
        self._last = 0

    def fill(self, amount: int) -> None:
        above: list[tuple[int, str]] = []  # id and identifier value of patient, study, series
        for number in range(amount):
            series = number // PER_SERIES
            if number % PER_SERIES == 0:
                if series % PER_STUDY == 0:
                    above = self._patient_and_study(series // PER_STUDY)
                above = above[:2]
                above.append(self._add(_SERIES, above, f"{generated.ROOT}.5{series:09}"))
            self._add(_INSTANCE, above, f"{generated.ROOT}.6{number:09}")
            if number % AT_ONCE == 0:
                self._insert()
        self._insert()
        self._database.execute(
            "INSERT INTO PatientRecyclingOrder(patientId) "
            f"SELECT internalId FROM Resources WHERE resourceType = {_PATIENT} ORDER BY internalId"
        )

    def _patient_and_study(self, number: int) -> list[tuple[int, str]]:
        above: list[tuple[int, str]] = []
        above.append(self._add(_PATIENT, above, f"PATIENT{number:010}"))
        above.append(self._add(_STUDY, above, f"{generated.ROOT}.4{number:09}"))
        return above

    def _add(self, level: int, above: list[tuple[int, str]], own: str) -> tuple[int, str]:
        self._last += 1
        number, rows = self._last, self._rows
        values = [value for _, value in above] + [own]
        digest = hashlib.sha1("|".join(values).encode()).hexdigest()
        public = "-".join(digest[at : at + 8] for at in range(0, 40, 8))
        rows["Resources"].append((number, level, public, above[-1][0] if above else None))
        rows["Changes"].append((None, 2, number, level, "20261201T120000"))
        pattern = self._pattern[level]
        for table in ("MainDicomTags", "DicomIdentifiers"):
            for _, group, element, value in pattern[table]:
                place = _OWN_TAGS.get((level, group, element))
                told = value if place is None else values[place]
                rows[table].append((number, group, element, told))
        rows["Metadata"] += [(number, *rest) for _, *rest in pattern["Metadata"]]
        for _, kind, _, _, _, compression, md5, stored, *rest in pattern["AttachedFiles"]:
            size = len(CONTENT)
            file = (number, kind, self._file(), size, size, compression, md5, stored, *rest)
            rows["AttachedFiles"].append(file)
        return number, own

    def _file(self) -> str:
        uuid = str(UUID(bytes=self._random.randbytes(16), version=4))
        path = self._store / uuid[:2] / uuid[2:4] / uuid
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
        return uuid

    def _insert(self) -> None:
        self._database.execute("BEGIN")
        for table, rows in self._rows.items():
            marks = ", ".join("?" * _INSERTED[table])
            self._database.executemany(f"INSERT INTO {table} VALUES({marks})", rows)
            rows.clear()
        self._database.execute("COMMIT")
