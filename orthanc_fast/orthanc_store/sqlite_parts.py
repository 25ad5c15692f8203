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
            part = {
                number: StoredResource(number, LEVELS[level], public_of(text), parent)
                for number, level, text, parent in rows
            }
            if part:
                self._fill(part, each)
                yield list(part.values())

    def _fill(self, part: dict[int, StoredResource], bounds: Bounds) -> None:
        self._fill_texts(part, bounds)
        for number, *values, custom in self._all(self._files, bounds):
            found = StoredAttachment(*values)
            if custom:
                found.custom_data = custom.encode() if isinstance(custom, str) else custom
            part[number].attachments.append(found)
        if self._has_labels:
            for number, label in self._all(
                f"SELECT id, label FROM Labels {_WITHIN} ORDER BY id, label", bounds
            ):
                part[number].labels.append(label)

    def _fill_texts(self, part: dict[int, StoredResource], bounds: Bounds) -> None:
        """SQLite gathers the texts of a resource, which takes two thirds of the time that rows of
        their own would."""
        try:
            tags = [
                (number, _texts(texts))
                for number, texts in self._db.execute(
                    "SELECT id, json_group_object((tagGroup << 16) | tagElement, "
                    f"COALESCE(value, '')) FROM MainDicomTags {_WITHIN} GROUP BY id",
                    bounds,
                )
            ]
            metadata = [
                (number, _texts(texts), has_own, has_revisions)
                for number, texts, has_own, has_revisions in self._db.execute(
                    self._metadata, bounds
                )
            ]
        except (sqlite3.OperationalError, msgspec.DecodeError):  # not UTF-8
            self._fill_odd_texts(part, bounds)
            return
        for number, found in tags:
            part[number].tags = found
        has_user_metadata = has_revisions = 0
        for number, found, *rare in metadata:
            part[number].metadata = found
            has_user_metadata |= rare[0]
            has_revisions |= rare[1]
        if has_user_metadata:
            self._fill_user_metadata(part, bounds)
        if has_revisions:
            self._fill_revisions(part, bounds)

    def _fill_odd_texts(self, part: dict[int, StoredResource], bounds: Bounds) -> None:
        for number, group, element, value in self._all(
            f"SELECT id, tagGroup, tagElement, CAST(value AS BLOB) FROM MainDicomTags {_WITHIN}",
            bounds,
        ):
            part[number].tags[group << 16 | element] = text_of(value)
        for number, kind, value in self._all(
            f"SELECT id, type, CAST(value AS BLOB) FROM Metadata {_WITHIN}", bounds
        ):
            part[number].metadata[kind] = text_of(value)
        self._fill_user_metadata(part, bounds)
        if self._has_revisions:
            self._fill_revisions(part, bounds)

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
