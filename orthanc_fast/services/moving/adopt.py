"""Taking over the store of an Orthanc in place: its index becomes one of ours, its files stay as
and where they are.

The new index is filled beside the place where it belongs, and put there by one rename. Whatever
interrupts it leaves a folder behind that the next attempt removes, and nothing else.
"""

import contextlib
import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import (
    IncompatibleDatabase,
    OrthancError,
    StorageFault,
)
from orthanc_fast.index.contract import Builder
from orthanc_fast.model import Level, Totals
from orthanc_fast.orthanc_store.model import Facts, Source, StoredResource
from orthanc_fast.orthanc_store.postgresql import DatabaseFiles, PostgresSource, connect
from orthanc_fast.orthanc_store.sqlite import SqliteSource
from orthanc_fast.orthanc_store.sqlite_copy import INDEX, Trace, copy_index, is_sqlite
from orthanc_fast.services.moving import plugins
from orthanc_fast.services.moving.export import count_files, export_files
from orthanc_fast.services.moving.files import FileCheck
from orthanc_fast.services.moving.placing import alone, give_to_owner, sync_folder
from orthanc_fast.services.moving.properties import Properties
from orthanc_fast.services.moving.records import Hierarchy, Records, change, export
from orthanc_fast.services.moving.report import Finding, Report, Taken, described, of_rows
from orthanc_fast.services.store.custom_data import PREFIX as CUSTOM_DATA
from orthanc_fast.services.store.foreign import has_index
from orthanc_fast.services.store.opening import INDEX_FOLDER, build_index, file_path

ADOPTED: Final = "adopted"
"""The property that tells where an index came from."""

_UNFINISHED: Final = f"{INDEX_FOLDER}.adopting"
_COPY: Final = "orthanc-fast-adopt-"


class Adopted(msgspec.Struct):
    """What the index came from, when (seconds since the epoch), and what it was like then."""

    source: str
    date: int
    traces: list[Trace]


class Options(msgspec.Struct, frozen=True):
    """`dry_run` changes nothing; `without_plugins` goes on where plugins have no counterpart;
    `trust_files` does not look whether they are there."""

    dry_run: bool = False
    without_plugins: bool = False
    trust_files: bool = False


Progress = Callable[[int, int], None]
"""Told how many resources of how many are done."""


def adopt(
    settings: Settings, options: Options, progress: Progress = lambda done, count: None
) -> Report:
    """Takes over the store that the configuration names. Raises IncompatibleDatabase,
    StorageFault or FullStorage with the reason why it cannot be; then nothing has changed."""
    began = time.monotonic()
    _check_plugins(settings, options)
    folder = settings.index_directory
    if _of_postgresql(settings, "EnableIndex"):  # without a folder of its own
        folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        if has_index(folder / INDEX_FOLDER):
            raise IncompatibleDatabase(
                "there is an index of this server already: start it (orthanc-fast serve)",
                private=folder / INDEX_FOLDER,
            )
        with _source(settings) as (source, name, traces):
            facts = source.facts()
            adoption = _Adoption(source, facts, settings, options, progress)
            exported = _export(settings, options.dry_run)
            if options.dry_run:
                adoption.look(looks_at_files=not exported)
            else:
                _forget_unfinished(folder)
                adoption.build(folder / _UNFINISHED, Adopted(name, int(time.time()), traces))
                _put_in_place(folder)
    return Report(
        not options.dry_run,
        described(name, facts),
        adoption.taken,
        adoption.findings,
        [f"{exported} files of the database in the storage area"] if exported else [],
        seconds=round(time.monotonic() - began, 3),
    )


def _check_plugins(settings: Settings, options: Options) -> None:
    found = plugins.in_the_way(settings)
    if not options.without_plugins:
        found += plugins.without_counterpart(settings)
    if found:
        raise IncompatibleDatabase(
            "the configuration has plugins that this server does not have: " + "; ".join(found) + ""
            "; --without-plugins goes on where only their work is missed"
        )


def _of_postgresql(settings: Settings, option: str) -> dict[str, Any] | None:
    """The section of the plugin, where it is told to keep the index or the files."""
    section = settings.raw.get("PostgreSQL")
    return section if isinstance(section, dict) and section.get(option) is True else None


def _export(settings: Settings, dry_run: bool) -> int:
    section = _of_postgresql(settings, "EnableStorage")
    if section is None:
        return 0
    files = DatabaseFiles(connect(section))
    try:
        return count_files(files) if dry_run else export_files(files, file_path(settings))
    finally:
        files.close()


@contextlib.contextmanager
def _source(settings: Settings) -> Iterator[tuple[Source, str, list[Trace]]]:
    section = _of_postgresql(settings, "EnableIndex")
    if section is not None:
        database = PostgresSource(connect(section))
        try:
            yield database, "PostgreSQL index", []
        finally:
            database.close()
        return
    folder = settings.index_directory
    if not is_sqlite(folder / INDEX):
        raise IncompatibleDatabase(
            "there is no index of an Orthanc: IndexDirectory, or StorageDirectory where it is not "
            "set, names the folder with its file index",
            private=folder,
        )
    with _temporary(settings) as copy:
        path, traces = copy_index(folder, copy)
        source = SqliteSource(path)
        try:
            yield source, "SQLite index", traces
        finally:
            source.close()


@contextlib.contextmanager
def _temporary(settings: Settings) -> Iterator[Path]:
    """A folder for the copy of the index: in TemporaryDirectory, else beside the index, or, where
    that may not be written, where the system has such folders."""
    given = settings.temporary_directory
    candidates = [given] if given else [settings.index_directory, Path(tempfile.gettempdir())]
    reason: OSError | None = None
    for candidate in candidates:
        try:
            for left in candidate.glob(f"{_COPY}*"):
                _remove_if_left(left)
            made = Path(tempfile.mkdtemp(prefix=f"{_COPY}{os.getpid()}-", dir=candidate))
        except OSError as error:
            reason = error
            continue
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return
    raise StorageFault(
        f"no folder for a copy of the index: {reason}: set TemporaryDirectory",
        private=candidates[0],
    )


def _remove_if_left(copy: Path) -> None:
    """A copy whose process is gone."""
    process = copy.name.removeprefix(_COPY).partition("-")[0]
    if not process.isdecimal() or not Path(f"/proc/{process}").exists():
        shutil.rmtree(copy, ignore_errors=True)


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Millions of records are made and dropped, none of them in a circle: looking for circles among
    them takes a good part of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _forget_unfinished(folder: Path) -> None:
    """What an adoption that was interrupted has left; and what a server that refused to start has
    left where the index belongs, which is no index."""
    for left in (folder / _UNFINISHED, folder / INDEX_FOLDER):
        try:
            if left.exists():
                shutil.rmtree(left)
        except OSError as error:
            raise StorageFault(
                f"cannot remove {left.name}: {error.strerror}", private=left
            ) from error


def _put_in_place(folder: Path) -> None:
    made = folder / _UNFINISHED
    try:
        give_to_owner((made, *made.iterdir()), folder)
        made.rename(folder / INDEX_FOLDER)
        sync_folder(folder)
    except OSError as error:
        raise StorageFault(
            f"cannot put the new index in its place: {error.strerror}", private=made
        ) from error


class _Adoption:
    """One source on its way; `taken` and `findings` tell of it afterwards."""

    def __init__(
        self,
        source: Source,
        facts: Facts,
        settings: Settings,
        options: Options,
        progress: Progress,
    ) -> None:
        self._source = source
        self._facts = facts
        self._progress = progress
        self._files = None if options.trust_files else FileCheck(file_path(settings))
        self._settings = settings
        patients, studies, series, instances = facts.resources
        self.taken = Taken(
            patients,
            studies,
            series,
            instances,
            attachments=facts.attachments,
            bytes=facts.stored,
            changes=facts.changes,
            exports=facts.exports,
        )
        self.findings: list[Finding] = of_rows(source.unreadable())

    def look(self, looks_at_files: bool) -> None:
        """What adopting would find."""
        if not looks_at_files:  # they would be exported first
            self._cancel_files()
            self._files = None
        try:
            for part in self._parts():
                self._count(part)
            self.taken.protected = self._facts.resources[Level.PATIENT] - sum(
                len(part) for part in self._source.recycling()
            )
            self._end_files()
        finally:
            self._cancel_files()

    def build(self, folder: Path, adopted: Adopted) -> None:
        """Fills a new index in a folder."""
        builder = build_index(self._settings, folder)
        try:
            self._fill(builder)
            properties = Properties(builder)
            properties.take(self._source, self._facts.properties)
            self.taken.properties = properties.count
            self._end_files()
            self.findings += properties.findings
            builder.set_property(ADOPTED, msgspec.json.encode(adopted))
            builder.finish(self._totals())
        except BaseException as error:
            with contextlib.suppress(OrthancError):
                builder.abandon()
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise StorageFault(f"cannot read the store: {error}") from error
            raise
        finally:
            self._cancel_files()

    def _fill(self, builder: Builder) -> None:
        source = self._source
        hierarchy = Hierarchy(source.hierarchy(), source.sizes())
        self._fill_recycling(builder, hierarchy)
        with _without_collector():
            self._fill_tables(builder, hierarchy)

    def _fill_tables(self, builder: Builder, hierarchy: Hierarchy) -> None:
        source = self._source
        records = Records(hierarchy, builder)
        for part in self._parts():
            self._count(part)
            self._keep_custom_data(builder, part)
            builder.add_resources([records.record(each) for each in part])
        for identifiers in source.by_identifier():
            builder.add_identifiers(identifiers)
        for children in source.children():
            builder.add_children(children)
        for changes in source.changes():
            builder.add_changes([change(each) for each in changes])
        for numbers in source.changes_of():
            builder.add_changes_of(numbers)
        for exports in source.exports():
            builder.add_exports([export(each) for each in exports])

    def _fill_recycling(self, builder: Builder, hierarchy: Hierarchy) -> None:
        count, self._last_recycling = 0, 0
        for part in self._source.recycling():
            for position, patient in part:
                hierarchy.set_recycling(patient, position)
            builder.add_recycling(part)
            count += len(part)
            self._last_recycling = part[-1][0]
        self.taken.protected = self._facts.resources[Level.PATIENT] - count

    def _parts(self) -> Iterator[list[StoredResource]]:
        done, count = 0, sum(self._facts.resources)
        for part in self._source.parts():
            if self._files is not None:
                self._files.add(part)
            yield part
            done += len(part)
            self._progress(done, count)

    def _count(self, part: list[StoredResource]) -> None:
        taken = self.taken
        for each in part:
            taken.metadata += len(each.metadata) + len(each.user_metadata)
            taken.labels += len(each.labels)

    def _keep_custom_data(self, builder: Builder, part: list[StoredResource]) -> None:
        for resource in part:
            for each in resource.attachments:
                if each.custom_data:
                    builder.set_property(CUSTOM_DATA + each.uuid, each.custom_data)

    def _totals(self) -> Totals:
        facts = self._facts
        return Totals(
            next_id=facts.last_resource + 1,
            next_change=facts.last_change + 1,
            next_recycling=self._last_recycling + 1,
            resources=list(facts.resources),
            disk_size=facts.stored,
            uncompressed_size=facts.size,
            next_export=facts.last_export + 1,
        )

    def _end_files(self) -> None:
        if self._files is not None:
            self.findings += self._files.close()

    def _cancel_files(self) -> None:
        if self._files is not None:
            self._files.cancel()
