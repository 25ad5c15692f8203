"""SIGKILL of the whole server at random moments under concurrent uploads and deletions.

After each restart: what was acknowledged is there byte for byte, what was acknowledged as
deleted is gone, nothing is half there, no stray file, and `check` finds no fault.
"""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from support import generated
from support.process import workers
from support.server import OurServer

from orthanc_fast.services.store.opening import INDEX_FOLDER

ROUNDS = int(os.environ.get("KILL_ROUNDS", "16"))  # each with two starts of the server
CLIENTS = 4


class Client(threading.Thread):
    """Stores instances and deletes some of them, noting what the server acknowledged."""

    def __init__(self, url: str, template: generated.Template, number: int, start: int) -> None:
        super().__init__()
        self.url = url
        self.template = template
        self.number = number
        self.next = start
        self.stored: dict[str, bytes] = {}
        self.deleted: set[str] = set()
        self.unknown: set[str] = set()  # asked for, but the server died before it answered
        self.random = random.Random(number * 1000 + start)
        self.faults: list[str] = []

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=20) as http:
            try:
                while True:
                    self.store(http)
                    if self.random.random() < 0.3 and self.stored:
                        self.delete(http)
            except httpx.TransportError:
                return  # the server was killed

    def store(self, http: httpx.Client) -> None:
        data = self.template.number(self.number, self.number, self.next % 7, self.next)
        self.next += 1
        answer = http.post("/instances", content=data)
        if answer.status_code != 200 or answer.json()["Status"] != "Success":
            self.faults.append(f"store: {answer.status_code} {answer.text}")
        self.stored[answer.json()["ID"]] = data

    def delete(self, http: httpx.Client) -> None:
        identifier = self.random.choice(sorted(self.stored))
        self.unknown.add(identifier)
        answer = http.delete(f"/instances/{identifier}")
        if answer.status_code != 200:
            self.faults.append(f"delete: {answer.status_code} {answer.text}")
        self.unknown.discard(identifier)
        self.stored.pop(identifier)
        self.deleted.add(identifier)


def stray_files(storage: Path, known: set[str]) -> list[Path]:
    """Files in the storage area that no instance owns."""
    return [
        path
        for path in storage.rglob("*")
        if path.is_file() and INDEX_FOLDER not in path.parts and path.name not in known
    ]


def verify(
    http: httpx.Client,
    storage: Path,
    stored: dict[str, bytes],
    deleted: set[str],
    unknown: set[str],
) -> set[str]:
    """Compares the restarted server with what the clients noted; returns what it holds."""
    listed = {entry["ID"]: entry for entry in http.get("/instances?expand").json()}
    for identifier, data in stored.items():
        if identifier not in unknown:
            assert identifier in listed, "an acknowledged instance is lost"
            assert http.get(f"/instances/{identifier}/file").content == data
    assert not deleted & listed.keys(), "an acknowledged deletion was undone"
    assert stray_files(storage, {entry["FileUuid"] for entry in listed.values()}) == []
    for entry in listed.values():
        assert http.get(f"/instances/{entry['ID']}/simplified-tags").status_code == 200
        assert http.get(f"/series/{entry['ParentSeries']}").status_code == 200
    statistics = http.get("/statistics").json()
    assert statistics["CountInstances"] == len(listed)
    assert int(statistics["TotalDiskSize"]) == sum(entry["FileSize"] for entry in listed.values())
    assert statistics["CountSeries"] == len({entry["ParentSeries"] for entry in listed.values()})
    return set(listed)


@pytest.mark.parametrize(("seed", "journal_size"), [(1, 4), (2, 0)])
def test_sigkill_of_the_server(tmp_path: Path, seed: int, journal_size: int) -> None:
    chance = random.Random(seed)
    template = generated.small()
    server = OurServer(tmp_path, {"HttpWorkers": 2, "IndexJournalSizeMB": journal_size})
    stored: dict[str, bytes] = {}
    deleted: set[str] = set()
    start = 0
    for _ in range(ROUNDS // 2):
        server.start()
        clients = [Client(server.url, template, number, start) for number in range(CLIENTS)]
        for client in clients:
            client.stored = {}
            client.start()
        time.sleep(chance.uniform(0.05, 0.4))
        server.kill_all()
        unknown: set[str] = set()
        for client in clients:
            client.join(30)
            assert client.faults == []
            stored |= client.stored
            deleted |= client.deleted
            unknown |= client.unknown
            start = max(start, client.next)
        start += 1
        server.start()
        with httpx.Client(base_url=server.url, timeout=30) as http:
            held = verify(http, server.folder / "storage", stored, deleted, unknown)
            # Keep the rounds short: what was verified goes, in one request.
            http.post("/tools/bulk-delete", json={"Resources": sorted(held)})
        assert server.stop() == 0
        stored.clear()
        deleted.clear()
    checked = subprocess.run(
        [sys.executable, "-m", "orthanc_fast.cli", "check", str(server.config_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout


def test_sigkill_of_one_worker(tmp_path: Path) -> None:
    """The others go on, the killed one is back within a second, nothing acknowledged is lost."""
    template = generated.small()
    with OurServer(tmp_path, {"HttpWorkers": 2}) as server:
        assert server.process is not None
        stored: dict[str, bytes] = {}
        for number in range(15):
            while len(before := set(workers(server.process.pid))) < 2:
                time.sleep(0.01)  # one that has just been started has no name yet
            victim = sorted(before)[number % 2]
            client = PatientClient(server.url, template, number)
            client.start()
            time.sleep(0.05)
            subprocess.run(["kill", "-9", str(victim)], check=True)
            killed = time.monotonic()
            while len(set(workers(server.process.pid)) - {victim}) < 2:
                assert time.monotonic() - killed < 30, "no successor"
                time.sleep(0.01)
            client.stop = True
            client.join(30)
            stored |= client.stored
        with httpx.Client(base_url=server.url, timeout=30) as http:
            time.sleep(0.5)
            listed = {entry["ID"]: entry for entry in http.get("/instances?expand").json()}
            for identifier, data in stored.items():
                assert http.get(f"/instances/{identifier}/file").content == data
            known = {entry["FileUuid"] for entry in listed.values()}
            assert stray_files(server.folder / "storage", known) == []


class PatientClient(threading.Thread):
    """Goes on after a broken connection: as a client whose worker was killed does."""

    def __init__(self, url: str, template: generated.Template, number: int) -> None:
        super().__init__()
        self.url = url
        self.template = template
        self.number = number
        self.stop = False
        self.stored: dict[str, bytes] = {}

    def run(self) -> None:
        count = 0
        while not self.stop:
            try:
                with httpx.Client(base_url=self.url, timeout=20) as http:
                    while not self.stop:
                        count += 1
                        data = self.template.number(self.number, 1, 1, count)
                        answer = http.post("/instances", content=data)
                        assert answer.status_code == 200, answer.text
                        self.stored[answer.json()["ID"]] = data
            except httpx.TransportError:
                continue
