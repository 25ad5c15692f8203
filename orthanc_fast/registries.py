"""The built-in metadata and attachment types, with Orthanc's names and numbers. Source: reference
chapter 1, section 6."""

from typing import Final, NamedTuple

# The numbers that a user may give names to, or use as they are.
FIRST_USER_NUMBER: Final = 1024
LAST_USER_NUMBER: Final = 65535

METADATA: Final = {
    1: "IndexInSeries",
    2: "ReceptionDate",
    3: "RemoteAET",
    4: "ExpectedNumberOfInstances",
    5: "ModifiedFrom",
    6: "AnonymizedFrom",
    7: "LastUpdate",
    8: "Origin",
    9: "TransferSyntax",
    10: "SopClassUid",
    11: "RemoteIP",
    12: "CalledAET",
    13: "HttpUsername",
    14: "PixelDataOffset",
    15: "MainDicomTagsSignature",
    16: "MainDicomSequences",
    17: "PixelDataVR",
    18: "IsProtected",
    19: "PatientRecyclingOrder",
}


class AttachmentType(NamedTuple):
    name: str
    mime: str


DEFAULT_MIME_TYPE: Final = "application/octet-stream"

ATTACHMENT_TYPES: Final = {
    1: AttachmentType("dicom", "application/dicom"),
    2: AttachmentType("dicom-as-json", "application/json; charset=utf-8"),
    3: AttachmentType("dicom-until-pixel-data", DEFAULT_MIME_TYPE),
}


def is_user_number(number: int) -> bool:
    """Whether metadata or attachments of this number belong to the users."""
    return FIRST_USER_NUMBER <= number <= LAST_USER_NUMBER
