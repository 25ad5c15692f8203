"""Tags that no file holds: counted, or collected from what lies below. Source: reference chapter
1, section 5.3."""

from orthanc_fast.dicom.main_tags import (
    COMPUTED,
    INSTANCE_AVAILABILITY,
    MODALITIES_IN_STUDY,
)
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Level, Resource
from orthanc_fast.registries import SOP_CLASS_UID
from orthanc_fast.services.store.terms import MODALITY

# Tag -> position in `Resource.counts` of what is counted.
_COUNTS = {
    0x00201200: 0,  # NumberOfPatientRelatedStudies
    0x00201202: 1,  # NumberOfPatientRelatedSeries
    0x00201204: 2,  # NumberOfPatientRelatedInstances
    0x00201206: 1,  # NumberOfStudyRelatedSeries
    0x00201208: 2,  # NumberOfStudyRelatedInstances
    0x00201209: 2,  # NumberOfSeriesRelatedInstances
}


def computed_value(view: Snapshot, resource: Resource, tag: int) -> str | None:
    """The value of a computed tag, None where the level of the resource does not have it."""
    if COMPUTED[tag] != resource.level:
        return None
    if tag in _COUNTS:
        return str(resource.counts[_COUNTS[tag]])
    if tag == INSTANCE_AVAILABILITY:
        return "ONLINE"
    found: set[str] = set()
    for series_public in view.children(resource):
        series = view.resource(Level.SERIES, series_public)
        if series is None:
            continue
        if tag == MODALITIES_IN_STUDY:
            found.add(series.tags.get(MODALITY, ""))
        else:
            found |= _classes(view, series)
    return "\\".join(sorted(found - {""}))


def _classes(view: Snapshot, series: Resource) -> set[str]:
    found = set()
    for public in view.children(series):
        instance = view.resource(Level.INSTANCE, public)
        if instance is not None:
            found.add(instance.metadata.get(SOP_CLASS_UID, ""))
    return found
