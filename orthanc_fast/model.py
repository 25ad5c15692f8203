"""The structs that cross the boundaries between rooms. No behaviour beyond trivial properties."""

from enum import IntEnum
from typing import Literal

import msgspec

# What a client may ask of the whole server.
Wish = Literal["reset", "shutdown"]


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
    encoding: str  # Orthanc's name of the character set in force: "Latin1", "Utf8"...
    main_tags: tuple[dict[int, str], dict[int, str], dict[int, str], dict[int, str]]
    main_sequences: tuple[dict[int, bytes], dict[int, bytes], dict[int, bytes], dict[int, bytes]]
    index_in_series: str | None  # trimmed InstanceNumber, else ImageIndex; None if both are absent
    pixels: PixelLayout | None
    pixel_data_offset: int | None  # the PixelDataOffset metadata, None where the strict scan fails
    pixel_data_vr: str | None  # the PixelDataVR metadata, only if it deviates


class Attachment(msgspec.Struct, array_like=True, gc=False):
    """One file of a resource. `digest` is XXH3-128 of the uncompressed bytes; the MD5 texts are
    of the uncompressed and of the stored bytes, None until first asked for."""

    uuid: str
    size: int  # uncompressed, bytes
    stored_size: int
    compressed: bool
    digest: bytes
    md5: str | None = None
    stored_md5: str | None = None
    revision: int = 0


class Change(msgspec.Struct, array_like=True, gc=False):
    """One entry of the change log; `type` is Orthanc's number (reference chapter 1, section
    7.1)."""

    type: int
    level: int
    public: bytes  # 20 bytes of SHA-1
    date: int  # seconds since the epoch, UTC
