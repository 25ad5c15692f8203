"""`orthanc-fast backup` and `restore`.

A backup may be made beside a running server. Most files are taken first; then, while no process
removes a file (`Storage.hold`), the index is copied as one snapshot has it, and the files that came
meanwhile are taken. What that snapshot has cannot have been removed: its removal would have been
committed after the snapshot, hence after the hold, and a process looks for a hold after its commit.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from orthanc_fast import __version__
from orthanc_fast.config import Settings
from orthanc_fast.errors import (
    BadSequenceOfCalls,
    IncompatibleDatabase,
    InexistentItem,
    OrthancError,
)
from orthanc_fast.index.contract import Index, Snapshot
from orthanc_fast.model import Level, timestamp
from orthanc_fast.services.administration.damages import attachments_of
from orthanc_fast.services.attachments.verifying import verify
from orthanc_fast.services.store.foreign import (
    has_index,
    has_orthanc_index,
    refuse_foreign_store,
)
from orthanc_fast.services.store.lookup import records
from orthanc_fast.services.store.opening import (
    INDEX_FOLDER,
    RESTORING_FOLDER,
    SUPERVISOR_SLOT,
    copy_index,
    open_index,
    open_storage,
)
from orthanc_fast.services.upkeep.generations import (
    FileRecord,
    Generation,
    Manifest,
    Repository,
)
from orthanc_fast.storage.contract import Storage

FILES_AT_ONCE: Final = 1000  # that become durable together
BYTES_AT_ONCE: Final = 256 << 20
_RECORDS_AT_ONCE: Final = 1000

Progress = Callable[[int, int], None]
"""Told how many of how many files are done."""


class BackupReport(msgspec.Struct, frozen=True, kw_only=True):
    """A generation that was made. `new_files` were not in the backup before; of these `linked`
    share their bytes with the store. `missing` are files that the store itself has lost."""

    generation: str
    instances: int
    files: int
    bytes: int
    new_files: int
    linked: int
    missing: list[str]
    removed_generations: list[str]
    removed_files: int
    seconds: float

    @property
    def clean(self) -> bool:
        return not self.missing


class VerifyFinding(msgspec.Struct, frozen=True):
    """What is wrong with a generation: of a file, its UUID."""

    generation: str
    subject: str
    explanation: str


class VerifyReport(msgspec.Struct, frozen=True):
    """What was compared; a file that several generations have is read once."""

    generations: list[str]
    files: int
    findings: list[VerifyFinding]

    @property
    def clean(self) -> bool:
        return not self.findings


class RestoreReport(msgspec.Struct, frozen=True):
    """What was brought back. `missing` are files that the backup does not have."""

    generation: str
    instances: int
    files: int
    missing: list[str]
    seconds: float

    @property
    def clean(self) -> bool:
        return not self.missing


def backup(
    settings: Settings,
    target: Path,
    may_link: bool = True,
    keep: int = 0,
    progress: Progress = lambda done, of: None,
) -> BackupReport:
    """Adds a generation to the backup in the folder `target`, which is made if need be; removes all
    but the last `keep` ones afterwards (0: none). Raises IncompatibleDatabase where there is no
    index, FullStorage, StorageFault."""
    began = time.monotonic()
    folder = settings.index_directory / INDEX_FOLDER
    refuse_foreign_store(settings, folder)
    if not has_index(folder):
        raise IncompatibleDatabase("there is no index: nothing to back up", private=folder)
    storage = open_storage(settings, SUPERVISOR_SLOT)
    with Repository(target, create=True) as repository:
        index = open_index(settings, storage)
        try:
            taking = _Taking(repository.storage, storage, may_link, progress)
            _take_most(index, taking)
            generation = repository.begin()
            with storage.hold():
                instances = copy_index(
                    index, generation.folder, partial(_take_all, generation, taking)
                )
        finally:
            index.close()
        checksums = generation.checksums()
        manifest = Manifest(
            program=__version__,
            created=timestamp(int(time.time())),
            instances=instances,
            files=taking.files,
            bytes=taking.bytes,
            index_checksum=checksums[0],
            files_checksum=checksums[1],
            missing=taking.missing,
        )
        repository.finish(generation, manifest)
        removed, files = repository.forget(keep)
    return BackupReport(
        generation=generation.name,
        instances=instances,
        files=taking.files,
        bytes=taking.bytes,
        new_files=taking.new,
        linked=taking.linked,
        missing=taking.missing,
        removed_generations=removed,
        removed_files=files,
        seconds=round(time.monotonic() - began, 3),
    )


def _files(view: Snapshot, level: Level, packed: bytes) -> list[FileRecord]:
    return [
        FileRecord(resource.public, attachment)
        for found in records(view, level, packed)
        for resource, _, attachment in attachments_of(found)
    ]


def _take_most(index: Index, taking: "_Taking") -> None:
    """What is deleted meanwhile is not missed: only the snapshot decides."""
    for level in reversed(Level):
        packed = index.read(partial(_listing, level=level))
        step = _RECORDS_AT_ONCE * 20
        for start in range(0, len(packed), step):
            part = packed[start : start + step]
            for record in index.read(partial(_files, level=level, packed=part)):
                taking.add(record)
            if level == Level.INSTANCE:
                taking.progress(min(start + step, len(packed)) // 20, len(packed) // 20)
    taking.flush()
    taking.missing.clear()


def _listing(view: Snapshot, level: Level) -> bytes:
    return view.listing_packed(level)


def _take_all(generation: Generation, taking: "_Taking", view: Snapshot) -> int:
    """Lists and takes all files of a snapshot; how many instances it has."""
    taking.files = taking.bytes = 0

    def listed() -> Iterator[FileRecord]:
        for level in Level:
            packed = view.listing_packed(level)
            for start in range(0, len(packed), _RECORDS_AT_ONCE * 20):
                part = packed[start : start + _RECORDS_AT_ONCE * 20]
                for record in _files(view, level, part):
                    taking.add(record)
                    yield record

    generation.write_files(listed())
    taking.flush()
    return view.totals().resources[Level.INSTANCE]


class _Taking:
    """Takes files into a backup that are not there yet, some at a time."""

    def __init__(
        self, target: Storage, source: Storage, may_link: bool, progress: Progress
    ) -> None:
        self._target = target
        self._source = source
        self._may_link = may_link
        self.progress = progress
        self._waiting: list[str] = []
        self._size = 0
        self.files = self.bytes = self.new = self.linked = 0
        self.missing: list[str] = []

    def add(self, record: FileRecord) -> None:
        attachment = record.attachment
        self.files += 1
        self.bytes += attachment.stored_size
        if self._target.size(attachment.uuid) == attachment.stored_size:
            return
        self._waiting.append(attachment.uuid)
        self._size += attachment.stored_size
        if len(self._waiting) >= FILES_AT_ONCE or self._size >= BYTES_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            fetched = self._target.fetch(self._waiting, self._source, self._may_link)
            self.new += len(self._waiting) - len(fetched.missing)
            self.linked += fetched.linked
            self.missing += fetched.missing
        self._waiting, self._size = [], 0


def check_backup(
    target: Path, name: str | None = None, progress: Progress = lambda done, of: None
) -> VerifyReport:
    """Compares a generation, or all, with the checksums that were noted when they were made. Raises
    InexistentItem where there is none, StorageFault."""
    findings: list[VerifyFinding] = []
    read: set[str] = set()
    with Repository(target, create=False) as repository:
        names = repository.names() if name is None else [name]
        if not names:
            raise InexistentItem("there is no complete generation in this backup", private=target)
        for each in names:
            generation = repository.generation(each)
            try:
                manifest = generation.manifest()
                found = generation.checksums()
            except (OrthancError, OSError) as error:
                findings.append(VerifyFinding(each, "manifest", str(error)))
                continue
            wanted = (manifest.index_checksum, manifest.files_checksum)
            for subject, is_right in zip(
                ("index", "list of files"), map(str.__eq__, found, wanted), strict=True
            ):
                if not is_right:
                    findings.append(VerifyFinding(each, subject, "is not what was written"))
            lost = set(manifest.missing)
            for number, record in enumerate(generation.records(), 1):
                progress(number, manifest.files)
                uuid = record.attachment.uuid
                if uuid in read or uuid in lost:
                    continue
                read.add(uuid)
                fault = verify(repository.storage, record.attachment, True).fault
                if fault is not None:
                    findings.append(VerifyFinding(each, uuid, fault.explanation))
    return VerifyReport(names, len(read), findings)


def restore(
    settings: Settings,
    source: Path,
    name: str | None = None,
    may_link: bool = False,
    progress: Progress = lambda done, of: None,
) -> RestoreReport:
    """Brings a generation (None: the last one) into an empty store; called again after an
    interruption it goes on. Raises IncompatibleDatabase where the store is not empty,
    InexistentItem where there is no such generation."""
    began = time.monotonic()
    with Repository(source, create=False) as repository:
        generation = repository.generation(name)
        manifest = generation.manifest()
        if generation.checksums()[0] != manifest.index_checksum:
            raise IncompatibleDatabase(
                "the index of this generation is damaged: take another one",
                private=generation.folder,
            )
        restoring = settings.index_directory / RESTORING_FOLDER
        mark = restoring / "generation"
        _refuse(settings, mark, generation.name)
        storage = open_storage(replace(settings, sync_storage_area=True), SUPERVISOR_SLOT)
        restoring.mkdir(parents=True, exist_ok=True)
        mark.write_text(generation.name)
        taking = _Taking(storage, repository.storage, may_link, progress)
        for number, record in enumerate(generation.records(), 1):
            taking.add(record)
            progress(number, manifest.files)
        taking.flush()
        shutil.copyfile(generation.index, restoring / generation.index.name)
        storage.sync()
        _sync(restoring / generation.index.name)
        _sync(restoring)
        os.rename(restoring, settings.index_directory / INDEX_FOLDER)
        _sync(settings.index_directory)
        (settings.index_directory / INDEX_FOLDER / mark.name).unlink()
    return RestoreReport(
        generation.name,
        manifest.instances,
        manifest.files,
        taking.missing,
        round(time.monotonic() - began, 3),
    )


def _refuse(settings: Settings, mark: Path, name: str) -> None:
    """Raises unless the store is empty, or this generation was being restored."""
    folder = settings.index_directory / INDEX_FOLDER
    if has_index(folder) or has_orthanc_index(settings):
        raise IncompatibleDatabase(
            "there is a store already: a backup is restored into an empty one", private=folder
        )
    begun = mark.read_text() if mark.exists() else ""
    if begun:
        if begun != name:
            raise BadSequenceOfCalls(
                f"the restoring of the generation {begun} was interrupted: go on with that one, or "
                "empty the storage",
                private=mark.parent,
            )
        return
    if settings.storage_directory.exists():
        storage = open_storage(settings, SUPERVISOR_SLOT)
        if next(storage.listing(), None) is not None:
            raise IncompatibleDatabase(
                "the storage holds files already: a backup is restored into an empty one",
                private=settings.storage_directory,
            )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
