"""Modification jobs before they run: what they work on, and whether it may be done.

Source: reference chapter 3, sections 3.2.7, 3.2.8 and 3.4.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import tag_text
from orthanc_fast.dicom.identifiers import from_text, patient_identifier, to_text
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.errors import BadFileFormat, BadParameterType, BadRequest, UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import union, unpack
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.services.browse.describe import NAMES
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.modification.modification import Modification
from orthanc_fast.services.modification.request import (
    PATIENT_ID,
    SERIES_UID,
    SOP_UID,
    STUDY_UID,
    Asked,
)
from orthanc_fast.services.store.lookup import found_or_raise
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.transfer_syntaxes import SYNTAXES

KIND: Final = "ResourceModification"

_SAME_UIDS = "When keeping StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID tag, you must "
_IN_PLACE_DELETES = (
    f"{_SAME_UIDS}set KeepSource to true to avoid deleting the modified files at the end of the "
    "process"
)
_IN_PLACE_NEVER = (
    f"{_SAME_UIDS}have the 'OverwriteInstances' Orthanc configuration set to true in order to "
    "replace the modified resources"
)
_OTHER_STUDIES = (
    "Trying to change patient tags in a study.  The Patient already exists and has other studies.  "
)
_USE_PATIENTS = "Try using /patients/../modify instead to modify the patient. "
_ALL_SHOULD_MATCH = (
    f"{_OTHER_STUDIES}All the 'Replace' tags should match the existing patient main dicom tags and "
    f"you should specify all Patient MainDicomTags in your query.  {_USE_PATIENTS}"
)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a job: the request as it came, and what makes each run the same. `instances`
    are packed, ascending; `level` is that of the route, None for a list without one."""

    body: dict[str, Any]
    is_anonymization: bool
    is_list: bool
    level: Level | None
    instances: bytes
    secret: bytes
    patient_name: str | None  # None for the pseudonym of each patient
    keep_source: bool
    permissive: bool

    @property
    def count(self) -> int:
        return len(self.instances) // SHA1


encode_order = msgspec.msgpack.Encoder().encode
decode_order = msgspec.msgpack.Decoder(Order).decode


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a request names: resources by their identifiers as texts, and the level at which they
    are changed, None for a list that leaves it open."""

    names: Sequence[str]
    level: Level | None
    is_list: bool = False


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How the job is to be run; `description` is what it is called in its content."""

    description: str
    keep_source: bool = True
    permissive: bool = False
    priority: int = 0
    user_data: msgspec.Raw | None = None


class Orders:
    """Makes submissions of one process."""

    def __init__(
        self, settings: Settings, reads: Reads, main_tags: MainTags, modification: Modification
    ) -> None:
        self._settings = settings
        self._read = reads
        self._main_tags = main_tags
        self._modification = modification

    async def submission(
        self,
        caller: Caller,
        target: Target,
        body: Mapping[str, Any],
        is_anonymization: bool,
        options: Options,
    ) -> Submission:
        """The job that does it. Raises what the body's fields raise, UnknownResource, BadRequest
        where it must not be done."""
        asked, found, instances = await self.checked(
            caller, target, body, is_anonymization, options
        )
        order = Order(
            body={name: value for name, value in body.items() if name in _FIELDS},
            is_anonymization=is_anonymization,
            is_list=target.is_list,
            level=target.level,
            instances=instances,
            secret=self._modification.secret(asked),
            patient_name=await self._modification.patient_name(caller, asked),
            keep_source=options.keep_source,
            permissive=options.permissive,
        )
        return Submission(
            kind=KIND,
            payload=encode_order(order),
            content=_content(order, found, asked, options),
            priority=options.priority,
            user_data=options.user_data,
        )

    async def checked(
        self,
        caller: Caller,
        target: Target,
        body: Mapping[str, Any],
        is_anonymization: bool,
        options: Options,
    ) -> tuple[Asked, list[Resource], bytes]:
        """What a job would do, the resources that are meant, and all their instances, packed and
        ascending. Raises as `submission`."""
        asked = self._modification.asked(body, is_anonymization)
        if asked.transcode is not None and asked.transcode not in SYNTAXES:
            raise BadFileFormat(f"Unknown transfer syntax UID: {asked.transcode}")
        self._check_in_place(asked, target, options)
        return asked, *await self._read.run(self._found, caller, asked, target)

    def _check_in_place(self, asked: Asked, target: Target, options: Options) -> None:
        if target.level == Level.INSTANCE and not target.is_list:
            return  # it is answered, and not stored
        level = asked.level if asked.profile is not None or target.level is None else target.level
        if level > Level.STUDY or PATIENT_ID in asked.replaced:
            return
        if not {STUDY_UID, SERIES_UID, SOP_UID} <= asked.kept:
            return
        if not options.keep_source:
            raise BadRequest(_IN_PLACE_DELETES)
        if self._settings.overwrite_instances == "Never":
            raise BadRequest(_IN_PLACE_NEVER)

    def _found(self, caller: Caller, asked: Asked, target: Target) -> tuple[list[Resource], bytes]:
        """The resources, and all their instances, both ascending."""
        publics = sorted({from_text(name) or b"" for name in target.names})

        def read(view: Snapshot) -> tuple[list[Resource], bytes]:
            found = [found_or_raise(view.resource_of_any_level(public)) for public in publics]
            if asked.profile is None and target.level == Level.STUDY:
                for resource in found:
                    self._check_patient(view, asked, resource, target)
            return found, union(
                [view.descendants_packed(resource, Level.INSTANCE) for resource in found]
            )

        return self._read(caller, read)

    def _check_patient(
        self, view: Snapshot, asked: Asked, resource: Resource, target: Target
    ) -> None:
        """A study that comes to a patient who has others must agree with him."""
        tags = self._main_tags.ordered[Level.PATIENT]
        if not self._settings.patient_level_enabled or asked.replaced.keys().isdisjoint(tags):
            return
        study = next(
            (each for each in (resource, *view.ancestors(resource)) if each.level == Level.STUDY),
            None,
        )
        if study is None or (target.is_list and resource.level != Level.STUDY):
            raise UnknownResource("Study not found")
        patient_id = study.patient_tags.get(PATIENT_ID, "")
        if PATIENT_ID in asked.replaced:
            patient_id = _text(asked.replaced[PATIENT_ID])
        patient = view.resource(Level.PATIENT, patient_identifier(patient_id))
        if patient is None:
            return
        others = set(unpack(view.children_packed(patient))) - {study.public}
        if others:
            _check_agreement(patient, asked.replaced, tags)


def _text(value: Any) -> str:
    """Raises BadParameterType."""
    if not isinstance(value, str):
        raise BadParameterType
    return value


def _check_agreement(patient: Resource, replaced: Mapping[int, Any], tags: Sequence[int]) -> None:
    for tag in sorted(tags):
        stored = patient.tags.get(tag)
        if stored is None:
            if tag in replaced:
                raise BadRequest(
                    f"{_OTHER_STUDIES}You are trying to replace a tag that is not defined yet in "
                    f"this patient. {_USE_PATIENTS}Failing tag: {tag_text(tag)}"
                )
        elif tag not in replaced:
            if stored:
                raise BadRequest(
                    f"{_ALL_SHOULD_MATCH}Missing tag in the 'Replace' tags: {tag_text(tag)}"
                )
        elif _text(replaced[tag]) != stored:
            raise BadRequest(f"{_ALL_SHOULD_MATCH}Failing tag: {tag_text(tag)}")


# Of the body, what the job reads again.
_FIELDS: Final = frozenset(
    {
        *("Replace", "Remove", "Keep", "Force", "RemovePrivateTags", "KeepPrivateTags"),
        *("PrivateCreator", "Transcode", "KeepLabels", "DicomVersion", "MaskPixels"),
        *("Options", "DateShift"),
    }
)


def _content(
    order: Order, found: Sequence[Resource], asked: Asked, options: Options
) -> dict[str, Any]:
    content: dict[str, Any] = {
        "Description": options.description,
        "InstancesCount": order.count,
        "FailedInstancesCount": 0,
        "IsAnonymization": order.is_anonymization,
    }
    if found:
        content["ParentResources"] = [to_text(each.public) for each in found]
    if found or order.is_list:
        content["Resources"] = [] if order.is_list else [_named(each) for each in found]
    if asked.transcode is not None:
        content["Transcode"] = asked.transcode
    return content


def _named(resource: Resource) -> dict[str, str]:
    return {"ID": to_text(resource.public), "Type": NAMES[resource.level]}
