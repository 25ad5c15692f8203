"""What servers answer, as structs. Fields that an answer lacks have their defaults; what they do
not know is left out, so that those of later versions are read as well."""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from orthanc_fast.client.call import pascal

Level = Literal["Patient", "Study", "Series", "Instance"]
LEVELS: tuple[Level, ...] = ("Patient", "Study", "Series", "Instance")
FOLDERS: dict[Level, str] = {
    "Patient": "patients",
    "Study": "studies",
    "Series": "series",
    "Instance": "instances",
}


class Answer(msgspec.Struct, rename=pascal, kw_only=True):
    """Encoded with the names that the server has."""


class Resource(Answer, omit_defaults=True):
    """A patient, study, series or instance. `parent` is the one right above; of an instance
    `file_size` is in bytes. The tags of the patient come with studies only."""

    id: str
    type: Level
    main_dicom_tags: dict[str, Any] = {}
    patient_main_dicom_tags: dict[str, Any] = {}
    requested_tags: dict[str, Any] = {}
    labels: list[str] = []
    metadata: dict[str, str] = {}
    parent_patient: str | None = None
    parent_study: str | None = None
    parent_series: str | None = None
    studies: list[str] = []
    series: list[str] = []
    instances: list[str] = []
    is_stable: bool | None = None
    is_protected: bool | None = None
    last_update: str | None = None
    file_size: int | None = None
    index_in_series: int | None = None
    expected_number_of_instances: int | None = None
    anonymized_from: str | None = None
    modified_from: str | None = None

    @property
    def parent(self) -> str | None:
        return self.parent_series or self.parent_study or self.parent_patient

    @property
    def children(self) -> list[str]:
        return self.studies or self.series or self.instances

    @property
    def path(self) -> str:
        return f"/{FOLDERS[self.type]}/{self.id}"

    def tag(self, name: str, default: str = "") -> str:
        """The text of a tag, wherever the answer has it."""
        for tags in (self.requested_tags, self.main_dicom_tags, self.patient_main_dicom_tags):
            if name in tags:
                return _text(tags[name])
        return default


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


class Match(Answer):
    """Of `/tools/lookup`: a resource that a DICOM identifier names."""

    id: str
    type: Level
    path: str


class Stored(Answer):
    """What became of an uploaded instance; `status` is Success or AlreadyStored."""

    id: str
    path: str
    status: str
    parent_patient: str | None = None
    parent_study: str | None = None
    parent_series: str | None = None


class Size(Answer):
    """Of a resource, in bytes; what counts what is below it."""

    disk_size: int
    uncompressed_size: int
    dicom_disk_size: int = 0
    dicom_uncompressed_size: int = 0
    count_studies: int | None = None
    count_series: int | None = None
    count_instances: int | None = None


class Totals(Answer):
    """Of the whole store, in bytes."""

    count_patients: int
    count_studies: int
    count_series: int
    count_instances: int
    total_disk_size: int
    total_uncompressed_size: int


class System(Answer):
    """Of `/system`; `is_ours` tells orthanc_fast from Orthanc."""

    version: str
    api_version: int = 0
    name: str = ""
    dicom_aet: str = ""
    dicom_port: int = 0
    database_version: int = 0
    third_party_versions: dict[str, str] = {}

    @property
    def is_ours(self) -> bool:
        return "orthanc_fast" in self.third_party_versions


class Change(Answer):
    """One entry of the log of changes; `date` is UTC."""

    seq: int
    change_type: str
    date: str
    id: str = ""
    path: str = ""
    resource_type: str = ""


class Changes(Answer):
    """Some of the log; `last` is what the next call is to go on from."""

    changes: list[Change]
    done: bool
    last: int


State = Literal["Pending", "Running", "Success", "Failure", "Paused", "Retry"]


class Job(Answer):
    """A job; `progress` is in per cent, `content` is what its kind tells."""

    id: str
    type: str
    state: State
    progress: int
    priority: int = 0
    content: dict[str, Any] = {}
    error_code: int = 0
    error_description: str = ""
    error_details: str = ""
    creation_time: str = ""
    completion_time: str = ""
    estimated_time_of_arrival: str = ""
    timestamp: str = ""
    effective_runtime: float = 0.0
    user_data: Any = None

    @property
    def is_done(self) -> bool:
        return self.state in ("Success", "Failure")

    @property
    def created(self) -> datetime | None:
        if not self.creation_time:
            return None
        return datetime.strptime(self.creation_time[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)

    @property
    def reason(self) -> str:
        """Why it failed."""
        return self.error_details or self.error_description


class Submitted(Answer):
    """A job that has been queued."""

    id: str
    path: str


class Effect(Answer):
    """What a dry run would do to one element: its path, and the values before and after, None for
    what is no text."""

    path: str
    name: str
    action: str
    old_value: str | None = None
    new_value: str | None = None
    instances: int = 1


class DryRun(Answer):
    """What an anonymization or a modification would do."""

    instances_count: int
    changes: list[Effect]
    not_judged: list[dict[str, Any]] = []


class Sample(Answer):
    """Counters of a server at an instant, in seconds since the epoch."""

    time: float
    instances: float
    written_bytes: float
    read_bytes: float
    requests: float


class Geometry(Answer):
    """Where a volume lies in the patient, in mm: see docs/volumes.md."""

    size: tuple[int, int, int]
    origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    direction: list[list[float]]
    affine: list[list[float]]
    is_uniform: bool
