"""What the index of an Orthanc says, whichever database holds it.

Numbers of levels are ours (`Level`); all other numbers are Orthanc's: types of metadata,
attachments, changes and properties (`registries.py`). Instants are texts as Orthanc has them.
Known from databases that servers of 1.10 to 1.13 have made, all of schema 6.
"""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

import msgspec

from orthanc_fast.model import Level

SCHEMA: Final = 6

NOT_COMPRESSED: Final = 1
ZLIB_WITH_SIZE: Final = 2

# Numbers of global properties.
SCHEMA_VERSION: Final = 1
ANONYMIZATION_SEQUENCE: Final = 3
JOBS_REGISTRY: Final = 5
MODALITIES: Final = 20
PEERS: Final = 21
FIRST_OF_PLUGINS: Final = 1024


class StoredAttachment(msgspec.Struct, gc=False):
    """One file. `compression` is Orthanc's number; MD5s that are not kept are ""."""

    kind: int
    uuid: str
    size: int  # uncompressed, bytes
    stored_size: int
    compression: int
    md5: str = ""
    stored_md5: str = ""
    revision: int = 0
    custom_data: bytes = b""


class StoredResource(msgspec.Struct, gc=False):
    """A patient, study, series or instance. The tags of a study include those of its patient;
    metadata from 1024 on, which may be any bytes, stand in `user_metadata`."""

    id: int
    level: Level
    public: bytes  # 20 bytes of SHA-1
    parent: int  # its id, 0 for a patient
    tags: dict[int, str] = {}
    metadata: dict[int, str] = {}
    user_metadata: dict[int, bytes] = {}
    revisions: dict[int, int] = {}  # of metadata, where not 0
    attachments: list[StoredAttachment] = []
    labels: list[str] = []


class Ancestor(msgspec.Struct, gc=False):
    """A patient, study or series in the hierarchy."""

    id: int
    level: Level
    public: bytes
    parent: int


class Sizes(msgspec.Struct, gc=False):
    """What lies at one place: for a series its instances and their attachments, and for each level
    above an instance its own attachments. `owner` is the id of the series or the resource."""

    owner: int
    instances: int = 0
    stored: int = 0  # bytes of all attachments
    size: int = 0
    dicom_stored: int = 0  # bytes of the DICOM files alone
    dicom_size: int = 0


class StoredChange(msgspec.Struct, gc=False):
    """An entry of the log of changes; `resource` is an id."""

    sequence: int
    kind: int
    resource: int
    level: Level
    public: bytes
    date: str


class StoredExport(msgspec.Struct, gc=False):
    """An entry of the log of exports."""

    sequence: int
    level: Level
    public: bytes
    modality: str
    patient_id: str
    study_uid: str
    series_uid: str
    sop_uid: str
    date: str


class StoredValue(msgspec.Struct, gc=False):
    """A value of a key-value store."""

    store: str
    key: str
    value: bytes


class Queued(msgspec.Struct, gc=False):
    """A value of a queue; `number` ascends."""

    queue: str
    number: int
    value: bytes


class Facts(msgspec.Struct):
    """What is known before anything is read: which server made it, how much there is, and the last
    numbers that were given, which are not given again."""

    version: str  # "1.10 or 1.11", "1.12", "1.12.8 to 1.13"
    resources: list[int]  # of each level
    attachments: int
    stored: int  # bytes of all attachments
    size: int
    changes: int
    exports: int
    last_resource: int
    last_change: int
    last_export: int
    properties: dict[int, str]


class Unreadable(msgspec.Struct):
    """What had to be left out, or is not as it should be; `subjects` are the first of them."""

    reason: str
    count: int
    subjects: list[str]


Share = Callable[[], Iterator[list[StoredResource]]]
"""Opens what it reads for itself."""


class Source(Protocol):
    """An index of an Orthanc that is open for reading. All reads see the same state."""

    def facts(self) -> Facts: ...

    def unreadable(self) -> list[Unreadable]:
        """Rows that no other method gives."""

    def hierarchy(self) -> Iterator[Ancestor]:
        """All patients, studies and series, in any order."""

    def sizes(self) -> Iterator[Sizes]:
        """The same owner may come more than once."""

    def check(self) -> None:
        """Raises StorageFault where the index is damaged in what nobody may read. Takes its time,
        and may be called in a thread of its own while all others are."""

    def signatures(self) -> list[str]:
        """The main tags signatures that resources have, sorted."""

    def parts(self) -> Iterator[list[StoredResource]]:
        """All resources by ascending id, some thousand at a time."""

    def shares(self, count: int) -> list[Share]:
        """The same parts dealt out in turn, each share to be read by a fork of this process; none
        where only this process can read."""

    def by_identifier(self) -> Iterator[list[tuple[Level, bytes, int]]]:
        """Level, identifier and id of all resources, in this order."""

    def children(self) -> Iterator[list[tuple[int, bytes]]]:
        """The id of each resource with the identifiers of its children, in this order."""

    def changes(self) -> Iterator[list[StoredChange]]:
        """By sequence number."""

    def changes_of(self) -> Iterator[list[tuple[int, int]]]:
        """The id of each resource with the sequence numbers of its changes, in this order."""

    def exports(self) -> Iterator[list[StoredExport]]:
        """By sequence number."""

    def recycling(self) -> Iterator[list[tuple[int, int]]]:
        """The patients that are not protected in the order in which they are recycled: a number
        that ascends, and their id."""

    def key_values(self) -> Iterator[list[StoredValue]]: ...

    def queues(self) -> Iterator[list[Queued]]:
        """By number."""

    def close(self) -> None: ...
