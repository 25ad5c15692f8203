"""A power cut under uploads and deletions: what was acknowledged is there, file by file, whatever
the disk has of the files that were not synced yet."""

import json
import random
import shutil
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from support import generated
from support.power_cut import Disk
from support.snapshots import reading

from orthanc_fast._ext import durable
from orthanc_fast.config import Settings, load
from orthanc_fast.index.lmdb import journal
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.model import SERVER, Caller, Level
from orthanc_fast.services.administration import check
from orthanc_fast.services.ingest.contract import IngestRequest
from orthanc_fast.services.processes.every import WorkerServices
from orthanc_fast.services.processes.supervisor import GuardedStore
from orthanc_fast.services.retention.deletion import Delete
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.storage.files import area
from orthanc_fast.storage.files.area import StorageArea

SLOT = "http-0"


def settings_of(folder: Path, **options: object) -> Settings:
    folder.mkdir(exist_ok=True)
    path = folder / "orthanc.json"
    values = {"IndexMapSizeGB": 1, "IndexJournalSizeMB": 2, **options}
    path.write_text(json.dumps(values))
    return load([path])


def request_of(data: bytes) -> IngestRequest:
    return IngestRequest(caller=Caller(origin="RestApi"), data=data)


class Machine:
    """A server's store without its doors, on a machine that can lose its power."""

    def __init__(
        self, folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch, journal_size: int = 2
    ) -> None:
        self.chance = random.Random(seed)
        self.has_journal = journal_size > 0
        self.settings = settings_of(folder, IndexJournalSizeMB=journal_size)
        self.root = self.settings.storage_directory
        self.disk = Disk(self.settings.index_directory / INDEX_FOLDER)
        self.synced: dict[str, bytes] = {}
        sync = StorageArea.sync

        def noted_sync(storage: StorageArea) -> None:
            sync(storage)
            if self.has_journal and (self.disk.folder / "data.mdb").exists():
                self.disk.sync()
            self.synced = self.files()

        write_files = durable.write_files

        def noted_write(
            paths: list[bytes], contents: list[bytes], syncs: list[bool], *more: Any
        ) -> list[int]:
            for path, content, is_synced in zip(paths, contents, syncs, strict=True):
                if is_synced:
                    uuid = path.decode().rpartition(".")[2]
                    self.synced[f"{uuid[:2]}/{uuid[2:4]}/{uuid}"] = bytes(content)
            return write_files(paths, contents, syncs, *more)

        monkeypatch.setattr(StorageArea, "sync", noted_sync)
        monkeypatch.setattr(area, "write_files", noted_write)
        monkeypatch.setattr(journal, "POLL", 1000.0)  # no checkpoints by themselves
        self.services = WorkerServices(self.settings, SLOT)
        self.stored: dict[bytes, bytes] = {}
        self.template = generated.small()
        self.count = 0

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and INDEX_FOLDER not in path.parts
        }

    def store(self, together: int) -> None:
        """So many instances at once, acknowledged."""
        promises = []
        for _ in range(together):
            self.count += 1
            data = self.template.number(1, 1 + self.count % 2, self.count % 3, self.count)
            promise: Future[object] = Future()
            self.services.ingest.submit(request_of(data), promise)
            promises.append((promise, data))
        for promise, data in promises:
            self.stored[promise.result(60).publics[Level.INSTANCE]] = data  # type: ignore[attr-defined]
        self.note()

    def delete(self) -> None:
        public = self.chance.choice(sorted(self.stored))
        promise: Future[object] = Future()
        self.services.writes.submit(SERVER, Delete([(Level.INSTANCE, public)]), promise)
        promise.result(60)
        del self.stored[public]
        self.note()

    def note(self) -> None:
        """After a write that was acknowledged: without a journal LMDB has synced it."""
        if self.has_journal:
            self.disk.note()
        else:
            self.disk.sync()

    def cut(self, folder: Path) -> Settings:
        """The settings of the same machine after its power was cut."""
        settings = settings_of(folder)
        now = self.files()
        for name in sorted(self.synced.keys() | now.keys()):
            for path, data in self.left(name, now):
                target = settings.storage_directory / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        target = settings.index_directory / INDEX_FOLDER
        target.parent.mkdir(parents=True, exist_ok=True)
        self.disk.cut(target, self.chance)
        return settings

    def left(self, name: str, now: dict[str, bytes]) -> list[tuple[str, bytes]]:
        """What the disk may have of a file: its names with their bytes."""
        incoming = f"incoming/{SLOT}/{self.owner(name)}.{Path(name).name}"
        if name in self.synced and name in now:
            # The move to its place is not synced before the next checkpoint.
            return [(name if self.has_journal else self.chance.choice([name, incoming]), now[name])]
        if name in self.synced:  # unlinked since then
            return self.chance.choice([[], [(name, self.synced[name])]])
        data = now[name]
        data = self.chance.choice([data, b"", data[: len(data) // 2], bytes(len(data))])
        return self.chance.choice([[], [(name, data)], [(incoming, data)]])

    def owner(self, name: str) -> str:
        uuid = Path(name).name
        with reading(self.services.index) as view:
            for public in self.stored:
                resource = view.resource(Level.INSTANCE, public)
                if resource is not None and uuid in {a.uuid for a in resource.attachments.values()}:
                    return public.hex()
        return bytes(20).hex()


@pytest.mark.parametrize("journal_size", [2, 0], ids=["journal", "no journal"])
@pytest.mark.parametrize("seed", range(6))
def test_what_was_acknowledged_is_there(
    tmp_path: Path, seed: int, journal_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path / "machine", seed, monkeypatch, journal_size)
    for number in range(30):
        machine.store(machine.chance.randint(1, 5))
        if machine.chance.random() < 0.4:
            machine.delete()
            machine.services.housekeeping.sweep()
        if number % 10 == 5:
            assert isinstance(machine.services.index, LmdbIndex)
            machine.services.index.checkpoint()
    unsynced = [name for name in machine.files() if name not in machine.synced]
    assert bool(unsynced) == machine.has_journal
    for attempt in range(3):
        settings = machine.cut(tmp_path / f"cut-{attempt}")
        GuardedStore(settings).close()
        report = check.run(settings, repair=False)
        assert report.findings == []
        assert report.instances == len(machine.stored)
        after = StorageArea(settings.storage_directory, "test")
        assert len(list(after.listing())) == len(machine.stored), "a stray or a missing file"
        held = sorted(after.read(uuid) for uuid in after.listing())
        assert held == sorted(machine.stored.values())
        assert list((settings.storage_directory / "incoming" / SLOT).iterdir()) == []
    machine.services.close()


def test_large_files_are_synced_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal does not have them, so they must be on the disk before their record is."""
    machine = Machine(tmp_path / "machine", 1, monkeypatch)
    data = generated.ct_slice().number(1, 1, 1, 1)
    promise: Future[object] = Future()
    machine.services.ingest.submit(request_of(data), promise)
    promise.result(60)
    machine.disk.note()
    ring = (machine.disk.folder / journal.RING).read_bytes()
    assert data[100_000:101_000] not in ring
    assert list(machine.disk.folder.glob("journal-*")) == []
    settings = settings_of(tmp_path / "cut")
    shutil.copytree(machine.root, settings.storage_directory, dirs_exist_ok=True)
    shutil.rmtree(settings.index_directory / INDEX_FOLDER)
    machine.disk.cut(settings.index_directory / INDEX_FOLDER, machine.chance)
    GuardedStore(settings).close()
    report = check.run(settings, repair=False)
    assert (report.instances, report.findings) == (1, [])
    machine.services.close()
