"""Worklists as REST shows and makes them. Source: reference chapter 7, section 7.2."""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.elements import Writer
from orthanc_fast.dicom.file_meta import NO_SOP_CLASS, meta_header
from orthanc_fast.dicom.json_values import Elements, is_of_data_set
from orthanc_fast.dicom.tag_json import Format, reduced
from orthanc_fast.dicom.tag_paths import parse_tag
from orthanc_fast.dicom.text import CharacterSet
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.model import Caller
from orthanc_fast.services.creation.building import new_uid
from orthanc_fast.services.store.terms import MODALITY, STUDY_INSTANCE_UID
from orthanc_fast.services.worklists.contract import Shelf
from orthanc_fast.services.worklists.entries import Worklist
from orthanc_fast.services.worklists.query import SPECIFIC_CHARACTER_SET, STEPS
from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE

_WRITE: Final = Writer(explicit=True, big=False)
_START_DATE: Final = 0x00400002
_UNICODE: Final = "ISO_IR 192"

Tags = Mapping[str, Any]


class WorklistRegistry:
    """The worklists of this server; its methods may wait for the disk."""

    def __init__(self, shelf: Shelf, dictionary: Dictionary, set_study_uid: bool) -> None:
        """`set_study_uid`: a worklist without StudyInstanceUID gets one."""
        self._shelf = shelf
        self._dictionary = dictionary
        self._set_study_uid = set_study_uid

    def all(self, caller: Caller, form: Format) -> list[dict[str, Any]]:
        """What is shown of each, by identifier."""
        return [self._shown(each, form) for each in self._shelf.all()]

    def get(self, caller: Caller, identifier: str, form: Format) -> dict[str, Any]:
        """What is shown of one. Raises UnknownResource."""
        return self._shown(self._shelf.get(identifier), form)

    def create(self, caller: Caller, tags: Tags, force: bool) -> str:
        """The identifier of a new worklist. Without `force` it must say when its step begins, and
        with which modality. Raises BadFileFormat, BadParameterType, UnknownDicomTag,
        StorageFault."""
        if not force:
            self._check_step(tags)
        identifier = str(uuid.uuid4())
        self._shelf.put(identifier, self._file(tags))
        return identifier

    def put(self, caller: Caller, identifier: str, tags: Tags) -> None:
        """Adds a worklist, or replaces all of it. Raises as `create`, and ParameterOutOfRange for
        what can be no identifier."""
        self._shelf.put(identifier, self._file(tags))

    def delete(self, caller: Caller, identifier: str) -> None:
        """Raises UnknownResource, StorageFault."""
        self._shelf.delete(identifier)

    @staticmethod
    def _shown(worklist: Worklist, form: Format) -> dict[str, Any]:
        elements = worklist.elements
        tags: dict[str, Any] = dict(elements)
        if form != "full":
            is_short = form == "short"
            tags = {
                (key if is_short else each["Name"]): reduced(dict(each), is_short)
                for key, each in elements.items()
            }
        shown: dict[str, Any] = {"ID": worklist.id, "Tags": tags}
        if worklist.created is not None:
            shown["CreationDate"] = worklist.created
        return shown

    def _check_step(self, tags: Tags) -> None:
        steps = self._value(tags, STEPS)
        step = steps[0] if isinstance(steps, list) and steps else None
        if not isinstance(step, dict):
            raise BadFileFormat("The worklist must have a ScheduledProcedureStepSequence")
        for tag, name in (
            (MODALITY, "Modality"),
            (_START_DATE, "ScheduledProcedureStepStartDate"),
        ):
            if self._value(step, tag) is None:
                raise BadFileFormat(f"The ScheduledProcedureStepSequence must have {name}")

    def _value(self, tags: Tags, wanted: int) -> Any:
        for name, value in tags.items():
            if parse_tag(name, self._dictionary) == wanted:
                return value
        return None

    def _file(self, tags: Tags) -> bytes:
        encode = Elements(
            dictionary=self._dictionary, character_set=CharacterSet("Utf8"), write=_WRITE
        )
        elements = {}
        for name, value in sorted(tags.items()):
            tag = self._dictionary.parse(name)
            if is_of_data_set(tag):
                elements[tag] = encode.element(tag, value)
        elements[SPECIFIC_CHARACTER_SET] = _WRITE.text(SPECIFIC_CHARACTER_SET, "CS", _UNICODE)
        if self._set_study_uid and STUDY_INSTANCE_UID not in elements:
            elements[STUDY_INSTANCE_UID] = _WRITE.text(STUDY_INSTANCE_UID, "UI", new_uid())
        header = meta_header(NO_SOP_CLASS, new_uid().encode(), EXPLICIT_LITTLE)
        return header + b"".join(elements[tag] for tag in sorted(elements))
