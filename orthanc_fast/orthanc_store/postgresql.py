"""The PostgreSQL index of an Orthanc, as Orthanc's plugin makes it, and the files that it may keep
in the database too.

Everything is read in one transaction, which sees one state and changes nothing. The client is
pg8000, an optional extra of this program.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from orthanc_fast._ext.ids import from_text
from orthanc_fast.errors import IncompatibleDatabase, NotImplementedYet, StorageFault
from orthanc_fast.model import Level
from orthanc_fast.orthanc_store.model import (
    SCHEMA,
    SCHEMA_VERSION,
    Ancestor,
    Facts,
    Queued,
    Share,
    Sizes,
    Source,
    StoredAttachment,
    StoredChange,
    StoredExport,
    StoredResource,
    StoredValue,
    Unreadable,
)
from orthanc_fast.registries import (
    DICOM_ATTACHMENT,
    FIRST_USER_NUMBER,
    MAIN_DICOM_TAGS_SIGNATURE,
)

if TYPE_CHECKING:
    from pg8000.native import Connection

PART: Final = 2000  # rows that are in memory together
CHUNK: Final = 4 << 20  # bytes of a file that are

_TABLES: Final = frozenset(
    {
        *("globalproperties", "resources", "maindicomtags", "metadata", "attachedfiles"),
        *("changes", "exportedresources", "patientrecyclingorder", "serverproperties"),
    }
)
# What else the observed versions have; anything beyond is named.
_KNOWN: Final = _TABLES | {
    *("deletedfiles", "deletedresources", "dicomidentifiers", "globalintegers", "labels"),
    *("remainingancestor", "storagearea"),
}
_LEVELS: Final = tuple(Level)  # by the plugin's number
_texts = msgspec.json.Decoder(dict[int, str]).decode
_numbers = msgspec.json.Decoder(dict[int, int]).decode
_labels = msgspec.json.Decoder(list[str]).decode
_files = msgspec.json.Decoder(list[tuple[int, str, int, int, int, str, str, int]]).decode


def connect(section: dict[str, Any]) -> "Connection":
    """A connection by the options of Orthanc's section `PostgreSQL`. Raises NotImplementedYet where
    the client is not installed, StorageFault where the server does not answer."""
    try:
        from pg8000.exceptions import DatabaseError, InterfaceError
        from pg8000.native import Connection
    except ImportError as error:
        raise NotImplementedYet(
            "PostgreSQL needs a client: pip install 'orthanc-fast[postgresql]'"
        ) from error
    uri = urlsplit(str(section.get("ConnectionUri", "")))
    try:
        return Connection(
            unquote(uri.username or "") or str(section.get("Username", "orthanc")),
            host=uri.hostname or str(section.get("Host", "localhost")),
            port=uri.port or int(section.get("Port", 5432)),
            database=uri.path.strip("/") or str(section.get("Database", "orthanc")),
            password=unquote(uri.password or "") or str(section.get("Password", "")),
            ssl_context=True if section.get("EnableSsl") else None,
            timeout=None,
            application_name="orthanc-fast",
        )
    except (InterfaceError, DatabaseError, OSError) as error:
        raise StorageFault("PostgreSQL cannot be reached", private=error) from error


class _Reader:
    """A transaction that sees one state, in which everything is asked."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._cursors = 0
        self.all("START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def all(self, statement: str, **values: Any) -> list[Any]:
        from pg8000.exceptions import DatabaseError, InterfaceError

        try:
            return list(self._connection.run(statement, **values) or ())
        except (InterfaceError, DatabaseError, OSError) as error:
            raise StorageFault("PostgreSQL has failed", private=error) from error

    def one(self, statement: str) -> Any:
        return self.all(statement)[0][0]

    def parts(self, statement: str) -> Iterator[list[Any]]:
        self._cursors += 1
        name = f"part{self._cursors}"
        self.all(f"DECLARE {name} NO SCROLL CURSOR FOR {statement}")
        while rows := self.all(f"FETCH {PART} FROM {name}"):
            yield rows
        self.all(f"CLOSE {name}")

    def tables(self) -> set[str]:
        rows = self.all(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = ANY (current_schemas(false))"
        )
        return {name for (name,) in rows}

    def close(self) -> None:
        self._connection.close()


class PostgresSource(Source):
    """See `Source`."""

    def __init__(self, connection: "Connection") -> None:
        """Takes the connection over. Raises IncompatibleDatabase where an Orthanc uses the
        database, or where it is not one of a known Orthanc."""
        self._reader = _Reader(connection)
        try:
            self._prepare()
        except BaseException:
            self._reader.close()
            raise

    def _prepare(self) -> None:
        self._tables = self._reader.tables()
        if missing := _TABLES - self._tables:
            raise IncompatibleDatabase(
                "the database holds no index of an Orthanc that is known here: it has no table "
                f"{min(missing)}"
            )
        users = self._reader.all(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND usename = current_user "
            "AND backend_type = 'client backend'"
        )
        if users:
            raise IncompatibleDatabase(
                f"the database is in use (backend {users[0][0]} of PostgreSQL): stop the Orthanc "
                "that runs on it, and whatever else is connected as its user"
            )
        rows = self._reader.all("SELECT property, value FROM globalproperties")
        self._properties = {number: value or "" for number, value in rows}
        rows = self._reader.all("SELECT property, value FROM serverproperties ORDER BY server")
        self._properties.update({number: value or "" for number, value in rows})
        version = self._properties.get(SCHEMA_VERSION, "")
        if version != str(SCHEMA):
            raise IncompatibleDatabase(
                f"the index has the schema {version or 'of an unknown number'}, Orthanc 1.10 to "
                f"1.13 have {SCHEMA}: let such an Orthanc upgrade it first (Orthanc --upgrade)"
            )

    def close(self) -> None:
        self._reader.close()

    # What there is

    def facts(self) -> Facts:
        one = self._reader.one
        counts = dict(
            self._reader.all("SELECT resourcetype, COUNT(*) FROM resources GROUP BY resourcetype")
        )
        ((files, stored, size),) = self._reader.all(
            "SELECT COUNT(*), COALESCE(SUM(compressedsize), 0), "
            "COALESCE(SUM(uncompressedsize), 0) FROM attachedfiles"
        )
        return Facts(
            version="1.10 to 1.13",
            resources=[counts.get(level, 0) for level in Level],
            attachments=files,
            stored=int(stored),
            size=int(size),
            changes=one("SELECT COUNT(*) FROM changes"),
            exports=one("SELECT COUNT(*) FROM exportedresources"),
            last_resource=self._last("resources_internalid_seq"),
            last_change=self._last("changes_seq_seq"),
            last_export=self._last("exportedresources_seq_seq"),
            properties=self._properties,
        )

    def _last(self, sequence: str) -> int:
        ((value, is_called),) = self._reader.all(f"SELECT last_value, is_called FROM {sequence}")
        return int(value) if is_called else 0

    def unreadable(self) -> list[Unreadable]:
        unknown = sorted(self._tables - _KNOWN)
        reason = "tables of a plugin that is newer than those known here"
        return [Unreadable(reason, len(unknown), unknown)] if unknown else []

    # Resources

    def hierarchy(self) -> Iterator[Ancestor]:
        for rows in self._reader.parts(
            "SELECT internalid, resourcetype, publicid, COALESCE(parentid, 0) FROM resources "
            "WHERE resourcetype < 3"
        ):
            for number, level, public, parent in rows:
                yield Ancestor(number, _LEVELS[level], _public(public), parent)

    def sizes(self) -> Iterator[Sizes]:
        for rows in self._reader.parts(
            "SELECT parentid, COUNT(*) FROM resources WHERE resourcetype = 3 GROUP BY parentid"
        ):
            for owner, count in rows:
                yield Sizes(owner, instances=count)
        of_dicom = f"SUM(CASE WHEN filetype = {DICOM_ATTACHMENT} THEN {{}} ELSE 0 END)"
        for rows in self._reader.parts(
            "SELECT CASE WHEN resourcetype = 3 THEN parentid ELSE internalid END, "
            "SUM(compressedsize), SUM(uncompressedsize), "
            f"{of_dicom.format('compressedsize')}, {of_dicom.format('uncompressedsize')} "
            "FROM attachedfiles JOIN resources ON internalid = id GROUP BY 1"
        ):
            for owner, *sizes in rows:
                yield Sizes(owner, 0, *(int(each) for each in sizes))

    def check(self) -> None:
        """The server does that."""

    def signatures(self) -> list[str]:
        rows = self._reader.all(
            "SELECT DISTINCT COALESCE(value, '') FROM metadata "
            f"WHERE type = {MAIN_DICOM_TAGS_SIGNATURE}"
        )
        return sorted({text for (text,) in rows} - {""})

    def shares(self, count: int) -> list[Share]:
        return []  # all is read in one transaction

    def parts(self) -> Iterator[list[StoredResource]]:
        own = "WHERE id = internalid"
        labels = "NULL"
        if "labels" in self._tables:
            labels = f"(SELECT json_agg(label ORDER BY label) FROM labels {own})"
        statement = (
            "SELECT internalid, resourcetype, publicid, COALESCE(parentid, 0), "
            "CAST((SELECT json_object_agg((taggroup << 16) | tagelement, COALESCE(value, '')) "
            f"FROM maindicomtags {own}) AS text), "
            "CAST((SELECT json_object_agg(type, COALESCE(value, '')) "
            f"FROM metadata {own}) AS text), "
            f"CAST((SELECT json_object_agg(type, revision) FROM metadata {own} AND revision > 0) "
            "AS text), "
            "CAST((SELECT json_agg(json_build_array(filetype, uuid, uncompressedsize, "
            "compressedsize, compressiontype, COALESCE(uncompressedhash, ''), "
            f"COALESCE(compressedhash, ''), COALESCE(revision, 0))) FROM attachedfiles {own}) "
            f"AS text), CAST({labels} AS text) FROM resources ORDER BY internalid"
        )
        for rows in self._reader.parts(statement):
            yield [_resource(*row) for row in rows]

    # The order of our tables

    def by_identifier(self) -> Iterator[list[tuple[Level, bytes, int]]]:
        for rows in self._reader.parts(
            "SELECT resourcetype, publicid, internalid FROM resources "
            'ORDER BY 1, publicid COLLATE "C"'
        ):
            yield [(_LEVELS[level], _public(text), number) for level, text, number in rows]

    def children(self) -> Iterator[list[tuple[int, bytes]]]:
        for rows in self._reader.parts(
            "SELECT parentid, publicid FROM resources WHERE parentid IS NOT NULL "
            'ORDER BY 1, publicid COLLATE "C"'
        ):
            yield [(parent, _public(text)) for parent, text in rows]

    # The logs

    def changes(self) -> Iterator[list[StoredChange]]:
        for rows in self._reader.parts(
            "SELECT seq, changetype, c.internalid, c.resourcetype, publicid, COALESCE(date, '') "
            "FROM changes c JOIN resources r ON r.internalid = c.internalid ORDER BY seq"
        ):
            yield [
                StoredChange(sequence, kind, number, _LEVELS[level], _public(text), date)
                for sequence, kind, number, level, text, date in rows
            ]

    def changes_of(self) -> Iterator[list[tuple[int, int]]]:
        for rows in self._reader.parts("SELECT internalid, seq FROM changes ORDER BY 1, 2"):
            yield [(number, sequence) for number, sequence in rows]

    def exports(self) -> Iterator[list[StoredExport]]:
        for rows in self._reader.parts(
            "SELECT seq, resourcetype, publicid, remotemodality, patientid, studyinstanceuid, "
            "seriesinstanceuid, sopinstanceuid, date FROM exportedresources ORDER BY seq"
        ):
            yield [
                StoredExport(
                    sequence, _LEVELS[level], _public(public), *(text or "" for text in texts)
                )
                for sequence, level, public, *texts in rows
            ]

    def recycling(self) -> Iterator[list[tuple[int, int]]]:
        statement = "SELECT seq, patientid FROM patientrecyclingorder ORDER BY seq"
        for rows in self._reader.parts(statement):
            yield [(position, patient) for position, patient in rows]

    def key_values(self) -> Iterator[list[StoredValue]]:
        return iter(())

    def queues(self) -> Iterator[list[Queued]]:
        return iter(())


class DatabaseFiles:
    """The files that Orthanc's plugin keeps in the database as large objects."""

    def __init__(self, connection: "Connection") -> None:
        """Takes the connection over."""
        self._reader = _Reader(connection)
        self._has_files = "storagearea" in self._reader.tables()

    def names(self) -> Iterator[tuple[str, int]]:
        """The UUID of each file and the number of its object."""
        if self._has_files:
            for rows in self._reader.parts("SELECT uuid, content FROM storagearea ORDER BY uuid"):
                yield from rows

    def read(self, number: int) -> Iterator[bytes]:
        """The bytes of an object, in parts."""
        start = 0
        while True:
            ((part,),) = self._reader.all(
                "SELECT lo_get(CAST(:number AS oid), CAST(:start AS bigint), "
                "CAST(:size AS integer))",
                number=number,
                start=start,
                size=CHUNK,
            )
            if part:
                yield part
            start += len(part)
            if len(part) < CHUNK:
                return

    def close(self) -> None:
        self._reader.close()


def _resource(
    number: int,
    level: int,
    public: str,
    parent: int,
    tags: str | None,
    metadata: str | None,
    revisions: str | None,
    files: str | None,
    labels: str | None,
) -> StoredResource:
    texts = _texts(metadata) if metadata else {}
    users = {each for each in texts if each >= FIRST_USER_NUMBER}
    return StoredResource(
        number,
        _LEVELS[level],
        _public(public),
        parent,
        _texts(tags) if tags else {},
        {each: text for each, text in texts.items() if each not in users},
        {each: texts[each].encode() for each in users},
        _numbers(revisions) if revisions else {},
        [StoredAttachment(*each) for each in _files(files)] if files else [],
        _labels(labels) if labels else [],
    )


def _public(text: str) -> bytes:
    found = from_text(text)
    if found is None:
        raise StorageFault(f"the index of the Orthanc is damaged: the identifier {text!r}")
    return found
