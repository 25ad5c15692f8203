"""The built-in metadata, attachment and change types, with Orthanc's names and numbers. Source:
reference chapter 1, sections 6 and 7.1."""

import re
from typing import Final, NamedTuple

from orthanc_fast.errors import BadParameterType, InexistentItem

_INTEGER = re.compile(r"\s*-?[0-9]+\s*\Z")
_PLAIN = re.compile(r"-?[0-9]{1,9}\Z")

# What labels of resources and application entity titles are made of.
LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
AE_TITLE: Final = re.compile(r"[^\x00-\x1f\x7f\\]{1,16}\Z")

# The numbers that a user may give names to, or use as they are.
FIRST_USER_NUMBER: Final = 1024
LAST_USER_NUMBER: Final = 65535

# Numbers of metadata.
INDEX_IN_SERIES: Final = 1
RECEPTION_DATE: Final = 2
REMOTE_AET: Final = 3
EXPECTED_NUMBER_OF_INSTANCES: Final = 4
MODIFIED_FROM: Final = 5
ANONYMIZED_FROM: Final = 6
LAST_UPDATE: Final = 7
ORIGIN: Final = 8
TRANSFER_SYNTAX: Final = 9
SOP_CLASS_UID: Final = 10
REMOTE_IP: Final = 11
CALLED_AET: Final = 12
HTTP_USERNAME: Final = 13
PIXEL_DATA_OFFSET: Final = 14
MAIN_DICOM_TAGS_SIGNATURE: Final = 15
MAIN_DICOM_SEQUENCES: Final = 16
PIXEL_DATA_VR: Final = 17
IS_PROTECTED: Final = 18
PATIENT_RECYCLING_ORDER: Final = 19

METADATA: Final = {
    INDEX_IN_SERIES: "IndexInSeries",
    RECEPTION_DATE: "ReceptionDate",
    REMOTE_AET: "RemoteAET",
    EXPECTED_NUMBER_OF_INSTANCES: "ExpectedNumberOfInstances",
    MODIFIED_FROM: "ModifiedFrom",
    ANONYMIZED_FROM: "AnonymizedFrom",
    LAST_UPDATE: "LastUpdate",
    ORIGIN: "Origin",
    TRANSFER_SYNTAX: "TransferSyntax",
    SOP_CLASS_UID: "SopClassUid",
    REMOTE_IP: "RemoteIP",
    CALLED_AET: "CalledAET",
    HTTP_USERNAME: "HttpUsername",
    PIXEL_DATA_OFFSET: "PixelDataOffset",
    MAIN_DICOM_TAGS_SIGNATURE: "MainDicomTagsSignature",
    MAIN_DICOM_SEQUENCES: "MainDicomSequences",
    PIXEL_DATA_VR: "PixelDataVR",
    IS_PROTECTED: "IsProtected",
    PATIENT_RECYCLING_ORDER: "PatientRecyclingOrder",
}


# Numbers of changes.
COMPLETED_SERIES: Final = 1
NEW_INSTANCE: Final = 2
NEW_PATIENT: Final = 3
NEW_SERIES: Final = 4
NEW_STUDY: Final = 5
STABLE_PATIENT: Final = 12
STABLE_STUDY: Final = 13
STABLE_SERIES: Final = 14
UPDATED_ATTACHMENT: Final = 15
UPDATED_METADATA: Final = 16
# This server's own.
ROUTING_DELAYED: Final = 5001
ROUTING_RESUMED: Final = 5002
ROUTING_GIVEN_UP: Final = 5003
ROUTING_DONE: Final = 5004

CHANGE_TYPES: Final = {
    COMPLETED_SERIES: "CompletedSeries",
    NEW_INSTANCE: "NewInstance",
    NEW_PATIENT: "NewPatient",
    NEW_SERIES: "NewSeries",
    NEW_STUDY: "NewStudy",
    6: "AnonymizedStudy",
    7: "AnonymizedSeries",
    8: "ModifiedStudy",
    9: "ModifiedSeries",
    10: "AnonymizedPatient",
    11: "ModifiedPatient",
    STABLE_PATIENT: "StablePatient",
    STABLE_STUDY: "StableStudy",
    STABLE_SERIES: "StableSeries",
    UPDATED_ATTACHMENT: "UpdatedAttachment",
    UPDATED_METADATA: "UpdatedMetadata",
    4096: "Deleted",
    4097: "NewChildInstance",
    ROUTING_DELAYED: "RoutingDelayed",
    ROUTING_RESUMED: "RoutingResumed",
    ROUTING_GIVEN_UP: "RoutingGivenUp",
    ROUTING_DONE: "RoutingDone",
}
CHANGE_NUMBERS: Final = {name: number for number, name in CHANGE_TYPES.items()}


class AttachmentType(NamedTuple):
    name: str
    mime: str


DEFAULT_MIME_TYPE: Final = "application/octet-stream"

# Numbers of attachments.
DICOM_ATTACHMENT: Final = 1
DICOM_AS_JSON_ATTACHMENT: Final = 2
UNTIL_PIXEL_DATA_ATTACHMENT: Final = 3

ATTACHMENT_TYPES: Final = {
    DICOM_ATTACHMENT: AttachmentType("dicom", "application/dicom"),
    DICOM_AS_JSON_ATTACHMENT: AttachmentType("dicom-as-json", "application/json; charset=utf-8"),
    UNTIL_PIXEL_DATA_ATTACHMENT: AttachmentType("dicom-until-pixel-data", DEFAULT_MIME_TYPE),
}


def is_user_number(number: int) -> bool:
    """Whether metadata or attachments of this number belong to the users."""
    return FIRST_USER_NUMBER <= number <= LAST_USER_NUMBER


def registered_number(text: str, what: str) -> int:
    """A number that stands for a name of `what`. Raises InexistentItem for what is no number,
    BadParameterType for one that is written oddly or too large."""
    if _PLAIN.match(text):
        return int(text)
    if _INTEGER.match(text):
        raise BadParameterType("Syntax error in some user-supplied data")
    raise InexistentItem(f"Unknown type of {what}: {text}")
