"""The attributes that answers of QIDO-RS have. Source: reference chapter 5, section 2.3; PS3.18
section 10.6.3.3."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from orthanc_fast.model import Level
from orthanc_fast.services.store.terms import (
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
)

CHARACTER_SET: Final = 0x00080005
RETRIEVE_URL: Final = 0x00081190
AVAILABLE_SYNTAXES: Final = 0x00083002

UIDS: Final[Mapping[Level, int]] = MappingProxyType(
    {
        Level.STUDY: STUDY_INSTANCE_UID,
        Level.SERIES: SERIES_INSTANCE_UID,
        Level.INSTANCE: SOP_INSTANCE_UID,
    }
)

# Rows, Columns and BitsAllocated: the index knows them of each image, if not as main tags.
OF_IMAGES: Final = frozenset({0x00280010, 0x00280011, 0x00280100})

OF_A_LEVEL: Final[Mapping[Level, frozenset[int]]] = MappingProxyType(
    {
        Level.STUDY: frozenset(
            {
                0x00080020,  # StudyDate
                0x00080030,  # StudyTime
                0x00080050,  # AccessionNumber
                0x00080061,  # ModalitiesInStudy
                0x00080090,  # ReferringPhysicianName
                0x00080201,  # TimezoneOffsetFromUTC
                0x00100010,  # PatientName
                0x00100020,  # PatientID
                0x00100030,  # PatientBirthDate
                0x00100040,  # PatientSex
                STUDY_INSTANCE_UID,
                0x00200010,  # StudyID
                0x00201206,  # NumberOfStudyRelatedSeries
                0x00201208,  # NumberOfStudyRelatedInstances
            }
        ),
        Level.SERIES: frozenset(
            {
                0x00080060,  # Modality
                0x00080201,
                0x0008103E,  # SeriesDescription
                SERIES_INSTANCE_UID,
                0x00200011,  # SeriesNumber
                0x00201209,  # NumberOfSeriesRelatedInstances
                0x00400244,  # PerformedProcedureStepStartDate
                0x00400245,  # PerformedProcedureStepStartTime
                0x00400275,  # RequestAttributesSequence
            }
        ),
        Level.INSTANCE: frozenset(
            {
                0x00080016,  # SOPClassUID
                SOP_INSTANCE_UID,
                0x00080056,  # InstanceAvailability
                0x00080201,
                AVAILABLE_SYNTAXES,
                0x00200013,  # InstanceNumber
                0x00280008,  # NumberOfFrames
            }
        )
        | OF_IMAGES,
    }
)

# What answers about a level below do not repeat.
COUNTED: Final = frozenset({0x00080061, 0x00201206, 0x00201208, 0x00201209})
