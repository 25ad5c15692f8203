"""Which parts of a resource an answer shows: everything, as `expand` does, or ResponseContent's
choice. Source: reference chapter 1, section 4.2."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from enum import Flag, auto
from typing import Any

import msgspec

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.browse.describe import NAMES, PLURALS, Describer, children_of
from orthanc_fast.services.browse.metadata_names import MetadataNames
from orthanc_fast.services.find.facts import Facts, FileReader
from orthanc_fast.services.find.requested import RequestedTags
from orthanc_fast.services.store.lookup import AT_ONCE, records, records_of_any_level
from orthanc_fast.services.store.reads import Reads


class ResponseContent(Flag):
    """The groups of an answer, under their names in ResponseContent."""

    MainDicomTags = auto()
    Metadata = auto()
    Children = auto()
    Parent = auto()
    Labels = auto()
    Status = auto()
    IsStable = auto()
    IsProtected = auto()
    Attachments = auto()
    RequestedTags = auto()


def parse_content(names: Iterable[str]) -> ResponseContent:
    """Raises ParameterOutOfRange."""
    chosen = ResponseContent(0)
    for name in names:
        if name not in ResponseContent.__members__:
            raise ParameterOutOfRange(f"ResponseContent: there is no group {name!r}")
        chosen |= ResponseContent[name]
    return chosen


class Presentation(msgspec.Struct, frozen=True):
    """How resources are shown. `content` None is the expanded form; `metadata` adds the object
    Metadata to that."""

    form: Format = "simplify"
    content: ResponseContent | None = None
    requested: RequestedTags | None = None
    metadata: bool = False

    @property
    def reads_files(self) -> bool:
        """Whether a stored file is needed for every resource."""
        return self.requested is not None and self.requested.reads_files


# Resources as they are shown, and the work that completes them.
Shown = tuple[list[Any], list[Callable[[], None]]]


class Presenter:
    """Shows resources; one per process."""

    def __init__(
        self, reads: Reads, describer: Describer, names: MetadataNames, files: FileReader
    ) -> None:
        self._read = reads
        self._describer = describer
        self._names = names
        self._files = files

    def show(self, caller: Caller, level: Level, packed: bytes, how: Presentation) -> list[Any]:
        """The resources of a packed list that are there, in its order, for the JSON encoder. Where
        `how` says that it reads files that takes a while."""

        def read(view: Snapshot) -> Shown:
            return self._show(view, records(view, level, packed), how)

        return self._completed(self._read(caller, read))

    async def shown(
        self, caller: Caller, level: Level, packed: bytes, how: Presentation
    ) -> list[Any]:
        """As `show`, for an event loop."""
        if how.reads_files:
            return await asyncio.to_thread(self.show, caller, level, packed, how)
        return await self._read.run(self.show, caller, level, packed, how)

    def show_listed(self, caller: Caller, publics: Sequence[bytes], how: Presentation) -> list[Any]:
        """The resources with these identifiers, each of any level. `how` reads no files."""

        def read(view: Snapshot) -> Shown:
            found = records_of_any_level(view, publics)
            parts = (found[at : at + AT_ONCE] for at in range(0, len(found), AT_ONCE))
            return self._show(view, parts, how)

        return self._completed(self._read(caller, read))

    def _show(self, view: Snapshot, parts: Iterable[list[Resource]], how: Presentation) -> Shown:
        facts = Facts(view)
        shown = [each for part in parts for each in self._part(facts, part, how)]
        return shown, facts.after

    def _completed(self, shown: Shown) -> list[Any]:
        """With what is read from files: no snapshot stays open that long."""
        resources, after = shown
        for work in after:
            work()
        return resources

    def _part(self, facts: Facts, part: list[Resource], how: Presentation) -> Sequence[Any]:
        """Some resources, as `how` says; what is not in their records is asked for together."""
        if how.content is not None:
            return self._chosen(facts, part, how, how.content)
        answers = self._describer.describe_all(facts.view, part, how.form)
        if not how.requested and not how.metadata:
            return answers
        shown: list[dict[str, Any]] = [
            {
                name: value
                for name, value in msgspec.structs.asdict(answer).items()
                if value is not None
            }
            for answer in answers
        ]
        if how.metadata:
            _add(shown, "Metadata", self._metadata(facts.view, part))
        if how.requested:
            requested = how.requested.show(facts, self._files, part, how.form, True)
            _add(shown, "RequestedTags", requested)
        return shown

    def _chosen(
        self, facts: Facts, part: list[Resource], how: Presentation, chosen: ResponseContent
    ) -> list[dict[str, Any]]:
        view, with_metadata = facts.view, ResponseContent.Metadata in chosen
        shown = [self._own(resource, how, chosen) for resource in part]
        if with_metadata:
            _add(shown, "Metadata", self._metadata(view, part))
        if chosen & (ResponseContent.Children | ResponseContent.Status):
            children = children_of(view, part)
            if ResponseContent.Children in chosen:
                for members, resource, packed in zip(shown, part, children, strict=True):
                    if resource.level != Level.INSTANCE:
                        below = PLURALS[Level(resource.level + 1)].title()
                        members[below] = [to_text(public) for public in unpack(packed)]
            if ResponseContent.Status in chosen:
                statuses = self._describer.series_statuses(view, part, children)
                for members, resource, (status, _) in zip(shown, part, statuses, strict=True):
                    if resource.level == Level.SERIES:
                        members["Status"] = status
        if how.requested:
            requested = how.requested.show(facts, self._files, part, how.form, with_metadata)
            _add(shown, "RequestedTags", requested)
        return shown

    def _own(
        self, resource: Resource, how: Presentation, chosen: ResponseContent
    ) -> dict[str, Any]:
        """What the record of the resource tells."""
        level, describer = resource.level, self._describer
        members: dict[str, Any] = {"ID": to_text(resource.public), "Type": NAMES[level]}
        if ResponseContent.MainDicomTags in chosen:
            members["MainDicomTags"] = (
                describer.main_tags(resource, how.form)
                if ResponseContent.Metadata in chosen
                else describer.tags(resource.tags, how.form)
            )
            if level == Level.STUDY:
                members["PatientMainDicomTags"] = describer.tags(resource.patient_tags, how.form)
        if ResponseContent.Parent in chosen and level != Level.PATIENT:
            members[f"Parent{NAMES[Level(level - 1)]}"] = to_text(resource.parent_public)
        if ResponseContent.Labels in chosen:
            members["Labels"] = sorted(resource.labels)
        if ResponseContent.IsStable in chosen and level != Level.INSTANCE:
            members["IsStable"] = not resource.unstable_since
        if ResponseContent.IsProtected in chosen and level == Level.PATIENT:
            members["IsProtected"] = resource.protected
        if ResponseContent.Attachments in chosen:
            members["Attachments"] = _attachments(resource)
        return members

    def _metadata(self, view: Snapshot, part: list[Resource]) -> list[dict[str, str]]:
        return [
            {
                self._names.name(number): (
                    value if isinstance(value, str) else value.decode("utf-8", "replace")
                )
                for number, value in metadata.items()
            }
            for metadata in view.metadata_of(part)
        ]


def _add(shown: list[dict[str, Any]], name: str, values: Sequence[Any]) -> None:
    """Gives each resource its value of a member."""
    for members, value in zip(shown, values, strict=True):
        members[name] = value


def _attachments(resource: Resource) -> list[dict[str, Any]]:
    return [
        {
            "CompressedMD5": each.stored_md5 or "",
            "CompressedSize": each.stored_size,
            "ContentType": kind,
            "UncompressedMD5": each.md5 or "",
            "UncompressedSize": each.size,
            "Uuid": each.uuid,
        }
        for kind, each in sorted(resource.attachments.items())
    ]
