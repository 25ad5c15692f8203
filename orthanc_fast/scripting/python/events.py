"""Changes as scripts hear of them. Source: reference chapter 7, section 2.2."""

from collections.abc import Callable
from typing import Final

from orthanc_fast.dicom.identifiers import from_text, to_text
from orthanc_fast.model import SERVER, Level
from orthanc_fast.registries import METADATA
from orthanc_fast.scripting.observer import Event
from orthanc_fast.scripting.python.enumerations import MEMBERS
from orthanc_fast.scripting.python.instances import DicomInstance, Facts
from orthanc_fast.scripting.python.surroundings import Surroundings
from orthanc_fast.services.attachments.reading import dicom_attachment

_TYPES = MEMBERS["ChangeType"]
_NONE: Final = MEMBERS["ResourceType"]["NONE"]
NEW_INSTANCE: Final = "NewInstance"
_BY_KIND: Final = {
    "CompletedSeries": _TYPES["COMPLETED_SERIES"],
    "Deleted": _TYPES["DELETED"],
    NEW_INSTANCE: _TYPES["NEW_INSTANCE"],
    "NewPatient": _TYPES["NEW_PATIENT"],
    "NewSeries": _TYPES["NEW_SERIES"],
    "NewStudy": _TYPES["NEW_STUDY"],
    "StablePatient": _TYPES["STABLE_PATIENT"],
    "StableSeries": _TYPES["STABLE_SERIES"],
    "StableStudy": _TYPES["STABLE_STUDY"],
    "UpdatedAttachment": _TYPES["UPDATED_ATTACHMENT"],
    "UpdatedMetadata": _TYPES["UPDATED_METADATA"],
    "UpdatedPeers": _TYPES["UPDATED_PEERS"],
    "UpdatedModalities": _TYPES["UPDATED_MODALITIES"],
    "JobSubmitted": _TYPES["JOB_SUBMITTED"],
    "JobSuccess": _TYPES["JOB_SUCCESS"],
    "JobFailure": _TYPES["JOB_FAILURE"],
}
STARTED: Final = (_TYPES["ORTHANC_STARTED"], _NONE, "")
STOPPED: Final = (_TYPES["ORTHANC_STOPPED"], _NONE, "")
_NEW_CHILD: Final = _TYPES["NEW_CHILD_INSTANCE"]
_NEW_PARENTS: Final = frozenset({"NewSeries", "NewStudy", "NewPatient"})

Change = tuple[int, int, str]
"""Type, level and resource, as a callback gets them."""


class Changes:
    """Makes the changes that scripts know of the events of the log.

    Orthanc tells of NEW_CHILD_INSTANCE behind the new parents of an instance, so they wait until an
    event comes that is none of these, or until there is none for now (`rest`).
    """

    def __init__(self, around: Surroundings, tell: Callable[[Change], None]) -> None:
        self._around = around
        self._tell = tell
        self._waiting: list[Change] = []

    def of(self, event: Event) -> None:
        """Tells of one event."""
        if event.kind not in _NEW_PARENTS:
            self.rest()
        kind = _BY_KIND.get(event.kind)
        if kind is not None:
            level = _NONE if event.level is None else int(event.level)
            self._tell((kind, level, event.resource))
        if event.kind == NEW_INSTANCE:
            self._waiting = [
                (_NEW_CHILD, int(level), public) for level, public in self._parents(event.resource)
            ]

    def rest(self) -> None:
        """Tells of what has waited."""
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            self._tell(change)

    def _parents(self, instance: str) -> list[tuple[Level, str]]:
        public = from_text(instance)

        if public is None:
            return []
        services = self._around.services
        found = services.resources.find(SERVER, Level.INSTANCE, public)
        if found is None:
            return []
        parents = services.reads(SERVER, lambda view: view.ancestors(found))
        return [(each.level, to_text(each.public)) for each in parents]


def stored_instance(around: Surroundings, identifier: str) -> DicomInstance | None:
    """An instance of the store for its callback, None where it is gone again."""
    services = around.services
    public = from_text(identifier)
    if public is None:
        return None
    found = services.resources.find(SERVER, Level.INSTANCE, public)
    if found is None:
        return None
    metadata = {
        METADATA[number]: text for number, text in found.metadata.items() if number in METADATA
    }
    facts = Facts(metadata.get("Origin", "Unknown"), metadata.get("RemoteAET", ""), metadata)
    return DicomInstance(
        around, lambda: services.contents.content_now(dicom_attachment(found)), facts
    )
