"""The tables of an Orthanc's SQLite index of schema 6, as servers of 1.13 have them and expect
them.

What must be as it is are the names, the columns in their order, and what happens when rows come and
go: learnt from databases that such servers have made. The functions that triggers call belong to
the server that opens the database.
"""

from typing import Final

_OF_RESOURCE: Final = "INTEGER REFERENCES Resources(internalId) ON DELETE CASCADE"
_COUNTED: Final = "INTEGER PRIMARY KEY AUTOINCREMENT"
_TAGS: Final = (
    f"id {_OF_RESOURCE}",
    "tagGroup INTEGER",
    "tagElement INTEGER",
    "value TEXT",
    "PRIMARY KEY(id, tagGroup, tagElement)",
)

TABLES: Final[dict[str, tuple[str, ...]]] = {
    "GlobalProperties": ("property INTEGER PRIMARY KEY", "value TEXT"),
    "Resources": (
        f"internalId {_COUNTED}",
        "resourceType INTEGER",
        "publicId TEXT",
        f"parentId {_OF_RESOURCE}",
    ),
    "MainDicomTags": _TAGS,
    "DicomIdentifiers": _TAGS,
    "Metadata": (
        f"id {_OF_RESOURCE}",
        "type INTEGER",
        "value TEXT",
        "revision INTEGER",
        "PRIMARY KEY(id, type)",
    ),
    "AttachedFiles": (
        f"id {_OF_RESOURCE}",
        "fileType INTEGER",
        "uuid TEXT",
        "compressedSize INTEGER",
        "uncompressedSize INTEGER",
        "compressionType INTEGER",
        "uncompressedMD5 TEXT",
        "compressedMD5 TEXT",
        "revision INTEGER",
        "customData BLOB",
        "PRIMARY KEY(id, fileType)",
    ),
    "Changes": (
        f"seq {_COUNTED}",
        "changeType INTEGER",
        f"internalId {_OF_RESOURCE}",
        "resourceType INTEGER",
        "date TEXT",
    ),
    "ExportedResources": (
        f"seq {_COUNTED}",
        "resourceType INTEGER",
        "publicId TEXT",
        "remoteModality TEXT",
        "patientId TEXT",
        "studyInstanceUid TEXT",
        "seriesInstanceUid TEXT",
        "sopInstanceUid TEXT",
        "date TEXT",
    ),
    "PatientRecyclingOrder": (f"seq {_COUNTED}", f"patientId {_OF_RESOURCE}"),
    "GlobalIntegers": ("key INTEGER PRIMARY KEY", "value INTEGER"),
    "Labels": (f"id {_OF_RESOURCE}", "label TEXT NOT NULL", "PRIMARY KEY(id, label)"),
    "DeletedFiles": ("uuid TEXT NOT NULL", "customData BLOB"),
    "KeyValueStores": (
        "storeId TEXT NOT NULL",
        "key TEXT NOT NULL",
        "value BLOB NOT NULL",
        "PRIMARY KEY(storeId, key)",
    ),
    "Queues": (
        f"id {_COUNTED}",
        "queueId TEXT NOT NULL",
        "value BLOB NOT NULL",
        "reservedUntil INTEGER DEFAULT NULL",
    ),
}

# Of each index its table and columns.
INDEXES: Final[dict[str, str]] = {
    "ChildrenIndex": "Resources(parentId)",
    "PublicIndex": "Resources(publicId)",
    "ResourceTypeIndex": "Resources(resourceType)",
    "PatientRecyclingIndex": "PatientRecyclingOrder(patientId)",
    "MainDicomTagsIndex1": "MainDicomTags(id)",
    "DicomIdentifiersIndex1": "DicomIdentifiers(id)",
    "DicomIdentifiersIndex3": "DicomIdentifiers(tagGroup, tagElement, value)",
    "ChangesIndex": "Changes(internalId)",
    "LabelsIndex1": "Labels(id)",
    "LabelsIndex2": "Labels(label)",
    "QueuesIndex": "Queues(queueId, id)",
}

_COUNT: Final = "UPDATE GlobalIntegers SET value = value {} WHERE key = {}"

# Of each trigger the event and what it does, in the order in which they have been observed.
TRIGGERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "ResourceDeleted": (
        "DELETE ON Resources",
        (
            "SELECT SignalResourceDeleted(old.publicId, old.resourceType)",
            "SELECT SignalRemainingAncestor(publicId, resourceType) FROM Resources "
            "WHERE internalId = old.parentId",
        ),
    ),
    "ResourceDeletedParentCleaning": (
        "DELETE ON Resources WHEN NOT EXISTS "
        "(SELECT 1 FROM Resources WHERE parentId = old.parentId)",
        ("DELETE FROM Resources WHERE internalId = old.parentId",),
    ),
    "PatientAdded": (
        "INSERT ON Resources WHEN new.resourceType = 1",
        ("INSERT INTO PatientRecyclingOrder(patientId) VALUES (new.internalId)",),
    ),
    "AttachedFileIncrementSize": (
        "INSERT ON AttachedFiles",
        (_COUNT.format("+ new.compressedSize", 0), _COUNT.format("+ new.uncompressedSize", 1)),
    ),
    "AttachedFileDecrementSize": (
        "DELETE ON AttachedFiles",
        (_COUNT.format("- old.compressedSize", 0), _COUNT.format("- old.uncompressedSize", 1)),
    ),
    "AttachedFileDeleted": (
        "DELETE ON AttachedFiles",
        (
            "INSERT INTO DeletedFiles(uuid, customData) VALUES (old.uuid, old.customData)",
            "SELECT SignalFileDeleted(old.uuid, old.fileType, old.uncompressedSize, "
            "old.compressionType, old.compressedSize, old.uncompressedMD5, old.compressedMD5)",
        ),
    ),
}


def tables() -> list[str]:
    """What makes the tables."""
    return [f"CREATE TABLE {name}({', '.join(columns)})" for name, columns in TABLES.items()]


def indexes_and_triggers() -> list[str]:
    """What makes the rest, once the tables are filled."""
    made = [f"CREATE INDEX {name} ON {columns}" for name, columns in INDEXES.items()]
    for name, (event, statements) in TRIGGERS.items():
        made.append(f"CREATE TRIGGER {name} AFTER {event} BEGIN {'; '.join(statements)}; END")
    return made
