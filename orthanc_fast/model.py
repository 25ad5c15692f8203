"""The structs that cross the boundaries between rooms. No behaviour beyond trivial properties."""

import time
from enum import IntEnum
from functools import lru_cache
from typing import Final, Literal, NewType

import msgspec

LabelsConstraint = Literal["All", "Any", "None"]
"""Which of some labels a resource must have."""

# What a client may ask of the whole server.
Wish = Literal["reset", "shutdown"]

# A file that a server of HTTP on this machine can send by itself. Who keeps files makes it; the
# response hands it to that server, and nobody opens it. As a type of its own, so that no text of a
# client can take its place.
SendablePath = NewType("SendablePath", str)

SHA1 = 20  # bytes of an identifier; packed lists are identifiers one after the other


class Caller(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Who asks a service for something, whichever door he came through. What he stores gets his
    origin as metadata (reference chapter 1, section 6.1)."""

    origin: Literal["RestApi", "DicomProtocol", "WebDav", "Lua", "Plugins", "Unknown"]
    user: str | None = None  # of the REST API
    address: str | None = None
    aet: str = ""  # the calling AE title
    called_aet: str | None = None
    labels: frozenset[str] | None = None  # he sees studies that have one; None: all studies
    study: bytes | None = None  # the only one that he sees, as who comes by a share link

    @property
    def is_limited(self) -> bool:
        """Whether there may be studies that he does not see."""
        return self.labels is not None or self.study is not None


# The server itself, where nobody has asked.
SERVER: Final = Caller(origin="Unknown")


class Level(IntEnum):
    """The four levels of the DICOM hierarchy; the numbers are part of the index's key layout."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    INSTANCE = 3


class PixelLayout(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where the pixel data of one DICOM file lie and what they mean; enough to decode a frame
    without parsing the file again. Offsets and lengths are in bytes of the (inflated) file;
    attributes that the file does not have are None. Position and orientation are in mm as in
    (0020,0032) and (0020,0037).
    """

    element_offset: int  # of the (7FE0,00xx) tag
    value_offset: int  # of the first byte of the value (encapsulated: of the offset table's item)
    value_length: int | None  # None: undefined, hence encapsulated
    vr: str  # of the pixel data as encoded: OB, OW, OF, OD, UN; implicit VR: OW
    element: int = 0x7FE00010  # or 0x7FE00008 (float), 0x7FE00009 (double float)
    rows: int | None = None
    columns: int | None = None
    samples_per_pixel: int | None = None
    bits_allocated: int | None = None
    bits_stored: int | None = None
    high_bit: int | None = None
    pixel_representation: int | None = None
    planar_configuration: int | None = None
    photometric_interpretation: str | None = None
    number_of_frames: str | None = None  # as written: judging it is the imaging room's work
    rescale_slope: str | None = None
    rescale_intercept: str | None = None
    window_center: str | None = None
    window_width: str | None = None
    image_position: str | None = None
    image_orientation: str | None = None
    instance_number: str | None = None


class Header(msgspec.Struct, frozen=True, gc=False):
    """What the reader learns from one DICOM file in one pass (reference chapter 2, section 9;
    chapter 1, 5).

    Texts are Unicode, trailing padding removed, leading spaces kept. `main_tags` has one mapping
    per `Level` from the tag as integer (0x00100010) to its text; an absent tag and one longer
    than 256 bytes of UTF-8 are missing from it, an empty one is "". `main_sequences` likewise,
    to the Full JSON of the sequence (bytes of one JSON object with Name, Type, Value).
    """

    patient_id: str
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str | None
    transfer_syntax: str | None  # the TransferSyntax metadata: None for a UID that nobody knows
    main_tags: tuple[dict[int, str], dict[int, str], dict[int, str], dict[int, str]]
    main_sequences: tuple[dict[int, bytes], dict[int, bytes], dict[int, bytes], dict[int, bytes]]
    index_in_series: str | None  # trimmed InstanceNumber, else ImageIndex; None if both are absent
    pixels: PixelLayout | None
    pixel_data_offset: int | None  # the PixelDataOffset metadata, None where the strict scan fails
    pixel_data_vr: str | None  # the PixelDataVR metadata, only if it deviates


class Attachment(msgspec.Struct, array_like=True, gc=False):
    """One file of a resource. `digest` is XXH3-128 of the uncompressed bytes, b"" where another
    server has stored it and nobody has computed it since; the MD5 texts are of the uncompressed and
    of the stored bytes, None until first asked for."""

    uuid: str
    size: int  # uncompressed, bytes
    stored_size: int
    compressed: bool
    digest: bytes
    md5: str | None = None
    stored_md5: str | None = None
    revision: int = 0

    @property
    def fingerprint(self) -> str:
        """What is another one where the content is."""
        return self.digest.hex() or self.uuid


class Change(msgspec.Struct, array_like=True, gc=False):
    """One entry of the change log; `type` is Orthanc's number (reference chapter 1, section
    7.1)."""

    type: int
    level: int
    public: bytes  # 20 bytes of SHA-1
    date: int  # seconds since the epoch, UTC


class Resource(msgspec.Struct, array_like=True, gc=False):
    """One patient, study, series or instance with everything that an answer about it shows.

    `counts` holds the numbers of studies, series and instances below; the sizes are bytes of all
    attachments (and of the DICOM files alone) at and below the resource. Instants are whole seconds
    since the epoch, UTC. `metadata` does not contain LastUpdate and MainDicomTagsSignature, which
    `last_update` and `signature` stand for: see `Snapshot.metadata`.
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
    signature: int  # number of the main tags signature in force when the tags were read, 0: unknown
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
    digests, or the MD5s where the one that is there has no digest).
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


class ChangesPage(msgspec.Struct, gc=False):
    """Some changes in ascending order of sequence number. `done`: no more in that direction.
    `last_allocated`: the greatest sequence number ever given, 0 for none."""

    changes: list[tuple[int, Change]]
    done: bool
    last_allocated: int


class Export(msgspec.Struct, array_like=True, gc=False):
    """One resource that was sent. The identifiers are DICOM's; those below its level are ""."""

    level: int
    public: bytes  # 20 bytes of SHA-1
    date: int  # seconds since the epoch, UTC
    modality: str
    patient_id: str
    study_uid: str = ""
    series_uid: str = ""
    sop_uid: str = ""


@lru_cache(4096)
def timestamp(second: int) -> str:
    """An instant as Orthanc writes it: YYYYMMDDThhmmss in UTC."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(second))
