"""Taking over the store of an Orthanc in place: its index becomes one of ours, its files stay as
and where they are.

The new index is filled beside the place where it belongs, and put there by one rename. Whatever
interrupts it leaves a folder behind that the next attempt removes, and nothing else.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import (
    IncompatibleDatabase,
    StorageFault,
)
from orthanc_fast.orthanc_store.model import Source
from orthanc_fast.orthanc_store.postgresql import DatabaseFiles, PostgresSource, connect
from orthanc_fast.orthanc_store.sqlite import SqliteSource
from orthanc_fast.orthanc_store.sqlite_copy import INDEX, Trace, copy_index, is_sqlite
from orthanc_fast.services.moving import plugins
from orthanc_fast.services.moving.adoption import Adoption, Progress
from orthanc_fast.services.moving.export import count_files, export_files
from orthanc_fast.services.moving.placing import alone, give_to_owner, sync_folder
from orthanc_fast.services.moving.report import Report, described
from orthanc_fast.services.store.adopted import Adopted
from orthanc_fast.services.store.foreign import has_index
from orthanc_fast.services.store.opening import INDEX_FOLDER, file_path

_UNFINISHED: Final = f"{INDEX_FOLDER}.adopting"
_COPY: Final = "orthanc-fast-adopt-"


class Options(msgspec.Struct, frozen=True):
    """`dry_run` changes nothing; `without_plugins` goes on where plugins have no counterpart;
    `trust_files` does not look whether they are there. `processes` make records; 0: as many as
    there are cores, where that pays."""

    dry_run: bool = False
    without_plugins: bool = False
    trust_files: bool = False
    processes: int = 0


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
            adoption = Adoption(source, facts, settings, progress, options.processes)
            exported = _export(settings, options.dry_run)
            looks = not options.trust_files
            if options.dry_run:
                adoption.look(looks and not exported)  # they would be exported first
            else:
                _forget_unfinished(folder)
                adopted = Adopted(name, int(time.time()), traces)
                adoption.build(folder / _UNFINISHED, adopted, looks)
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
