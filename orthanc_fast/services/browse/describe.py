"""Resources as answers: what an expanded patient, study, series or instance shows.

Source: reference chapter 1, section 4.1.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

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
from orthanc_fast.services.store.lookup import records

PLURALS = {
    Level.PATIENT: "patients",
    Level.STUDY: "studies",
    Level.SERIES: "series",
    Level.INSTANCE: "instances",
}

LevelName = Literal["Patient", "Study", "Series", "Instance"]

NAMES: Mapping[Level, LevelName] = {
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

SeriesStatus = tuple[str, int | None]
"""`Status` and `ExpectedNumberOfInstances`."""

_UNKNOWN: SeriesStatus = ("Unknown", None)


class Describer:
    """Makes answers out of resources; one per process."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary

    def describe(self, view: Snapshot, resource: Resource, form: Format = "simplify") -> Answer:
        """The expanded form of a resource; main tags in the given format."""
        if resource.level == Level.INSTANCE:
            return self._instance(resource, form)
        packed = view.children_packed(resource)
        status = _UNKNOWN
        if EXPECTED_IN_SERIES in resource.metadata:
            status = self.series_statuses(view, (resource,), (packed,))[0]
        return self._described(resource, packed, status, form)

    def describe_all(
        self, view: Snapshot, resources: Sequence[Resource], form: Format
    ) -> list[Answer]:
        """As `describe`, of each."""
        if all(resource.level == Level.INSTANCE for resource in resources):
            return [self._instance(resource, form) for resource in resources]
        children = children_of(view, resources)
        statuses = self.series_statuses(view, resources, children)
        return [
            self._described(resource, packed, status, form)
            for resource, packed, status in zip(resources, children, statuses, strict=True)
        ]

    def _described(
        self, resource: Resource, children: bytes, status: SeriesStatus, form: Format
    ) -> Answer:
        if resource.level == Level.SERIES:
            return self._series(resource, children, status, form)
        if resource.level == Level.STUDY:
            return self._study(resource, children, form)
        if resource.level == Level.PATIENT:
            return self._patient(resource, children, form)
        return self._instance(resource, form)

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

    def _series(
        self, resource: Resource, packed: bytes, status: SeriesStatus, form: Format
    ) -> SeriesAnswer:
        state, expected = status
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

    def series_statuses(
        self, view: Snapshot, resources: Sequence[Resource], children: Sequence[bytes]
    ) -> list[SeriesStatus]:
        """`Status` and the expected number of each, given its children; looks at the instances of
        those series only of which a number is expected."""
        expected = [_expected(each) for each in resources]
        if not any(number is not None for number in expected):
            return [_UNKNOWN] * len(expected)
        asked = [
            packed for packed, number in zip(children, expected, strict=True) if number is not None
        ]
        indexes: defaultdict[int, list[str | None]] = defaultdict(list)
        for part in records(view, Level.INSTANCE, b"".join(asked)):
            for instance in part:
                indexes[instance.parent].append(instance.metadata.get(INDEX_IN_SERIES))
        return [
            _UNKNOWN if number is None else status(indexes[each.id], number)
            for each, number in zip(resources, expected, strict=True)
        ]

    def _study(self, resource: Resource, packed: bytes, form: Format) -> StudyAnswer:
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

    def _patient(self, resource: Resource, packed: bytes, form: Format) -> PatientAnswer:
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


def children_of(view: Snapshot, resources: Sequence[Resource]) -> list[bytes]:
    """The children of each, packed."""
    if all(resource.level == Level.INSTANCE for resource in resources):
        return [b""] * len(resources)
    return view.children_of(resources)


def _expected(resource: Resource) -> int | None:
    """The number of instances that a series should have."""
    if resource.level != Level.SERIES:
        return None
    text = resource.metadata.get(EXPECTED_IN_SERIES)
    return None if text is None else unsigned(text)


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
