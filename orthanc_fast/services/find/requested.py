"""RequestedTags: the values of any tags, for resources that are shown. Source: reference chapter
1, section 5.3."""

from collections.abc import Sequence
from typing import Any

import msgspec

from orthanc_fast.dicom.dictionary import tag_text
from orthanc_fast.dicom.main_tags import (
    COMPUTED,
    INSTANCE_AVAILABILITY,
    MODALITIES_IN_STUDY,
    OF_SERVERS,
    SOP_CLASSES_IN_STUDY,
)
from orthanc_fast.dicom.tag_json import Format, reduced
from orthanc_fast.model import Level, Resource
from orthanc_fast.registries import MAIN_DICOM_SEQUENCES, SOP_CLASS_UID
from orthanc_fast.services.find.computed import computed_values
from orthanc_fast.services.find.facts import Facts, FileReader
from orthanc_fast.services.find.options import FindOptions
from orthanc_fast.services.find.query import META_HEADER_GROUP, Place, Tags
from orthanc_fast.services.store.lookup import first_instances

Element = dict[str, Any]  # one element in the Full format

_IN_PASSING = (OF_SERVERS | COMPUTED.keys()) - {
    MODALITIES_IN_STUDY,
    SOP_CLASSES_IN_STUDY,
    INSTANCE_AVAILABILITY,
}


class RequestedTags:
    """The tags that one request asks for, at one level."""

    def __init__(self, wanted: Sequence[int], level: Level, tags: Tags, options: FindOptions):
        """Raises ParameterOutOfRange for a tag that this level cannot be asked for."""
        self._wanted = list(dict.fromkeys(wanted))
        for tag in self._wanted:
            tags.check(tag, level)
        self._level = level
        self._tags = tags
        self._options = options
        self._signatures = [set(text.split(";")) for text in tags.main_tags.signatures]
        located = {tag: tags.locate(tag, level) for tag in self._wanted}
        # The highest level that has one of them.
        above = (home for place, home in located.values() if place == Place.MAIN)
        self._home = min(above, default=level)
        for tag, (place, _) in located.items():
            if place in (Place.BELOW, Place.FAR_BELOW):
                options.warn("W005", f"{tag_text(tag)} is requested of a higher level")
            if tag >> 16 == META_HEADER_GROUP:
                options.warn("W006", f"{tag_text(tag)} belongs to the meta header")

    @property
    def reads_files(self) -> bool:
        """Whether a stored file is needed for every resource."""
        return self._options.files_allowed and any(
            self._tags.locate(tag, self._level).place in (Place.BELOW, Place.FAR_BELOW, Place.FILE)
            for tag in self._wanted
            if tag not in OF_SERVERS
        )

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def show(
        self,
        facts: Facts,
        files: FileReader,
        resources: Sequence[Resource],
        form: Format,
        with_metadata: bool,
    ) -> list[dict[str, Any]]:
        """The tags of each in a format, as the member RequestedTags shows them: complete after the
        work in `facts.after`.

        `with_metadata` tells whether the answer shows metadata: without, a main tag that the
        resource itself does not have counts as unknown and is looked for in a file.
        """
        found: list[dict[int, Element]] = [{} for _ in resources]
        missing: list[list[int]] = [[] for _ in resources]
        facts.load_ancestors(resources, self._home)
        for tag in self._wanted:
            if tag >> 16 == META_HEADER_GROUP or tag in OF_SERVERS:
                continue
            if tag in COMPUTED:
                values = computed_values(facts.view, resources, tag)
                for elements, value in zip(found, values, strict=True):
                    if value is not None:
                        elements[tag] = self._text(tag, value)
                continue
            for resource, elements, lacking in zip(resources, found, missing, strict=True):
                element, resolved = self._stored(facts, resource, tag, with_metadata)
                if element is not None:
                    elements[tag] = element
                elif not resolved:
                    lacking.append(tag)
        return self._shown(facts, files, resources, form, found, missing)

    def _shown(
        self,
        facts: Facts,
        files: FileReader,
        resources: Sequence[Resource],
        form: Format,
        found: list[dict[int, Element]],
        missing: list[list[int]],
    ) -> list[dict[str, Any]]:
        """In the format; what is missing is added after the snapshot."""
        shown: list[dict[str, Any]] = [{} for _ in resources]
        unread = [number for number, tags in enumerate(missing) if tags]
        firsts = first_instances(facts.view, [resources[number] for number in unread])
        instances = dict(zip(unread, firsts, strict=True))
        for number, (elements, members) in enumerate(zip(found, shown, strict=True)):
            instance = instances.get(number)
            if instance is None:
                members.update(self._named(elements, form))
                continue

            def complete(
                instance: Resource = instance,
                lacking: list[int] = missing[number],
                elements: dict[int, Element] = elements,
                members: dict[str, Any] = members,
            ) -> None:
                self._from_file(files, instance, lacking, elements)
                members.update(self._named(elements, form))

            facts.after.append(complete)
        return shown

    def _stored(
        self, facts: Facts, resource: Resource, tag: int, with_metadata: bool
    ) -> tuple[Element | None, bool]:
        """The element as the index has it, and whether the index knows that there is none."""
        place, home = self._tags.locate(tag, self._level)
        if place == Place.CLASS:
            value = resource.metadata.get(SOP_CLASS_UID)
            return (None, False) if value is None else (self._text(tag, value), True)
        if place != Place.MAIN:
            return None, False
        value = facts.main_tag(resource, home, tag)
        if value is not None:
            return self._text(tag, value), True
        holder = facts.at_level(resource, home)
        if holder is None or not (with_metadata or home < self._level):
            return None, False
        sequences = holder.metadata.get(MAIN_DICOM_SEQUENCES)
        if sequences is not None:
            element = msgspec.json.decode(sequences)["Sequences"].get(tag_text(tag))
            if element is not None:
                return element, True
        return None, self._is_known(facts, holder, tag)

    def _is_known(self, facts: Facts, holder: Resource, tag: int) -> bool:
        """Whether the tag was a main tag when the resource was stored."""
        signature = facts.signature(holder.signature)
        if signature != self._tags.main_tags.signatures[holder.level]:
            self._options.warn(
                "W002",
                "some main DICOM tags were not in force when a resource was stored: "
                "POST /tools/reconstruct reads them anew",
            )
        text = tag_text(tag)
        return text in signature.split(";") or (
            # The patient's tags in their study.
            holder.level == Level.STUDY and text in self._signatures[Level.PATIENT]
        )

    def _from_file(
        self, files: FileReader, instance: Resource, missing: list[int], found: dict[int, Element]
    ) -> None:
        if not self._options.files_allowed:
            self._options.warn("W007", f"{len(missing)} requested tags are not in the index")
            return
        self._options.warn("W001", "requested tags are read from the storage area")
        # What no file has to be opened for is looked for in one that is open.
        wanted = [
            *missing,
            *(tag for tag in self._wanted if tag in _IN_PASSING and tag not in found),
        ]
        read = files.read(instance, frozenset(wanted))
        for tag in wanted:
            element = read.get(tag)
            if element is not None and element.Type in ("String", "Sequence"):
                found[tag] = msgspec.to_builtins(element)
            else:
                name = self._tags.dictionary.name(tag)
                found[tag] = {"Name": name, "Type": "Null", "Value": None}

    def _text(self, tag: int, value: str) -> Element:
        return {"Name": self._tags.dictionary.name(tag), "Type": "String", "Value": value}

    def _named(self, found: dict[int, Element], form: Format) -> dict[str, Any]:
        if form == "full":
            return {tag_text(tag): element for tag, element in sorted(found.items())}
        if form == "short":
            return {tag_text(tag): reduced(each, short=True) for tag, each in sorted(found.items())}
        return {each["Name"]: reduced(each, short=False) for _, each in sorted(found.items())}
