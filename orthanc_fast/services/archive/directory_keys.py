"""What a directory record says of a file, by its kind. Sources: DICOM PS3.3 Annex F, sections F.5
and F.4 (which SOP class has which record); reference chapter 3, section 3.7.4."""

from typing import Final, NamedTuple

from orthanc_fast.model import Level

PATIENT_ID, STUDY_ID = 0x00100020, 0x00200010
SERIES_NUMBER, INSTANCE_NUMBER = 0x00200011, 0x00200013
STUDY_DATE, STUDY_TIME = 0x00080020, 0x00080030
STUDY_UID, SERIES_UID = 0x0020000D, 0x0020000E
MODALITY, SERIES_DESCRIPTION = 0x00080060, 0x0008103E
CONTENT_DATE, CONTENT_TIME = 0x00080023, 0x00080033

# Where a date or time stands in if there is none of the study: series, acquisition, content.
DATES: Final = (STUDY_DATE, 0x00080021, 0x00080022, CONTENT_DATE)
TIMES: Final = (STUDY_TIME, 0x00080031, 0x00080032, CONTENT_TIME)


class Key(NamedTuple):
    """An element of a record. `type` is that of PS3.5 section 7.4: 1 has a value, 2 may be empty, 3
    is there where the file has it, empty or not."""

    tag: int
    vr: str
    type: int


class Kind(NamedTuple):
    """A directory record type, and what it says of an instance."""

    name: str
    keys: tuple[Key, ...]


ABOVE: Final = {
    Level.PATIENT: (Key(0x00100010, "PN", 2), Key(PATIENT_ID, "LO", 1)),
    Level.STUDY: (
        Key(STUDY_DATE, "DA", 1),
        Key(STUDY_TIME, "TM", 1),
        Key(0x00080050, "SH", 2),
        Key(0x00081030, "LO", 2),
        Key(STUDY_UID, "UI", 1),
        Key(STUDY_ID, "SH", 1),
    ),
    Level.SERIES: (
        Key(MODALITY, "CS", 1),
        Key(SERIES_UID, "UI", 1),
        Key(SERIES_NUMBER, "IS", 1),
    ),
}
EXTENDED: Final = Key(SERIES_DESCRIPTION, "LO", 3)

_NUMBER = Key(INSTANCE_NUMBER, "IS", 1)
_WHEN = (Key(CONTENT_DATE, "DA", 1), Key(CONTENT_TIME, "TM", 1))
_TITLE = Key(0x0040A043, "SQ", 1)
_IDENTIFICATION = (
    _NUMBER,
    Key(0x00700080, "CS", 1),  # ContentLabel
    Key(0x00700081, "LO", 2),  # ContentDescription
    Key(0x00700084, "PN", 2),  # ContentCreatorName
)

IMAGE: Final = Kind("IMAGE", (_NUMBER,))
_REPORT = Kind(
    "SR DOCUMENT",
    (
        *_WHEN,
        _NUMBER,
        Key(0x0040A030, "DT", 3),  # VerificationDateTime
        _TITLE,
        Key(0x0040A491, "CS", 1),  # CompletionFlag
        Key(0x0040A493, "CS", 1),  # VerificationFlag
    ),
)
_KEY_OBJECTS = Kind("KEY OBJECT DOC", (*_WHEN, _NUMBER, _TITLE))
_DOCUMENT = Kind(
    "ENCAP DOC",
    (
        Key(CONTENT_DATE, "DA", 2),
        Key(CONTENT_TIME, "TM", 2),
        _NUMBER,
        Key(0x0040A043, "SQ", 2),
        Key(0x0040E001, "ST", 3),  # HL7InstanceIdentifier
        Key(0x00420010, "ST", 2),  # DocumentTitle
        Key(0x00420012, "LO", 1),  # MIMETypeOfEncapsulatedDocument
    ),
)
_PRESENTATION = Kind(
    "PRESENTATION",
    (
        Key(0x00081115, "SQ", 3),  # ReferencedSeriesSequence
        *_IDENTIFICATION,
        Key(0x00700082, "DA", 1),  # PresentationCreationDate
        Key(0x00700083, "TM", 1),
        Key(0x00700402, "SQ", 3),  # BlendingSequence
    ),
)
_WAVEFORM = Kind("WAVEFORM", (*_WHEN, _NUMBER))
_DOSE = Kind("RT DOSE", (_NUMBER, Key(0x3004000A, "CS", 1)))
_STRUCTURES = Kind(
    "RT STRUCTURE SET",
    (_NUMBER, Key(0x30060002, "SH", 1), Key(0x30060008, "DA", 2), Key(0x30060009, "TM", 2)),
)
_PLAN = Kind(
    "RT PLAN",
    (_NUMBER, Key(0x300A0002, "SH", 1), Key(0x300A0006, "DA", 2), Key(0x300A0007, "TM", 2)),
)
_TREATMENT = Kind("RT TREAT RECORD", (_NUMBER, Key(0x30080250, "DA", 2), Key(0x30080251, "TM", 2)))
_RAW = Kind("RAW DATA", (*_WHEN, Key(INSTANCE_NUMBER, "IS", 2)))

_STORAGE = "1.2.840.10008.5.1.4.1.1."
# By the end of a SOP class UID, or, with a dot, by what its end begins with. What is not here has
# the record of images.
_KINDS: Final = {
    "9.": _WAVEFORM,
    "11.": _PRESENTATION,
    "66": _RAW,
    "66.1": Kind("REGISTRATION", (*_WHEN, *_IDENTIFICATION)),
    "66.2": Kind("FIDUCIAL", (*_WHEN, *_IDENTIFICATION)),
    "66.3": Kind("REGISTRATION", (*_WHEN, *_IDENTIFICATION)),
    "66.4": IMAGE,  # segmentations are
    "66.5": Kind("SURFACE", (*_WHEN, *_IDENTIFICATION)),
    "66.6": Kind("TRACT", (*_WHEN, *_IDENTIFICATION)),
    "66.7": IMAGE,
    "67": Kind("VALUE MAP", (*_WHEN, *_IDENTIFICATION)),
    "88.": _REPORT,
    "88.59": _KEY_OBJECTS,
    "104.": _DOCUMENT,
    "481.2": _DOSE,
    "481.3": _STRUCTURES,
    "481.4": _TREATMENT,
    "481.5": _PLAN,
    "481.6": _TREATMENT,
    "481.7": _TREATMENT,
    "481.8": _PLAN,
    "481.9": _TREATMENT,
}


def kind_of(sop_class: str) -> Kind:
    """The record of an instance of this SOP class."""
    if not sop_class.startswith(_STORAGE):
        return IMAGE
    own = sop_class[len(_STORAGE) :]
    beginning = own.partition(".")[0] + "."
    return _KINDS.get(own) or _KINDS.get(beginning) or IMAGE
