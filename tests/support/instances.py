"""Instances for tests of the index alone: see `orthanc_fast.index.conformance`."""

from orthanc_fast.index.conformance import (
    PATIENT_ID,
    SERIES_UID,
    SOP_UID,
    STUDY_UID,
    TAGS,
    new_instance,
    public,
    terms,
)

__all__ = [
    "PATIENT_ID",
    "SERIES_UID",
    "SOP_UID",
    "STUDY_UID",
    "TAGS",
    "new_instance",
    "public",
    "terms",
]
