"""What scrubber and checks know of the stored files, for answers and figures."""

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, timestamp
from orthanc_fast.services.administration.damages import DAMAGED, Damage, damages
from orthanc_fast.services.administration.scrubber import Round, status_of
from orthanc_fast.services.attachments.types import AttachmentTypes
from orthanc_fast.services.browse.describe import NAMES
from orthanc_fast.services.store.reads import Reads


class RoundAnswer(msgspec.Struct, rename="pascal"):
    """One reading of all files. `progress` is from 0 to 1; `ended` is null until then."""

    started: str
    ended: str | None
    progress: float
    files: int
    bytes: int
    damaged: int


class DamageAnswer(msgspec.Struct, rename="pascal"):
    """A file that is not what was stored, and whose it is."""

    level: str
    identifier: str = msgspec.field(name="ID")
    attachment: str
    uuid: str
    kind: str
    explanation: str
    found: str
    patient: str
    patient_id: str = msgspec.field(name="PatientID")
    patient_name: str
    study: str
    study_instance_uid: str = msgspec.field(name="StudyInstanceUID")
    study_date: str
    study_description: str


class ScrubberAnswer(msgspec.Struct, rename="pascal"):
    """`GET /tools/scrubber`"""

    enabled: bool
    days: float | None
    megabytes_per_second: float | None
    present_round: RoundAnswer | None
    last_round: RoundAnswer | None
    damaged: list[DamageAnswer]


class Integrity:
    """Reads what is kept in the index."""

    def __init__(self, settings: Settings, reads: Reads) -> None:
        self._options = settings.scrubber
        self._read = reads
        self._types = AttachmentTypes(settings.user_content_types)

    def answer(self, caller: Caller) -> ScrubberAnswer:
        """Who sees some studies only is refused: see `store/visible.py`."""
        options = self._options
        status, found = self._read(caller, lambda view: (status_of(view), damages(view)))
        return ScrubberAnswer(
            enabled=options is not None,
            days=None if options is None else options.days,
            megabytes_per_second=None if options is None else options.megabytes_per_second,
            present_round=_round(status.present, status.progress),
            last_round=_round(status.last, 1.0),
            damaged=[self._damage(each) for each in found],
        )

    def figures(self, caller: Caller) -> dict[str, float]:
        """For Prometheus: the damaged files, and how the rounds go."""
        return self._read(caller, self._figures)

    def _figures(self, view: Snapshot) -> dict[str, float]:
        found = {"orthanc_damaged_files_count": float(len(view.properties(DAMAGED)))}
        if self._options is None:
            return found
        status = status_of(view)
        if status.present is not None:
            found["orthanc_scrubber_files_count"] = float(status.present.files)
            found["orthanc_scrubber_progress"] = status.progress
        if status.last is not None:
            found["orthanc_scrubber_last_round_s"] = float(status.last.ended)
        return found

    def _damage(self, damage: Damage) -> DamageAnswer:
        return DamageAnswer(
            NAMES[damage.level],
            to_text(damage.public),
            self._types.name(damage.attachment),
            damage.uuid,
            damage.kind,
            damage.explanation,
            timestamp(damage.found),
            damage.patient,
            damage.patient_id,
            damage.patient_name,
            damage.study,
            damage.study_uid,
            damage.study_date,
            damage.study_description,
        )


def _round(found: Round | None, progress: float) -> RoundAnswer | None:
    if found is None:
        return None
    ended = timestamp(found.ended) if found.ended else None
    return RoundAnswer(
        timestamp(found.started), ended, progress, found.files, found.bytes, found.damaged
    )
