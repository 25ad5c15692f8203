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
from orthanc_fast.services.browse.describe import NAMES, PLURALS, Describer
from orthanc_fast.services.browse.metadata_names import MetadataNames
from orthanc_fast.services.find.facts import Facts, FileReader
from orthanc_fast.services.find.requested import RequestedTags
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
            return self._show(view, view.resources(level, list(unpack(packed))), how)

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
            found = (view.resource_of_any_level(public) for public in publics)
            return self._show(view, found, how)

        return self._completed(self._read(caller, read))

    def _show(self, view: Snapshot, found: Iterable[Resource | None], how: Presentation) -> Shown:
        facts = Facts(view, self._files)
        shown = [self._one(facts, resource, how) for resource in found if resource is not None]
        return shown, facts.after

    def _completed(self, shown: Shown) -> list[Any]:
        """With what is read from files: no snapshot stays open that long."""
        resources, after = shown
        for work in after:
            work()
        return resources

    def _one(self, facts: Facts, resource: Resource, how: Presentation) -> Any:
        """One resource, as `how` says."""
        if how.content is not None:
            return self._chosen(facts, resource, how, how.content)
        answer = self._describer.describe(facts.view, resource, how.form)
        if not how.requested and not how.metadata:
            return answer
        members: dict[str, Any] = {
            name: value
            for name, value in msgspec.structs.asdict(answer).items()
            if value is not None
        }
        if how.metadata:
            members["Metadata"] = self._metadata(facts.view, resource)
        if how.requested:
            members["RequestedTags"] = how.requested.show(facts, resource, how.form, True)
        return members

    def _chosen(
        self, facts: Facts, resource: Resource, how: Presentation, chosen: ResponseContent
    ) -> dict[str, Any]:
        view, level, describer = facts.view, resource.level, self._describer
        members: dict[str, Any] = {"ID": to_text(resource.public), "Type": NAMES[level]}
        with_metadata = ResponseContent.Metadata in chosen
        if ResponseContent.MainDicomTags in chosen:
            members["MainDicomTags"] = (
                describer.main_tags(resource, how.form)
                if with_metadata
                else describer.tags(resource.tags, how.form)
            )
            if level == Level.STUDY:
                members["PatientMainDicomTags"] = describer.tags(resource.patient_tags, how.form)
        if with_metadata:
            members["Metadata"] = self._metadata(view, resource)
        if ResponseContent.Children in chosen and level != Level.INSTANCE:
            below = PLURALS[Level(level + 1)].title()
            members[below] = [to_text(public) for public in view.children(resource)]
        if ResponseContent.Parent in chosen and level != Level.PATIENT:
            members[f"Parent{NAMES[Level(level - 1)]}"] = to_text(resource.parent_public)
        if ResponseContent.Labels in chosen:
            members["Labels"] = sorted(resource.labels)
        if ResponseContent.Status in chosen and level == Level.SERIES:
            members["Status"] = describer.series_status(view, resource)[0]
        if ResponseContent.IsStable in chosen and level != Level.INSTANCE:
            members["IsStable"] = not resource.unstable_since
        if ResponseContent.IsProtected in chosen and level == Level.PATIENT:
            members["IsProtected"] = resource.protected
        if ResponseContent.Attachments in chosen:
            members["Attachments"] = _attachments(resource)
        if how.requested:
            shown = how.requested.show(facts, resource, how.form, with_metadata)
            members["RequestedTags"] = shown
        return members

    def _metadata(self, view: Snapshot, resource: Resource) -> dict[str, str]:
        return {
            self._names.name(number): (
                value if isinstance(value, str) else value.decode("utf-8", "replace")
            )
            for number, value in view.metadata(resource).items()
        }


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
