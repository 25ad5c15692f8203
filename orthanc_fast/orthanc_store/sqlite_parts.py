"""Resources of the SQLite index of an Orthanc, some at a time, each part by a few queries."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from orthanc_fast._ext.ids import from_text
from orthanc_fast.errors import StorageFault
from orthanc_fast.model import Level
from orthanc_fast.orthanc_store.model import StoredAttachment, StoredResource
from orthanc_fast.registries import FIRST_USER_NUMBER

PART: Final = 2000  # resources, or rows, that are in memory together

Bounds = tuple[int, int]
"""The first and the last id of a part."""

# By Orthanc's number.
LEVELS: Final = (Level.PATIENT, *Level)
_WITHIN: Final = "WHERE id BETWEEN ? AND ?"
_TAGS: Final = (
    "SELECT id, json_group_object((tagGroup << 16) | tagElement, COALESCE(value, '')) "
    f"FROM MainDicomTags {_WITHIN} GROUP BY id"
)
_texts = msgspec.json.Decoder(dict[int, str]).decode


class Parts:
    """Reads parts over a connection. All raise StorageFault where the index is damaged."""

    def __init__(
        self, connection: sqlite3.Connection, has_revisions: bool, has_labels: bool
    ) -> None:
        self._db = connection
        self._has_labels = has_labels
        self._has_revisions = has_revisions
        # What few resources have is asked for where an aggregate says that there is some.
        rare = f"MAX(type) >= {FIRST_USER_NUMBER}"
        rare += ", TOTAL(revision) > 0" if has_revisions else ", 0"
        self._metadata = (
            f"SELECT id, json_group_object(type, COALESCE(value, '')), {rare} "
            f"FROM Metadata {_WITHIN} GROUP BY id"
        )
        rest = "COALESCE(revision, 0), customData" if has_revisions else "0, NULL"
        self._files = (
            "SELECT id, fileType, uuid, uncompressedSize, compressedSize, compressionType, "
            "COALESCE(uncompressedMD5, ''), COALESCE(compressedMD5, ''), "
            f"{rest} FROM AttachedFiles {_WITHIN}"
        )

    def bounds(self) -> list[Bounds]:
        """Those of all parts, in ascending order."""
        last = [
            number
            for (number,) in self._all(
                "SELECT internalId FROM (SELECT internalId, ROW_NUMBER() OVER "
                f"(ORDER BY internalId) AS place FROM Resources) WHERE place % {PART} = 0"
            )
        ]
        (end,) = self._all("SELECT COALESCE(MAX(internalId), 0) FROM Resources")[0]
        if not last or last[-1] < end:
            last.append(end)
        return list(zip([0, *(number + 1 for number in last)], last, strict=False))

    def read(self, bounds: Sequence[Bounds]) -> Iterator[list[StoredResource]]:
        """These parts, one after the other."""
        for each in bounds:
            rows = self._all(
                "SELECT internalId, resourceType, publicId, COALESCE(parentId, 0) FROM Resources "
                "WHERE internalId BETWEEN ? AND ? ORDER BY internalId",
                each,
            )
            if rows:
                yield self._part(rows, each)

    def _part(self, rows: list[Any], bounds: Bounds) -> list[StoredResource]:
        """SQLite gathers the texts of a resource, which takes two thirds of the time that rows of
        their own would."""
        tags: dict[int, dict[int, str]] = {}
        metadata: dict[int, dict[int, str]] = {}
        has_user_metadata = has_revisions = 0
        try:
            for number, texts in self._db.execute(_TAGS, bounds):
                tags[number] = _texts(texts)
            for number, texts, has_own, is_revised in self._db.execute(self._metadata, bounds):
                metadata[number] = _texts(texts)
                has_user_metadata |= has_own
                has_revisions |= is_revised
        except (sqlite3.OperationalError, msgspec.DecodeError):  # not UTF-8
            tags, metadata = self._odd_texts(bounds)
            has_user_metadata, has_revisions = True, self._has_revisions
        part = {
            number: StoredResource(
                number,
                LEVELS[level],
                public_of(text),
                parent,
                tags.get(number) or {},
                metadata.get(number) or {},
            )
            for number, level, text, parent in rows
        }
        if has_user_metadata:
            self._fill_user_metadata(part, bounds)
        if has_revisions:
            self._fill_revisions(part, bounds)
        self._fill_files_and_labels(part, bounds)
        return list(part.values())

    def _fill_files_and_labels(self, part: dict[int, StoredResource], bounds: Bounds) -> None:
        for row in self._all(self._files, bounds):
            found = StoredAttachment(*row[1:-1])
            if custom := row[-1]:
                found.custom_data = custom.encode() if isinstance(custom, str) else custom
            part[row[0]].attachments.append(found)
        if self._has_labels:
            for number, label in self._all(
                f"SELECT id, label FROM Labels {_WITHIN} ORDER BY id, label", bounds
            ):
                part[number].labels.append(label)

    def _odd_texts(self, bounds: Bounds) -> tuple[dict[int, dict[int, str]], ...]:
        """Tags and metadata of each resource, one by one."""
        found: tuple[dict[int, dict[int, str]], ...] = ({}, {})
        for texts, key, table in zip(
            found,
            ("(tagGroup << 16) | tagElement", "type"),
            ("MainDicomTags", "Metadata"),
            strict=True,
        ):
            for number, name, value in self._all(
                f"SELECT id, {key}, CAST(value AS BLOB) FROM {table} {_WITHIN}", bounds
            ):
                texts.setdefault(number, {})[name] = text_of(value)
        return found

    def _fill_user_metadata(self, part: dict[int, StoredResource], bounds: Bounds) -> None:
        """They may be any bytes, and are no metadata of the server's own."""
        for number, kind, value in self._all(
            f"SELECT id, type, CAST(value AS BLOB) FROM Metadata {_WITHIN} "
            f"AND type >= {FIRST_USER_NUMBER}",
            bounds,
        ):
            part[number].user_metadata[kind] = value or b""
            part[number].metadata.pop(kind, None)

    def _fill_revisions(self, part: dict[int, StoredResource], bounds: Bounds) -> None:
        for number, kind, revision in self._all(
            f"SELECT id, type, revision FROM Metadata {_WITHIN} AND revision > 0", bounds
        ):
            part[number].revisions[kind] = revision

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise damaged(error) from error


def read_alone(
    path: Path, has_revisions: bool, has_labels: bool, bounds: Sequence[Bounds]
) -> Iterator[list[StoredResource]]:
    """Parts of a database that nobody writes, over a connection of its own, without locks: those of
    a process that was forked are not this one's."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
    except sqlite3.Error as error:
        raise damaged(error) from error
    try:
        yield from Parts(connection, has_revisions, has_labels).read(bounds)
    finally:
        connection.close()


def public_of(text: str) -> bytes:
    """The bytes of an identifier."""
    found = from_text(text)
    if found is None:
        raise StorageFault(f"the index of the Orthanc is damaged: the identifier {text!r}")
    return found


def text_of(value: bytes | None) -> str:
    """A text that may hold anything."""
    return (value or b"").decode("utf-8", "replace")


def damaged(error: sqlite3.Error) -> StorageFault:
    """What an error of SQLite means here."""
    return StorageFault(f"the index of the Orthanc is damaged: {error}")
