"""RequestedTags: the values of any tags, for resources that are shown. Source: reference chapter
1, section 5.3."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from orthanc_fast._ext.json_answers import pick
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
from orthanc_fast.registries import SOP_CLASS_UID
from orthanc_fast.services.find.computed import computed_values
from orthanc_fast.services.find.facts import Facts, FileReader, main_sequence
from orthanc_fast.services.find.options import FindOptions
from orthanc_fast.services.find.query import META_HEADER_GROUP, Place, Tags
from orthanc_fast.services.store.lookup import first_instances

Value = str | dict[str, Any] | None
"""A text, a sequence in the Full format, or None for an element without value."""

_IN_PASSING = (OF_SERVERS | COMPUTED.keys()) - {
    MODALITIES_IN_STUDY,
    SOP_CLASSES_IN_STUDY,
    INSTANCE_AVAILABILITY,
}


class RequestedTags:
    """The tags that one request asks for, at one level."""

    def __init__(
        self,
        wanted: Sequence[int],
        level: Level,
        tags: Tags,
        options: FindOptions,
        doubted: Collection[int] = (),
        absent_too: bool = True,
    ) -> None:
        """`doubted` are main tags of which a file may have a value that the index lacks: one of
        more than 256 bytes. `absent_too` shows what a file does not have as elements without
        value, as Orthanc's REST API does. Raises ParameterOutOfRange for a tag that this level
        cannot be asked for."""
        self._doubted = frozenset(doubted)
        self._absent_too = absent_too
        self._level = level
        self._tags = tags
        self._options = options
        self._signatures = [set(text.split(";")) for text in tags.main_tags.signatures]
        self._located = {tag: tags.locate(tag, level) for tag in wanted}
        for tag, (place, _) in self._located.items():
            tags.check(tag, level)
            if place in (Place.BELOW, Place.FAR_BELOW):
                options.warn("W005", f"{tag_text(tag)} is requested of a higher level")
            if tag >> 16 == META_HEADER_GROUP:
                options.warn("W006", f"{tag_text(tag)} belongs to the meta header")
        # By the level that has them.
        self._main: dict[Level, tuple[int, ...]] = {}
        for tag, (place, home) in self._located.items():
            is_elsewhere = tag >> 16 == META_HEADER_GROUP or tag in OF_SERVERS or tag in COMPUTED
            if place == Place.MAIN and not is_elsewhere:
                self._main[home] = (*self._main.get(home, ()), tag)
        # The highest level that has one of them.
        above = (home for place, home in self._located.values() if place == Place.MAIN)
        self._home = min(above, default=level)

    @property
    def reads_files(self) -> bool:
        """Whether a stored file is needed for every resource."""
        return self._options.files_allowed and any(
            place in (Place.BELOW, Place.FAR_BELOW, Place.FILE)
            for tag, (place, _) in self._located.items()
            if tag not in OF_SERVERS
        )

    def __bool__(self) -> bool:
        return bool(self._located)

    def show(
        self,
        facts: Facts,
        files: FileReader,
        resources: Sequence[Resource],
        form: Format,
        with_metadata: bool,
    ) -> list[dict[str, Any]]:
        """The tags of each in a format, as the member RequestedTags shows them: complete after the
        work in `facts.after`. `with_metadata` as for `values`."""
        shown: list[dict[str, Any]] = [{} for _ in resources]
        found = self.values(facts, files, resources, with_metadata)

        def name() -> None:
            for members, values in zip(shown, found, strict=True):
                members.update(self._named(values, form))

        facts.after.append(name)
        return shown

    def values(
        self, facts: Facts, files: FileReader, resources: Sequence[Resource], with_metadata: bool
    ) -> list[dict[int, Value]]:
        """The values of each, without those of which nothing is known: complete after the work in
        `facts.after`.

        `with_metadata` tells whether the answer shows metadata: without, a main tag that the
        resource itself does not have counts as unknown and is looked for in a file.
        """
        found: list[dict[int, Value]] = [{} for _ in resources]
        missing: list[list[int]] = [[] for _ in resources]
        facts.load_ancestors(resources, self._home)
        for home, tags in self._main.items():
            holders = [facts.at_level(each, home) for each in resources]
            self._add_main_tags(facts, tags, holders, with_metadata, found, missing)
        for tag, (place, _) in self._located.items():
            if tag >> 16 == META_HEADER_GROUP or tag in OF_SERVERS:
                continue
            if tag in COMPUTED:
                computed = computed_values(facts.view, resources, tag)
                for values, value in zip(found, computed, strict=True):
                    if value is not None:
                        values[tag] = value
            elif place == Place.MAIN:
                continue
            elif place == Place.CLASS:
                for resource, values, lacking in zip(resources, found, missing, strict=True):
                    sop_class = resource.metadata.get(SOP_CLASS_UID)
                    if sop_class is None:
                        lacking.append(tag)
                    else:
                        values[tag] = sop_class
            else:
                for lacking in missing:
                    lacking.append(tag)
        self._read_missing(facts, files, resources, found, missing)
        return found

    def _add_main_tags(
        self,
        facts: Facts,
        tags: tuple[int, ...],
        holders: Sequence[Resource | None],
        with_metadata: bool,
        found: list[dict[int, Value]],
        missing: list[list[int]],
    ) -> None:
        """The values as the index has them; what it does not know of is `missing`."""
        for number, holder in enumerate(holders):
            if holder is None:
                missing[number] += tags
                continue
            lacking = pick(holder.tags, holder.patient_tags, tags, found[number])
            if lacking is None:
                continue
            for tag in lacking:
                if with_metadata or holder.level < self._level:
                    sequence = main_sequence(holder, tag)
                    if sequence is not None:
                        found[number][tag] = sequence
                        continue
                    if tag not in self._doubted and self._is_known(facts, holder, tag):
                        continue
                missing[number].append(tag)

    def _read_missing(
        self,
        facts: Facts,
        files: FileReader,
        resources: Sequence[Resource],
        found: list[dict[int, Value]],
        missing: list[list[int]],
    ) -> None:
        """From files, when the snapshot is closed."""
        unread = [number for number, tags in enumerate(missing) if tags]
        if not unread:
            return
        firsts = first_instances(facts.view, [resources[number] for number in unread])

        def read() -> None:
            for number, instance in zip(unread, firsts, strict=True):
                if instance is not None:
                    self._from_file(files, instance, missing[number], found[number])

        facts.after.append(read)

    def _is_known(self, facts: Facts, holder: Resource, tag: int) -> bool:
        """Whether the tag was a main tag when the resource was stored."""
        signature, level = facts.signature(holder.signature), holder.level
        known = self._signatures[level]
        if signature != self._tags.main_tags.signatures[level]:
            known = set(signature.split(";"))
            self._options.warn(
                "W002",
                "some main DICOM tags were not in force when a resource was stored: "
                "POST /tools/reconstruct reads them anew",
            )
        text = tag_text(tag)
        # The patient's tags are in their study.
        return text in known or (level == Level.STUDY and text in self._signatures[Level.PATIENT])

    def _from_file(
        self, files: FileReader, instance: Resource, missing: list[int], found: dict[int, Value]
    ) -> None:
        if not self._options.files_allowed:
            self._options.warn("W007", f"{len(missing)} requested tags are not in the index")
            return
        self._options.warn("W001", "requested tags are read from the storage area")
        # What no file has to be opened for is looked for in one that is open.
        wanted = [
            *missing,
            *(tag for tag in self._located if tag in _IN_PASSING and tag not in found),
        ]
        read = files.read(instance, frozenset(wanted))
        for tag in wanted:
            element = read.get(tag)
            if element is None:
                if self._absent_too:
                    found[tag] = None
            elif element.Type == "Sequence":
                found[tag] = msgspec.to_builtins(element)
            else:
                found[tag] = element.text

    def _named(self, found: dict[int, Value], form: Format) -> dict[str, Any]:
        elements = {tag: self._element(tag, value) for tag, value in sorted(found.items())}
        if form == "full":
            return {tag_text(tag): element for tag, element in elements.items()}
        short = form == "short"
        return {
            (tag_text(tag) if short else element["Name"]): reduced(element, short)
            for tag, element in elements.items()
        }

    def _element(self, tag: int, value: Value) -> dict[str, Any]:
        """In the Full format."""
        if isinstance(value, dict):
            return value
        kind = "Null" if value is None else "String"
        return {"Name": self._tags.dictionary.name(tag), "Type": kind, "Value": value}
