"""Under which tags and values a resource can be found in the index.

Patients, studies and series are found by every main tag; instances by their SOPInstanceUID
alone, since what else one asks of instances is asked of those of one series. Source: reference
chapter 1, sections 5.2, 9.3.
"""

from orthanc_fast.dicom.identifiers import normalise
from orthanc_fast.model import Level

PATIENT_ID = 0x00100020
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
SOP_INSTANCE_UID = 0x00080018

IDENTIFIERS = frozenset(
    {
        PATIENT_ID,
        0x00100010,  # PatientName
        0x00100030,  # PatientBirthDate
        STUDY_INSTANCE_UID,
        0x00080050,  # AccessionNumber
        0x00081030,  # StudyDescription
        0x00080020,  # StudyDate
        SERIES_INSTANCE_UID,
        SOP_INSTANCE_UID,
    }
)

_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def term_value(tag: int, value: str) -> str:
    """What a stored or a searched value becomes: identifiers are normalised as Orthanc does it,
    others have their ASCII letters lowered."""
    if tag in IDENTIFIERS:
        return normalise(value)
    return value.translate(_ASCII_LOWER)


def terms(level: Level, tags: dict[int, str]) -> list[tuple[int, str]]:
    """The (tag, value) pairs that the index keeps for a resource."""
    if level == Level.INSTANCE:
        uid = tags.get(SOP_INSTANCE_UID)
        return [] if uid is None else [(SOP_INSTANCE_UID, normalise(uid))]
    return [(tag, term_value(tag, value)) for tag, value in tags.items()]
