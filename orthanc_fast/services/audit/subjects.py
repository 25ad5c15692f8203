"""Whose a resource is: PatientID and StudyInstanceUID, as the index has them."""

from collections.abc import Sequence
from typing import Final

from orthanc_fast._ext.ids import to_text
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.audit.entries import Subject
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.terms import PATIENT_ID, STUDY_INSTANCE_UID

MOST: Final = 100  # of one line
_REMEMBERED: Final = 4096


class Subjects:
    """Looks them up; identifiers follow from what is shown here, so what is known once stays
    right."""

    def __init__(self, reads: Reads) -> None:
        self._read = reads
        self._known: dict[bytes, Subject] = {}

    def of(self, caller: Caller, publics: Sequence[bytes], uids: Sequence[str]) -> list[Subject]:
        """The first of them, those that the index does not know by their identifier alone."""
        wanted = list(dict.fromkeys(publics))[:MOST]
        unknown = [public for public in wanted if public not in self._known]

        def read(view: Snapshot) -> list[Subject]:
            for public in unknown:
                resource = view.resource_of_any_level(public)
                if resource is not None:
                    self._remember(public, _subject(view, resource))
            return [_of_uid(view, uid) for uid in dict.fromkeys(uids)]

        by_uid = self._read(caller, read) if unknown or uids else []
        found = [self._known.get(each) or Subject(id=to_text(each)) for each in wanted]
        return [*found, *by_uid[: MOST - len(found)]]

    def _remember(self, public: bytes, subject: Subject) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known)), None)
        self._known[public] = subject


def _subject(view: Snapshot, resource: Resource) -> Subject:
    patient_id = study_uid = None
    for each in (resource, *view.ancestors(resource)):
        if each.level == Level.PATIENT:
            patient_id = each.tags.get(PATIENT_ID)
        elif each.level == Level.STUDY:
            study_uid = each.tags.get(STUDY_INSTANCE_UID)
    return Subject(
        resource.level.name.capitalize(), to_text(resource.public), patient_id, study_uid
    )


def _of_uid(view: Snapshot, uid: str) -> Subject:
    for study in view.with_term(Level.STUDY, STUDY_INSTANCE_UID, uid):
        return _subject(view, study)
    return Subject("Study", study_uid=uid)
