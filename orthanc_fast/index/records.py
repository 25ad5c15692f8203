"""What the index keeps, as MessagePack in LMDB values. Changing a struct here is a change of
schema."""

import time
from functools import lru_cache

import msgspec

from orthanc_fast.model import Attachment, Level

SCHEMA_VERSION = 3

LAST_UPDATE = 7  # the metadata that `Resource.last_update` stands for


class Resource(msgspec.Struct, array_like=True, gc=False):
    """One patient, study, series or instance with everything that an answer about it shows.

    `counts` holds the numbers of studies, series and instances below; the sizes are bytes of all
    attachments (and of the DICOM files alone) at and below the resource. Instants are whole seconds
    since the epoch, UTC. `metadata` does not contain LastUpdate and MainDicomTagsSignature, which
    `last_update` and `signature` stand for: see `View.metadata`.
    """

    level: Level
    public: bytes  # 20 bytes of SHA-1
    id: int  # internal: ascending in the order of creation
    parent: int  # internal id, 0 for a patient
    parent_public: bytes  # b"" for a patient
    tags: dict[int, str]
    patient_tags: dict[int, str]  # studies only: the patient's tags as the study brought them
    metadata: dict[int, str]  # built-in ones, by number
    user_metadata: dict[int, bytes]  # numbers from 1024
    revisions: dict[int, int]  # of metadata, where not 0
    attachments: dict[int, Attachment]
    labels: list[str]
    signature: int  # number of the main tags signature in force when the tags were read
    counts: list[int]
    disk_size: int
    uncompressed_size: int
    dicom_disk_size: int
    dicom_uncompressed_size: int
    last_update: int
    unstable_since: int  # second of the last instance below; 0 once stable
    protected: bool
    recycling: int  # position in the recycling order; 0 for none


class Totals(msgspec.Struct, array_like=True, gc=False):
    """The counters of the whole index, kept up to date by every transaction."""

    next_id: int = 1
    next_change: int = 1
    next_recycling: int = 1
    resources: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0, 0])  # per level
    disk_size: int = 0
    uncompressed_size: int = 0
    next_export: int = 1


class NewInstance(msgspec.Struct, gc=False):
    """One instance to be stored: what the ingest knows, as the index wants it.

    `publics`, `tags` and `metadata` have one entry per level. `signatures` are the four texts of
    the main tags in force. `image` is opaque to the index (the frame map). `overwrite` says what to
    do when the instance is there already: "Never", "Always" or "IfChanged" (compares the
    digests).
    """

    publics: tuple[bytes, bytes, bytes, bytes]
    tags: tuple[dict[int, str], dict[int, str], dict[int, str], dict[int, str]]
    metadata: tuple[
        dict[int, str],
        dict[int, str],
        dict[int, str],
        dict[int, str],
    ]
    signatures: tuple[str, str, str, str]
    attachments: dict[int, Attachment]
    image: bytes
    received: int
    overwrite: str = "Never"
    series_index: str | None = None  # IndexInSeries of this instance
    expected_in_series: int | None = None


class Outcome(msgspec.Struct, gc=False):
    """What a transaction did to files: the caller unlinks `doomed` once it is durable."""

    stored: bool = False
    found: bool = False
    refused: bool = False  # there is no room
    doomed: list[str] = msgspec.field(default_factory=list)
    remaining: tuple[Level, bytes] | None = None  # lowest ancestor still alive after a deletion


resource_decoder = msgspec.msgpack.Decoder(Resource)
totals_decoder = msgspec.msgpack.Decoder(Totals)
encoder = msgspec.msgpack.Encoder()


@lru_cache(4096)
def timestamp(second: int) -> str:
    """An instant as Orthanc writes it: YYYYMMDDThhmmss in UTC."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(second))
