"""The SQLite index of an Orthanc from 1.10 to 1.13, read from a copy that belongs to the reader.

What the servers of these versions have made differs in a few tables and columns, by which they are
told apart; the number of the schema is 6 in all of them.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from orthanc_fast.errors import IncompatibleDatabase, StorageFault
from orthanc_fast.model import Level
from orthanc_fast.orthanc_store.model import (
    NOT_COMPRESSED,
    SCHEMA,
    SCHEMA_VERSION,
    ZLIB_WITH_SIZE,
    Ancestor,
    Facts,
    Queued,
    Share,
    Sizes,
    Source,
    StoredChange,
    StoredExport,
    StoredResource,
    StoredValue,
    Unreadable,
)
from orthanc_fast.orthanc_store.sqlite_parts import (
    LEVELS,
    PART,
    Parts,
    damaged,
    public_of,
    read_alone,
    text_of,
)
from orthanc_fast.registries import DICOM_ATTACHMENT, MAIN_DICOM_TAGS_SIGNATURE

_NAMED: Final = 20  # subjects of one reason

_TABLES: Final = frozenset(
    {
        *("GlobalProperties", "Resources", "MainDicomTags", "DicomIdentifiers", "Metadata"),
        *("AttachedFiles", "Changes", "ExportedResources", "PatientRecyclingOrder"),
        "GlobalIntegers",
    }
)
_IDENTIFIER: Final = "-".join(["[0-9a-f]" * 8] * 5)
_UUID: Final = "-".join("[0-9a-f]" * count for count in (8, 4, 4, 4, 12))

# What is wrong with rows, and which these are; they are taken out of the copy before it is read.
# Nothing of it can come about in a server that works.
_BAD_ROWS: Final = (
    (
        "resources without a proper identifier or level",
        "Resources",
        f"publicId IS NULL OR publicId NOT GLOB '{_IDENTIFIER}' "
        "OR resourceType NOT BETWEEN 1 AND 4",
        "publicId",
    ),
    (
        "resources that are in the index twice",
        "Resources",
        "EXISTS (SELECT 1 FROM Resources o WHERE o.publicId = Resources.publicId "
        "AND +o.resourceType = Resources.resourceType AND o.internalId < Resources.internalId)",
        "publicId",
    ),
    (
        "resources without a parent",
        "Resources",
        "(resourceType > 1) <> (parentId IS NOT NULL) OR (parentId IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM Resources p WHERE p.internalId = Resources.parentId "
        "AND p.resourceType = Resources.resourceType - 1))",
        "publicId",
    ),
    (
        "patients, studies and series without children",
        "Resources",
        "resourceType < 4 AND NOT EXISTS "
        "(SELECT 1 FROM Resources c WHERE c.parentId = Resources.internalId)",
        "publicId",
    ),
    (
        "attachments without a proper UUID, size or compression",
        "AttachedFiles",
        f"uuid IS NULL OR uuid NOT GLOB '{_UUID}' OR compressedSize < 0 OR uncompressedSize < 0 "
        f"OR compressionType NOT IN ({NOT_COMPRESSED}, {ZLIB_WITH_SIZE})",
        "uuid",
    ),
    (
        "changes of an unknown level",
        "Changes",
        "resourceType NOT BETWEEN 1 AND 4",
        "seq",
    ),
    (
        "exports without a proper identifier or level",
        "ExportedResources",
        f"publicId IS NULL OR publicId NOT GLOB '{_IDENTIFIER}' "
        "OR resourceType NOT BETWEEN 1 AND 4",
        "seq",
    ),
)
_OF_RESOURCES: Final = (
    *(("MainDicomTags", "id"), ("Metadata", "id"), ("AttachedFiles", "id"), ("Labels", "id")),
    *(("Changes", "internalId"), ("PatientRecyclingOrder", "patientId")),
)


class SqliteSource(Source):
    """See `Source`."""

    def __init__(self, path: Path) -> None:
        """Opens a copy, which may be written. Raises IncompatibleDatabase for what is not the index
        of a known Orthanc, StorageFault for a damaged one."""
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            raise damaged(error) from error
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        try:
            self._tables = self._names("SELECT name FROM sqlite_master WHERE type = 'table'")
            if missing := _TABLES - self._tables:
                raise IncompatibleDatabase(
                    f"this is no index of an Orthanc: it has no table {min(missing)}"
                )
            self._properties = self._read_properties()
            self._check_version()
            # The log of the original is taken over, and who reads the copy needs no other file.
            self._db.execute("PRAGMA journal_mode = DELETE")
            self._has_revisions = "revision" in self._names(
                "SELECT name FROM pragma_table_info('Metadata')"
            )
            self._unreadable = self._remove_bad_rows()
        except sqlite3.Error as error:
            raise damaged(error) from error

    def _check_version(self) -> None:
        version = self._properties.get(SCHEMA_VERSION, "")
        if version != str(SCHEMA):
            raise IncompatibleDatabase(
                f"the index has the schema {version or 'of an unknown number'}, Orthanc 1.10 to "
                f"1.13 have {SCHEMA}: let such an Orthanc upgrade it first (Orthanc --upgrade)"
            )

    def check(self) -> None:
        """Over a connection of its own, so that a thread of its own may wait for it."""
        try:
            with contextlib.closing(sqlite3.connect(self._path)) as connection:
                (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            raise damaged(error) from error
        if found != "ok":
            raise StorageFault(f"the index of the Orthanc is damaged: {found}")

    def _names(self, statement: str) -> set[str]:
        return {name for (name,) in self._db.execute(statement)}

    def _read_properties(self) -> dict[int, str]:
        rows = self._db.execute("SELECT property, CAST(value AS BLOB) FROM GlobalProperties")
        return {number: text_of(value) for number, value in rows}

    def _remove_bad_rows(self) -> list[Unreadable]:
        """The triggers of the server call functions of its own, and what they do is not wanted."""
        for name in self._names("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            self._db.execute(f'DROP TRIGGER "{name}"')
        self._db.execute("PRAGMA synchronous = OFF")
        found: list[Unreadable] = []
        removed = True
        while removed:  # children of what is removed are without a parent
            removed = False
            for reason, table, condition, subject in _BAD_ROWS:
                rows = self._db.execute(
                    f"SELECT {subject} FROM {table} WHERE {condition} LIMIT {_NAMED}"
                ).fetchall()
                if rows:
                    count = self._db.execute(f"DELETE FROM {table} WHERE {condition}").rowcount
                    found.append(Unreadable(reason, count, [str(row[0]) for row in rows]))
                    removed = removed or table == "Resources"
        for table, column in _OF_RESOURCES:
            if table in self._tables:
                strays = f"{column} NOT IN (SELECT internalId FROM Resources)"
                count = self._db.execute(f"DELETE FROM {table} WHERE {strays}").rowcount
                if count:
                    found.append(Unreadable(f"rows of {table} that belong to nothing", count, []))
        return found

    def close(self) -> None:
        self._db.close()

    # What there is

    def facts(self) -> Facts:
        one = self._one
        counts = dict(
            self._rows("SELECT resourceType, COUNT(*) FROM Resources GROUP BY resourceType")
        )
        last = dict(self._rows("SELECT name, seq FROM sqlite_sequence"))
        stored, size = one(
            "SELECT COALESCE(SUM(compressedSize), 0), COALESCE(SUM(uncompressedSize), 0) "
            "FROM AttachedFiles"
        )
        version = "1.10 or 1.11"
        if "Labels" in self._tables:
            version = "1.12.8 to 1.13" if self._has_revisions else "1.12 before 1.12.8"
        return Facts(
            version=version,
            resources=[counts.get(level + 1, 0) for level in Level],
            attachments=one("SELECT COUNT(*) FROM AttachedFiles")[0],
            stored=stored,
            size=size,
            changes=one("SELECT COUNT(*) FROM Changes")[0],
            exports=one("SELECT COUNT(*) FROM ExportedResources")[0],
            last_resource=last.get("Resources", 0),
            last_change=last.get("Changes", 0),
            last_export=last.get("ExportedResources", 0),
            properties=self._properties,
        )

    def unreadable(self) -> list[Unreadable]:
        return self._unreadable

    # Resources

    def hierarchy(self) -> Iterator[Ancestor]:
        rows = self._rows(
            "SELECT internalId, resourceType, publicId, COALESCE(parentId, 0) FROM Resources "
            "WHERE resourceType < 4"
        )
        for number, level, public, parent in rows:
            yield Ancestor(number, LEVELS[level], public_of(public), parent)

    def sizes(self) -> Iterator[Sizes]:
        for owner, count in self._rows(
            "SELECT parentId, COUNT(*) FROM Resources WHERE resourceType = 4 GROUP BY parentId"
        ):
            yield Sizes(owner, instances=count)
        of_dicom = f"SUM(CASE WHEN fileType = {DICOM_ATTACHMENT} THEN {{}} ELSE 0 END)"
        for owner, *sizes in self._rows(
            "SELECT CASE WHEN r.resourceType = 4 THEN r.parentId ELSE r.internalId END, "
            "SUM(compressedSize), SUM(uncompressedSize), "
            f"{of_dicom.format('compressedSize')}, {of_dicom.format('uncompressedSize')} "
            "FROM AttachedFiles JOIN Resources r ON r.internalId = id GROUP BY 1"
        ):
            yield Sizes(owner, 0, *sizes)

    def signatures(self) -> list[str]:
        rows = self._all(
            "SELECT DISTINCT CAST(value AS BLOB) FROM Metadata "
            f"WHERE type = {MAIN_DICOM_TAGS_SIGNATURE}"
        )
        return sorted({text_of(value) for (value,) in rows} - {""})

    def parts(self) -> Iterator[list[StoredResource]]:
        parts = Parts(self._db, self._has_revisions, "Labels" in self._tables)
        return parts.read(parts.bounds())

    def shares(self, count: int) -> list[Share]:
        has_labels = "Labels" in self._tables
        bounds = Parts(self._db, self._has_revisions, has_labels).bounds()
        return [
            partial(read_alone, self._path, self._has_revisions, has_labels, bounds[at::count])
            for at in range(count)
        ]

    # The order of our tables

    def by_identifier(self) -> Iterator[list[tuple[Level, bytes, int]]]:
        for level in Level:
            # Instances, which are most, along the index of identifiers; the others by their level,
            # and sorted. A plus keeps SQLite from the other index.
            is_most = level == Level.INSTANCE
            condition = "+resourceType = ?" if is_most else "resourceType = ?"
            order = "publicId" if is_most else "+publicId"
            for rows in self._parts(
                f"SELECT publicId, internalId FROM Resources WHERE {condition} ORDER BY {order}",
                (level + 1,),
            ):
                yield [(level, public_of(text), number) for text, number in rows]

    def children(self) -> Iterator[list[tuple[int, bytes]]]:
        for rows in self._parts(
            "SELECT parentId, publicId FROM Resources WHERE parentId IS NOT NULL "
            "ORDER BY parentId, publicId"
        ):
            yield [(parent, public_of(text)) for parent, text in rows]

    # The logs

    def changes(self) -> Iterator[list[StoredChange]]:
        for rows in self._parts(
            "SELECT seq, changeType, c.internalId, c.resourceType, publicId, COALESCE(date, '') "
            "FROM Changes c JOIN Resources r ON r.internalId = c.internalId ORDER BY seq"
        ):
            yield [
                StoredChange(sequence, kind, number, LEVELS[level], public_of(text), date)
                for sequence, kind, number, level, text, date in rows
            ]

    def changes_of(self) -> Iterator[list[tuple[int, int]]]:
        yield from self._parts("SELECT internalId, seq FROM Changes ORDER BY internalId, seq")

    def exports(self) -> Iterator[list[StoredExport]]:
        for rows in self._parts(
            "SELECT seq, resourceType, publicId, remoteModality, patientId, studyInstanceUid, "
            "seriesInstanceUid, sopInstanceUid, date FROM ExportedResources ORDER BY seq"
        ):
            yield [
                StoredExport(
                    sequence, LEVELS[level], public_of(public), *(text or "" for text in texts)
                )
                for sequence, level, public, *texts in rows
            ]

    def recycling(self) -> Iterator[list[tuple[int, int]]]:
        yield from self._parts("SELECT seq, patientId FROM PatientRecyclingOrder ORDER BY seq")

    # What scripts keep

    def key_values(self) -> Iterator[list[StoredValue]]:
        if "KeyValueStores" in self._tables:
            for rows in self._parts("SELECT storeId, key, CAST(value AS BLOB) FROM KeyValueStores"):
                yield [StoredValue(*row) for row in rows]

    def queues(self) -> Iterator[list[Queued]]:
        if "Queues" in self._tables:
            for rows in self._parts(
                "SELECT queueId, id, CAST(value AS BLOB) FROM Queues ORDER BY id"
            ):
                yield [Queued(*row) for row in rows]

    # Asking

    def _rows(self, statement: str) -> Iterator[Any]:
        for part in self._parts(statement):
            yield from part

    def _parts(self, statement: str, values: Sequence[Any] = ()) -> Iterator[list[Any]]:
        try:
            cursor = self._db.execute(statement, values)
            while part := cursor.fetchmany(PART):
                yield part
        except sqlite3.Error as error:
            raise damaged(error) from error

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise damaged(error) from error

    def _one(self, statement: str) -> Any:
        return self._all(statement)[0]
