"""Under which values a resource can be found in the index.

Patients, studies and series are found by every main tag; instances by their SOPInstanceUID
alone, since what else one asks of instances is asked of those of one series. Labels and metadata
find every level, but for the metadata that the reception gives to each instance. Source: reference
chapter 1, sections 5.2 and 9.
"""

from orthanc_fast.index.terms import Kind, Term
from orthanc_fast.model import Level, Resource
from orthanc_fast.registries import (
    ANONYMIZED_FROM,
    FIRST_USER_NUMBER,
    MAIN_DICOM_SEQUENCES,
    MAIN_DICOM_TAGS_SIGNATURE,
    MODIFIED_FROM,
)

PATIENT_ID = 0x00100020
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
SOP_INSTANCE_UID = 0x00080018
MODALITY = 0x00080060

# Those that may be longer than a key, or that records share.
LONG_METADATA = frozenset({MAIN_DICOM_TAGS_SIGNATURE, MAIN_DICOM_SEQUENCES})
# Where a resource comes from if it was modified or anonymised: worth finding at every level.
INSTANCE_METADATA = frozenset({MODIFIED_FROM, ANONYMIZED_FROM})


def terms(resource: Resource) -> list[Term]:
    """Everything that finds a resource; a series is also one of the modalities of its study."""
    level, tags, metadata = resource.level, resource.tags, resource.metadata
    if level == Level.INSTANCE:
        uid = tags.get(SOP_INSTANCE_UID)
        found = [] if uid is None else [(Kind.TAG, SOP_INSTANCE_UID, uid)]
        indexed = metadata.keys() & INSTANCE_METADATA
    else:
        indexed = metadata.keys() - LONG_METADATA
        found = [(Kind.TAG, tag, value) for tag, value in tags.items()]
        # The study's own copy: section 9.3.
        found += [(Kind.TAG, tag, value) for tag, value in resource.patient_tags.items()]
    if level == Level.SERIES and MODALITY in tags:
        found.append((Kind.OF_CHILD, MODALITY, tags[MODALITY]))
    if resource.labels:
        found += [(Kind.LABEL, 0, label) for label in resource.labels]
    found += [(Kind.METADATA, number, metadata[number]) for number in indexed]
    if resource.user_metadata:
        found += [
            (Kind.METADATA, number, value.decode("utf-8", "replace"))
            for number, value in resource.user_metadata.items()
        ]
    return found


def is_indexed_tag(level: Level, tag: int) -> bool:
    """Whether the main tag `tag` of this level finds its resources."""
    return level != Level.INSTANCE or tag == SOP_INSTANCE_UID


def is_indexed_metadata(level: Level, number: int) -> bool:
    if level == Level.INSTANCE:
        return number in INSTANCE_METADATA or number >= FIRST_USER_NUMBER
    return number not in LONG_METADATA
