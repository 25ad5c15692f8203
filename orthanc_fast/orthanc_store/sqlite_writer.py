"""A new SQLite index for an Orthanc of 1.13, filled at once: what `SqliteSource` reads, written.

Tables come first, their indexes and triggers when they are full. Nothing is synced before the end,
so that what an interruption leaves is of no use.
"""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from orthanc_fast._ext.ids import to_text
from orthanc_fast.errors import FullStorage, StorageFault
from orthanc_fast.model import Level
from orthanc_fast.orthanc_store.model import (
    SCHEMA,
    SCHEMA_VERSION,
    Queued,
    StoredChange,
    StoredExport,
    StoredResource,
    StoredValue,
)
from orthanc_fast.orthanc_store.sqlite_schema import indexes_and_triggers, tables

# Properties that a new database of 1.13 has: that its sizes and its last change are kept up to
# date.
_FACTS: Final = {SCHEMA_VERSION: str(SCHEMA), 6: "1", 7: "1"}
_FULL: Final = "SQLITE_FULL"

_PATIENT: Final = (0x00100020, 0x00100010, 0x00100030)
# Tags that are kept a second time for searches, by level.
IDENTIFIERS: Final = {
    Level.PATIENT: _PATIENT,
    Level.STUDY: (*_PATIENT, 0x0020000D, 0x00080050, 0x00081030, 0x00080020),
    Level.SERIES: (0x0020000E,),
    Level.INSTANCE: (0x00080018,),
}
_SPACES: Final = str.maketrans("%_", "  ")


def normalised(text: str) -> str:
    """A value as it is kept for searches. Source: reference chapter 1, section 5.2."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(each for each in text if " " <= each < "\x7f")
    return text.translate(_SPACES).upper().strip(" ")


class SqliteWriter:
    """Fills a new database; each method may be called many times. All raise FullStorage or
    StorageFault."""

    def __init__(self, path: Path) -> None:
        """Where nothing may be yet."""
        self._path = path
        self._sizes = [0, 0]
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            raise self._fault(error) from error
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -65536"):
            self._run(f"PRAGMA {pragma}")
        self._run("BEGIN")
        for statement in tables():
            self._run(statement)
        for number, text in _FACTS.items():
            self.set_property(number, text.encode())

    def add_resources(self, part: Sequence[StoredResource]) -> None:
        """With all that belongs to each, by ascending id."""
        self._insert(
            "Resources",
            4,
            ((each.id, each.level + 1, to_text(each.public), each.parent or None) for each in part),
        )
        self._insert("MainDicomTags", 4, (row for each in part for row in _tags(each)))
        self._insert("DicomIdentifiers", 4, (row for each in part for row in _identifiers(each)))
        self._insert("Metadata", 4, (row for each in part for row in _metadata(each)))
        self._add_any_bytes(part)
        self._insert("AttachedFiles", 10, (row for each in part for row in _attachments(each)))
        self._insert("Labels", 2, ((each.id, label) for each in part for label in each.labels))
        for each in part:
            for attachment in each.attachments:
                self._sizes[0] += attachment.stored_size
                self._sizes[1] += attachment.size

    def _add_any_bytes(self, part: Sequence[StoredResource]) -> None:
        """Metadata of users are texts for Orthanc, of whatever bytes they are."""
        self._many(
            "INSERT INTO Metadata VALUES (?, ?, CAST(? AS TEXT), ?)",
            (
                (each.id, number, value, each.revisions.get(number, 0))
                for each in part
                for number, value in each.user_metadata.items()
            ),
        )

    def add_recycling(self, part: Iterable[tuple[int, int]]) -> None:
        """Positions, and the ids of patients."""
        self._insert("PatientRecyclingOrder", 2, part)

    def add_changes(self, part: Iterable[StoredChange]) -> None:
        self._insert(
            "Changes",
            5,
            ((each.sequence, each.kind, each.resource, each.level + 1, each.date) for each in part),
        )

    def add_exports(self, part: Iterable[StoredExport]) -> None:
        self._insert(
            "ExportedResources",
            9,
            (
                (
                    *(each.sequence, each.level + 1, to_text(each.public), each.modality),
                    *(each.patient_id, each.study_uid, each.series_uid, each.sop_uid, each.date),
                )
                for each in part
            ),
        )

    def add_values(self, part: Iterable[StoredValue]) -> None:
        self._insert("KeyValueStores", 3, ((each.store, each.key, each.value) for each in part))

    def add_queued(self, part: Iterable[Queued]) -> None:
        """In the order of the queues; they get new numbers."""
        self._many(
            "INSERT INTO Queues(queueId, value) VALUES (?, ?)",
            ((each.queue, each.value) for each in part),
        )

    def set_property(self, number: int, value: bytes) -> None:
        self._run(
            "INSERT OR REPLACE INTO GlobalProperties VALUES (?, CAST(? AS TEXT))", number, value
        )

    def finish(
        self, last_resource: int, last_change: int, last_export: int, last_recycling: int
    ) -> None:
        """Makes it durable, and closes it. The last numbers that were given are not given again."""
        for table, last in (
            ("Resources", last_resource),
            ("Changes", last_change),
            ("ExportedResources", last_export),
            ("PatientRecyclingOrder", last_recycling),
        ):
            self._run("DELETE FROM sqlite_sequence WHERE name = ?", table)
            if last:
                self._run("INSERT INTO sqlite_sequence(name, seq) VALUES (?, ?)", table, last)
        self._insert("GlobalIntegers", 2, enumerate(self._sizes))
        for statement in indexes_and_triggers():
            self._run(statement)
        self._run("COMMIT")
        self._db.close()
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageFault(
                f"cannot write the index: {error.strerror}", private=self._path
            ) from error

    def abandon(self) -> None:
        """Closes it as it is; what is there must be removed."""
        self._db.close()

    def _insert(self, table: str, columns: int, rows: Iterable[Sequence[Any]]) -> None:
        self._many(f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})", rows)

    def _many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        try:
            self._db.executemany(statement, rows)
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _run(self, statement: str, *values: Any) -> None:
        try:
            self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise self._fault(error) from error

    def _fault(self, error: sqlite3.Error) -> Exception:
        if getattr(error, "sqlite_errorname", "") == _FULL:
            return FullStorage("no room for the index of Orthanc", private=self._path.parent)
        return StorageFault(f"cannot write the index of Orthanc: {error}", private=self._path)


def _tags(resource: StoredResource) -> Iterable[tuple[int, int, int, str]]:
    number = resource.id
    return ((number, tag >> 16, tag & 0xFFFF, value) for tag, value in resource.tags.items())


def _identifiers(resource: StoredResource) -> Iterable[tuple[int, int, int, str]]:
    tags = resource.tags
    for tag in IDENTIFIERS[resource.level]:
        if tag in tags:
            yield resource.id, tag >> 16, tag & 0xFFFF, normalised(tags[tag])


def _metadata(resource: StoredResource) -> Iterable[tuple[int, int, str, int]]:
    number, revisions = resource.id, resource.revisions
    return (
        (number, kind, text, revisions.get(kind, 0)) for kind, text in resource.metadata.items()
    )


def _attachments(resource: StoredResource) -> Iterable[tuple[Any, ...]]:
    for each in resource.attachments:
        yield (
            *(resource.id, each.kind, each.uuid, each.stored_size, each.size, each.compression),
            *(each.md5, each.stored_md5, each.revision, each.custom_data or None),
        )
