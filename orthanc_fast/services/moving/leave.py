"""Moving out: an SQLite index that Orthanc 1.13 opens, made of ours; the files stay as and where
they are, since both servers store them in the same way.

The server must not run. The new index is filled beside its place and put there by one rename, an
older one is kept under another name. Whatever interrupts it leaves a file behind that the next
attempt removes; MD5s that were computed until then are known to it.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import IncompatibleDatabase, StorageFault
from orthanc_fast.index.contract import Index, Snapshot
from orthanc_fast.model import Level, Resource
from orthanc_fast.orthanc_store.model import StoredResource
from orthanc_fast.orthanc_store.sqlite_copy import INDEX, traces, user_of
from orthanc_fast.orthanc_store.sqlite_writer import SqliteWriter
from orthanc_fast.registries import CHANGE_TYPES, ROUTING_DELAYED
from orthanc_fast.services.moving.checksums import PART, complete_checksums, lacks_md5
from orthanc_fast.services.moving.departure import LEFT, Left
from orthanc_fast.services.moving.files import FileCheck
from orthanc_fast.services.moving.not_held import lost, not_held
from orthanc_fast.services.moving.placing import alone, companion_of, replace_database
from orthanc_fast.services.moving.properties_out import write_properties, write_values
from orthanc_fast.services.moving.report import Finding, LeaveReport, Taken
from orthanc_fast.services.moving.stored_records import (
    stored_changes,
    stored_export,
    stored_resources,
)
from orthanc_fast.services.retention.recovery import recover, remove_doomed
from orthanc_fast.services.store.foreign import has_index
from orthanc_fast.services.store.opening import (
    INDEX_FOLDER,
    SUPERVISOR_SLOT,
    file_path,
    open_index,
    open_storage,
)
from orthanc_fast.storage.contract import Storage

_UNFINISHED: Final = ".leaving"
_ENTRIES_AT_ONCE: Final = 2000  # of the logs

Progress = Callable[[int, int], None]
"""Told how many resources of how many are done; each is counted twice where MD5s are computed."""


def leave(
    settings: Settings,
    target: Path | None = None,
    dry_run: bool = False,
    progress: Progress = lambda done, count: None,
) -> LeaveReport:
    """Writes the index of an Orthanc into the folder `target` (None: IndexDirectory). Raises
    IncompatibleDatabase, StorageFault or FullStorage with the reason why it cannot be; then no
    index has changed."""
    began = time.monotonic()
    folder = settings.index_directory
    if not has_index(folder / INDEX_FOLDER):
        raise IncompatibleDatabase(
            "there is no index of this server: nothing to move out", private=folder
        )
    target = target or folder
    if not dry_run:
        _make(target)
    with alone(*{folder, target} if target.is_dir() else {folder}):
        _refuse_orthanc(target / INDEX)
        storage = open_storage(settings, SUPERVISOR_SLOT)
        index = open_index(settings, storage)
        try:
            if not index.keep_others_out():
                raise IncompatibleDatabase(
                    "a server, or another command, uses the store: stop it first", private=folder
                )
            recover(index, storage)
            remove_doomed(index, storage)
            leaving = _Leaving(settings, index, storage, progress)
            if dry_run:
                leaving.look()
            else:
                leaving.work(target / INDEX)
        finally:
            index.close()
    return leaving.report(target / INDEX, not dry_run, time.monotonic() - began)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFault(
            f"cannot make the folder of the index: {error.strerror}", private=folder
        ) from error


def _notes(settings: Settings, folder: Path) -> list[str]:
    """What the configuration of the Orthanc needs."""
    notes = []
    section = settings.raw.get("PostgreSQL")
    if isinstance(section, dict) and (section.get("EnableIndex") or section.get("EnableStorage")):
        notes.append("take the section PostgreSQL out of the configuration, or it is used instead")
    if folder.resolve() != settings.index_directory.resolve():
        notes.append(f"IndexDirectory has to name {folder}")
    return notes


def _refuse_orthanc(database: Path) -> None:
    if database.exists() and (user := user_of(database)):
        raise IncompatibleDatabase(
            f"an Orthanc runs on the index that is there (process {user}): stop it first",
            private=database,
        )


class _Leaving:
    """One store on its way; the report tells of it afterwards."""

    def __init__(
        self, settings: Settings, index: Index, storage: Storage, progress: Progress
    ) -> None:
        self._settings = settings
        self._index = index
        self._storage = storage
        self._progress = progress
        self._computed = 0
        self._to_compute = [0, 0]  # files, bytes
        self._kept: str | None = None
        self._taken = Taken()
        self._recycling: list[tuple[int, int]] = []
        self._findings: list[Finding] = []
        self._not_held: list[Finding] = []
        self._unstable = lost("resources that were not stable yet: Orthanc logs no change for them")
        self._changes = {
            kind: lost(f"changes {name}, which Orthanc does not have")
            for kind, name in CHANGE_TYPES.items()
            if kind >= ROUTING_DELAYED
        }
        self._strays = lost("changes of resources that are gone")
        totals = index.read(lambda view: view.totals())
        self._count = self._whole = sum(totals.resources)
        self._before = 0

    def report(self, target: Path, left: bool, seconds: float) -> LeaveReport:
        own = (self._unstable, *self._changes.values(), self._strays)
        files, size = self._to_compute
        return LeaveReport(
            left,
            str(target),
            self._kept,
            self._taken,
            self._findings,
            self._not_held + [each for each in own if each.count],
            md5s_computed=self._computed,
            md5s_to_compute=files,
            bytes_to_read=size,
            notes=_notes(self._settings, target.parent),
            seconds=round(seconds, 3),
        )

    def look(self) -> None:
        """What leaving would find."""
        self._index.read(lambda view: self._read(view, None))

    def work(self, target: Path) -> None:
        """Writes the index, and puts it in its place."""
        made = companion_of(target, _UNFINISHED)
        if self._settings.store_md5:
            self._before, self._whole = self._count, 2 * self._count
            self._computed, damaged = complete_checksums(
                self._index, self._storage, lambda done: self._progress(done, self._whole)
            )
            if damaged.count:
                self._findings.append(damaged)
        try:
            made.unlink(missing_ok=True)
            self._index.read(lambda view: self._write(view, made))
            self._kept = replace_database(made, target)
        except BaseException:
            with contextlib.suppress(OSError):
                made.unlink(missing_ok=True)
            raise
        self._remember(target)

    def _remember(self, target: Path) -> None:
        left = Left(str(target), int(time.time()), traces(target.parent))
        value = msgspec.json.encode(left)
        self._index.write(lambda transaction: transaction.set_property(LEFT, value))

    def _write(self, view: Snapshot, made: Path) -> None:
        writer = SqliteWriter(made)
        try:
            self._read(view, writer)
            totals = view.totals()
            writer.finish(
                totals.next_id - 1,
                totals.next_change - 1,
                totals.next_export - 1,
                totals.next_recycling - 1,
            )
        except BaseException:
            writer.abandon()
            raise

    def _read(self, view: Snapshot, writer: SqliteWriter | None) -> None:
        """Everything, into an index if there is one to be made."""
        files = FileCheck(file_path(self._settings))
        try:
            done = self._before
            for part in _resources(view):
                stored = stored_resources(view, part)
                files.add(stored)
                self._take(part, stored)
                if writer is not None:
                    writer.add_resources(stored)
                done += len(part)
                self._progress(done, self._whole)
            self._findings += files.close()
        finally:
            files.cancel()
        if writer is not None:
            writer.add_recycling(sorted(self._recycling))
        self._read_changes(view, writer)
        self._read_exports(view, writer)
        values, strays = write_values(view, writer)
        self._taken.properties = write_properties(view, writer) + values
        self._not_held = not_held(view, self._settings) + strays

    def _take(self, part: list[Resource], stored: list[StoredResource]) -> None:
        taken, levels = self._taken, [0, 0, 0, 0]
        for resource, each in zip(part, stored, strict=True):
            levels[resource.level] += 1
            taken.metadata += len(each.metadata) + len(each.user_metadata)
            taken.labels += len(each.labels)
            taken.attachments += len(each.attachments)
            for attachment in resource.attachments.values():
                taken.bytes += attachment.stored_size
                if self._settings.store_md5 and lacks_md5(attachment):
                    self._to_compute[0] += 1
                    self._to_compute[1] += attachment.stored_size
            if resource.unstable_since:
                self._unstable.count += 1
            if resource.level == Level.PATIENT:
                taken.protected += resource.protected
                if resource.recycling:
                    self._recycling.append((resource.recycling, resource.id))
        taken.patients += levels[Level.PATIENT]
        taken.studies += levels[Level.STUDY]
        taken.series += levels[Level.SERIES]
        taken.instances += levels[Level.INSTANCE]

    def _read_changes(self, view: Snapshot, writer: SqliteWriter | None) -> None:
        last = 0
        while page := view.changes(last, limit=_ENTRIES_AT_ONCE).changes:
            last = page[-1][0]
            known = [each for each in page if each[1].type not in self._changes]
            for _, change in page:
                if change.type in self._changes:
                    self._changes[change.type].count += 1
            found, strays = stored_changes(view, known)
            self._strays.count += strays
            self._taken.changes += len(found)
            if writer is not None:
                writer.add_changes(found)

    def _read_exports(self, view: Snapshot, writer: SqliteWriter | None) -> None:
        last = 0
        while page := view.exports(last, _ENTRIES_AT_ONCE)[0]:
            last = page[-1][0]
            self._taken.exports += len(page)
            if writer is not None:
                writer.add_exports([stored_export(*each) for each in page])


def _resources(view: Snapshot) -> Iterator[list[Resource]]:
    last = 0
    while part := view.created_after(last, PART):
        yield part
        last = part[-1].id
