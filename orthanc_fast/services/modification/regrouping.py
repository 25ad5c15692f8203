"""Instances that go into another study: split and merge before they run as jobs.

Source: reference chapter 3, section 3.5.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary, tag_text
from orthanc_fast.dicom.editing import Editor
from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.dicom.modules import MODULES
from orthanc_fast.dicom.text import character_set_of, decode, without_padding
from orthanc_fast.errors import BadFileFormat, BadRequest, ParameterOutOfRange, UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import union
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.browse.describe import NAMES
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.modification.identifiers import Identifiers, Kind, new_secret
from orthanc_fast.services.modification.orders import Options, Order
from orthanc_fast.services.modification.request import STUDY_UID, Asked
from orthanc_fast.services.store.lookup import first_instance
from orthanc_fast.services.store.reads import Reads

SPLIT: Final = "SplitStudy"
MERGE: Final = "MergeStudy"

_CHARACTER_SET: Final = 0x00080005
_OF_A_STUDY: Final = frozenset((*MODULES[Level.PATIENT], *MODULES[Level.STUDY]))


class Changes(msgspec.Struct, frozen=True):
    """What instances have in common with their new study: texts by tag, and what they lack."""

    replaced: dict[int, str]
    removed: frozenset[int]


class Regroup(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a job."""

    order: Order
    changes: Changes

    @property
    def asked(self) -> Asked:
        """The same as a modification, which gives series and instances new identifiers."""
        return Asked(
            removed=self.changes.removed,
            replaced=dict(self.changes.replaced),
            kept=frozenset(),
            removed_paths=(),
            replaced_paths=(),
            kept_paths=(),
            profile=None,
            private=False,
            private_creator="",
            is_amended=False,
            keep_labels=False,
            transcode=None,
            may_remove_keys=True,
            literal=True,
        )


encode_regroup = msgspec.msgpack.Encoder().encode
decode_regroup = msgspec.msgpack.Decoder(Regroup).decode


class Regrouping:
    """Makes submissions of one process. Its methods are for threads."""

    def __init__(
        self,
        reads: Reads,
        contents: Contents,
        dictionary: Dictionary,
        default_character_set: Callable[[], str],
    ) -> None:
        self._read = reads
        self._contents = contents
        self._dictionary = dictionary
        self._default_character_set = default_character_set

    # Split

    def to_split(
        self, caller: Caller, study: str, series: Sequence[str], instances: Sequence[str]
    ) -> bytes:
        """The instances, packed, that leave a study: those of some of its series, and single ones.
        Raises UnknownResource, BadRequest where none are named."""

        def read(view: Snapshot) -> bytes:
            source = _resource(view, Level.STUDY, study)
            if source is None:
                raise UnknownResource(f"Cannot split unknown study {study}")
            leaving = [
                *_below(view, source, Level.SERIES, series),
                *_below(view, source, Level.INSTANCE, instances),
            ]
            if not leaving:
                raise BadRequest('Both the "Series" and the "Instances" fields are missing')
            return union([view.descendants_packed(each, Level.INSTANCE) for each in leaving])

        return self._read(caller, read)

    def changes(self, body: Mapping[str, Any]) -> Changes:
        """What a split replaces and removes besides. Raises BadFileFormat for wrong types,
        UnknownDicomTag, ParameterOutOfRange for what is no matter of a study."""
        removed = body.get("Remove", [])
        if not isinstance(removed, list) or not all(isinstance(each, str) for each in removed):
            raise BadFileFormat()
        tags = [self._tag_of_study(name) for name in removed]
        replaced = body.get("Replace", {})
        if not isinstance(replaced, dict):
            raise BadFileFormat()
        texts: dict[int, str] = {}
        for name, value in sorted(replaced.items()):
            if not isinstance(value, str):
                raise BadFileFormat()
            texts[self._tag_of_study(name)] = value
        return Changes(texts, frozenset(tags) - texts.keys())

    def _tag_of_study(self, name: str) -> int:
        tag = self._dictionary.parse(name)
        if tag not in _OF_A_STUDY or tag == STUDY_UID:
            raise ParameterOutOfRange(
                "Cannot modify the following tag while splitting a study (not in the patient/study "
                f"modules): {self._dictionary.name(tag)} ({tag_text(tag)})"
            )
        return tag

    def split(self, instances: bytes, changes: Changes, options: Options) -> Submission:
        """The job that puts instances into a new study."""
        order = _order(instances, options)
        uid = Identifiers(order.secret).new(Kind.STUDY, b"", b"split").decode()
        replaced = {**changes.replaced, STUDY_UID: uid}
        regroup = Regroup(order=order, changes=Changes(replaced, changes.removed))
        return _submission(SPLIT, regroup, options, {"TargetStudyUID": uid})

    # Merge

    def to_merge(
        self, caller: Caller, study: str, resources: Iterable[str]
    ) -> tuple[bytes, Resource]:
        """The instances, packed, of studies, series and single ones that go into a study, and an
        instance that is in it already. Raises UnknownResource."""

        def read(view: Snapshot) -> tuple[bytes, Resource]:
            target = _resource(view, Level.STUDY, study)
            example = None if target is None else first_instance(view, target)
            if target is None or example is None:
                raise UnknownResource(f"Cannot merge into an unknown study: {study}")
            found = [_mergeable(view, target, study, name) for name in resources]
            return union([view.descendants_packed(each, Level.INSTANCE) for each in found]), example

        return self._read(caller, read)

    def merge(
        self, study: str, instances: bytes, example: Resource, options: Options
    ) -> Submission:
        """The job that puts instances into a study of which `example` is one. Raises BadFileFormat
        for a damaged file."""
        regroup = Regroup(order=_order(instances, options), changes=self._common(example))
        return _submission(MERGE, regroup, options, {"TargetStudy": study})

    def _common(self, example: Resource) -> Changes:
        """What all instances of the example's study should have, and lack, as it does."""
        head, _ = self._contents.head_now(example)
        editor = Editor(head, explicit=True, big=False, dictionary=self._dictionary)
        character_set = character_set_of(editor.raw(_CHARACTER_SET), self._default_character_set())
        texts: dict[int, str] = {}
        for tag in _OF_A_STUDY:
            vr = self._dictionary.vr(tag)
            raw = editor.raw(tag)
            if raw is not None and vr != "SQ":
                texts[tag] = decode(without_padding(raw, vr), character_set, vr)
        return Changes(texts, _OF_A_STUDY - texts.keys())


def _resource(view: Snapshot, level: Level, name: str) -> Resource | None:
    public = from_text(name)
    return None if public is None else view.resource(level, public)


def _below(
    view: Snapshot, study: Resource, level: Level, names: Iterable[str]
) -> Iterable[Resource]:
    for name in names:
        found = _resource(view, level, name)
        if found is None or study not in view.ancestors(found):
            raise UnknownResource(
                f"This {level.name.lower()} does not belong to the study to be split: {name}"
            )
        yield found


def _mergeable(view: Snapshot, target: Resource, study: str, name: str) -> Resource:
    public = from_text(name)
    found = None if public is None else view.resource_of_any_level(public)
    if found is None:
        raise UnknownResource(f"Cannot find this resource: {name}")
    if found.level == Level.PATIENT:
        raise UnknownResource(
            "This resource is neither a study, nor a series, nor an instance: "
            f"{name} is a {NAMES[found.level]}"
        )
    if found.public == target.public:
        raise UnknownResource(f"Cannot merge a study into the same study: {name}")
    if any(each.public == target.public for each in view.ancestors(found)):
        level = NAMES[found.level].lower()
        raise UnknownResource(f"Cannot merge {level} {name} into its parent study {study}")
    return found


def _order(instances: bytes, options: Options) -> Order:
    return Order(
        body={},
        is_anonymization=False,
        is_list=False,
        level=Level.SERIES,
        instances=instances,
        secret=new_secret(),
        patient_name="",
        keep_source=options.keep_source,
        permissive=options.permissive,
    )


def _submission(
    kind: str, regroup: Regroup, options: Options, target: Mapping[str, str]
) -> Submission:
    content = {
        "Description": options.description,
        "InstancesCount": len(regroup.order.instances) // SHA1,
        "FailedInstancesCount": 0,
    }
    return Submission(
        kind=kind,
        payload=encode_regroup(regroup),
        content={**content, **target},
        priority=options.priority,
        user_data=options.user_data,
    )
