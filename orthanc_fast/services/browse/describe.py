"""Resources as answers: what an expanded patient, study, series or instance shows.

Source: reference chapter 1, section 4.1.
"""

import time
from functools import lru_cache
from typing import Any

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.identifiers import ids_json, to_text
from orthanc_fast.dicom.tag_json import Format, named_tags, reduced
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.series_status import status
from orthanc_fast.model import Level, Resource, timestamp
from orthanc_fast.numerals import unsigned
from orthanc_fast.registries import (
    ANONYMIZED_FROM,
    DICOM_ATTACHMENT,
    INDEX_IN_SERIES,
    MAIN_DICOM_SEQUENCES,
    MODIFIED_FROM,
)
from orthanc_fast.registries import EXPECTED_NUMBER_OF_INSTANCES as EXPECTED_IN_SERIES

PLURALS = {
    Level.PATIENT: "patients",
    Level.STUDY: "studies",
    Level.SERIES: "series",
    Level.INSTANCE: "instances",
}
NAMES = {
    Level.PATIENT: "Patient",
    Level.STUDY: "Study",
    Level.SERIES: "Series",
    Level.INSTANCE: "Instance",
}
LEVELS = {plural: level for level, plural in PLURALS.items()}


class _Common(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    ID: str
    Type: str
    MainDicomTags: dict[str, Any]
    ModifiedFrom: str | None = None
    AnonymizedFrom: str | None = None


class InstanceAnswer(_Common, kw_only=True, gc=False):
    """`GET /instances/{id}`"""

    FileSize: int
    FileUuid: str
    IndexInSeries: msgspec.Raw
    Labels: msgspec.Raw
    ParentSeries: str


class SeriesAnswer(_Common, kw_only=True, gc=False):
    """`GET /series/{id}`"""

    ExpectedNumberOfInstances: msgspec.Raw
    Instances: msgspec.Raw
    IsStable: msgspec.Raw
    Labels: msgspec.Raw
    LastUpdate: str
    ParentStudy: str
    Status: str


class StudyAnswer(_Common, kw_only=True, gc=False):
    """`GET /studies/{id}`"""

    IsStable: msgspec.Raw
    Labels: msgspec.Raw
    LastUpdate: str
    ParentPatient: str
    PatientMainDicomTags: dict[str, Any]
    Series: msgspec.Raw


class PatientAnswer(_Common, kw_only=True, gc=False):
    """`GET /patients/{id}`"""

    IsProtected: msgspec.Raw
    IsStable: msgspec.Raw
    Labels: msgspec.Raw
    LastUpdate: str
    Studies: msgspec.Raw


Answer = InstanceAnswer | SeriesAnswer | StudyAnswer | PatientAnswer

_NULL = msgspec.Raw(b"null")
_TRUE = msgspec.Raw(b"true")
_FALSE = msgspec.Raw(b"false")
_NO_LABELS = msgspec.Raw(b"[]")


class Describer:
    """Makes answers out of resources; one per process."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary

    def describe(self, view: Snapshot, resource: Resource, form: Format = "simplify") -> Answer:
        """The expanded form of a resource; main tags in the given format."""
        if resource.level == Level.INSTANCE:
            return self._instance(resource, form)
        if resource.level == Level.SERIES:
            return self._series(view, resource, form)
        if resource.level == Level.STUDY:
            return self._study(view, resource, form)
        return self._patient(view, resource, form)

    def tags(self, values: dict[int, str], form: Format) -> dict[str, Any]:
        return named_tags(values, form, self._dictionary)

    def main_tags(self, resource: Resource, form: Format) -> dict[str, Any]:
        """The main tags, with the main sequences."""
        found = self.tags(resource.tags, form)
        sequences = resource.metadata.get(MAIN_DICOM_SEQUENCES)
        if sequences is not None:
            self._add_sequences(found, sequences, form)
        return found

    def _add_sequences(self, found: dict[str, Any], text: str, form: Format) -> None:
        """Main sequences are kept as Full JSON in the metadata MainDicomSequences."""
        for tag, value in msgspec.json.decode(text)["Sequences"].items():
            if form == "full":
                found[tag] = value
            elif form == "short":
                found[tag] = reduced(value, short=True)
            else:
                found[value["Name"]] = reduced(value, short=False)

    def _instance(self, resource: Resource, form: Format) -> InstanceAnswer:
        file = resource.attachments.get(DICOM_ATTACHMENT)
        index = resource.metadata.get(INDEX_IN_SERIES, "")
        return InstanceAnswer(
            ID=to_text(resource.public),
            Type="Instance",
            MainDicomTags=self.main_tags(resource, form),
            ModifiedFrom=resource.metadata.get(MODIFIED_FROM),
            AnonymizedFrom=resource.metadata.get(ANONYMIZED_FROM),
            FileSize=file.size if file else 0,
            FileUuid=file.uuid if file else "",
            IndexInSeries=_unsigned(index),
            Labels=_labels(resource),
            ParentSeries=to_text(resource.parent_public),
        )

    def _series(self, view: Snapshot, resource: Resource, form: Format) -> SeriesAnswer:
        packed = view.children_packed(resource)
        state, expected = self.series_status(view, resource)
        return SeriesAnswer(
            ID=to_text(resource.public),
            Type="Series",
            MainDicomTags=self.main_tags(resource, form),
            ModifiedFrom=resource.metadata.get(MODIFIED_FROM),
            AnonymizedFrom=resource.metadata.get(ANONYMIZED_FROM),
            ExpectedNumberOfInstances=_NULL if expected is None else msgspec.Raw(b"%d" % expected),
            Instances=msgspec.Raw(ids_json(packed)),
            IsStable=_boolean(not resource.unstable_since),
            Labels=_labels(resource),
            LastUpdate=timestamp(resource.last_update),
            ParentStudy=to_text(resource.parent_public),
            Status=state,
        )

    def series_status(self, view: Snapshot, series: Resource) -> tuple[str, int | None]:
        """`Status` and the expected number; looks at the instances only if a number is expected."""
        text = series.metadata.get(EXPECTED_IN_SERIES)
        expected = None if text is None else unsigned(text)
        if expected is None:
            return "Unknown", None
        instances = view.resources(Level.INSTANCE, view.children(series))
        indexes = [each.metadata.get(INDEX_IN_SERIES) for each in instances if each is not None]
        return status(indexes, expected)

    def _study(self, view: Snapshot, resource: Resource, form: Format) -> StudyAnswer:
        packed = view.children_packed(resource)
        return StudyAnswer(
            ID=to_text(resource.public),
            Type="Study",
            MainDicomTags=self.main_tags(resource, form),
            ModifiedFrom=resource.metadata.get(MODIFIED_FROM),
            AnonymizedFrom=resource.metadata.get(ANONYMIZED_FROM),
            IsStable=_boolean(not resource.unstable_since),
            Labels=_labels(resource),
            LastUpdate=timestamp(resource.last_update),
            ParentPatient=to_text(resource.parent_public),
            PatientMainDicomTags=self.tags(resource.patient_tags, form),
            Series=msgspec.Raw(ids_json(packed)),
        )

    def _patient(self, view: Snapshot, resource: Resource, form: Format) -> PatientAnswer:
        packed = view.children_packed(resource)
        return PatientAnswer(
            ID=to_text(resource.public),
            Type="Patient",
            MainDicomTags=self.main_tags(resource, form),
            ModifiedFrom=resource.metadata.get(MODIFIED_FROM),
            AnonymizedFrom=resource.metadata.get(ANONYMIZED_FROM),
            IsProtected=_boolean(resource.protected),
            IsStable=_boolean(not resource.unstable_since),
            Labels=_labels(resource),
            LastUpdate=timestamp(resource.last_update),
            Studies=msgspec.Raw(ids_json(packed)),
        )


def _labels(resource: Resource) -> msgspec.Raw:
    return (
        msgspec.Raw(msgspec.json.encode(sorted(resource.labels))) if resource.labels else _NO_LABELS
    )


def _boolean(value: bool) -> msgspec.Raw:
    return _TRUE if value else _FALSE


@lru_cache(4096)
def _unsigned(text: str) -> msgspec.Raw:
    """An unsigned 32-bit number, else null: section 4.3."""
    number = unsigned(text)
    return _NULL if number is None else msgspec.Raw(b"%d" % number)


def now_text(local: bool = False) -> str:
    """The present moment as Orthanc writes it."""
    instant = time.localtime() if local else time.gmtime()
    return time.strftime("%Y%m%dT%H%M%S", instant)
