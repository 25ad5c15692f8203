"""The values that answers of QIDO-RS show. Source: reference chapter 5, section 2.3; PS3.18
section 10.6.3.3."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote

from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.registries import TRANSFER_SYNTAX
from orthanc_fast.services.dicom_web.attributes import (
    AVAILABLE_SYNTAXES,
    CHARACTER_SET,
    OF_IMAGES,
    RETRIEVE_URL,
    UIDS,
)
from orthanc_fast.services.dicom_web.query import Search
from orthanc_fast.services.find.computed import matching_children
from orthanc_fast.services.find.facts import Facts
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.other_matchers import InSequence
from orthanc_fast.services.find.parts import READ_AT_ONCE, in_parts
from orthanc_fast.services.find.query import Place
from orthanc_fast.services.find.requested import RequestedTags, Value
from orthanc_fast.services.store.frame_maps import layout_decoder
from orthanc_fast.services.store.lookup import first_below, records
from orthanc_fast.services.store.reads import Reads

# More answers than this are made part by part, with a snapshot each.
AT_ONCE: Final = READ_AT_ONCE

# VRs of texts that may be longer than what the index keeps.
_LONG_VRS: Final = frozenset({"LT", "ST", "UC", "UR", "UT"})
_ADDED: Final = frozenset({CHARACTER_SET, RETRIEVE_URL, AVAILABLE_SYNTAXES})
_is_plain: Final = re.compile(r"[0-9.]*").fullmatch  # no address has it otherwise
_PLURALS: Final[Mapping[Level, str]] = {
    Level.STUDY: "studies/",
    Level.SERIES: "/series/",
    Level.INSTANCE: "/instances/",
}


class Answers:
    """The values for the answers to one search. Its methods may run in any thread."""

    def __init__(self, reads: Reads, finder: Finder, search: Search, base: str) -> None:
        """`base` is the address of DICOMweb, with a slash at its end."""
        self._read = reads
        self._finder = finder
        self._level = search.query.level
        self._base = base
        self._syntaxes = AVAILABLE_SYNTAXES in search.wanted.tags
        tags, level = finder.tags, self._level
        self._below = {
            tag: (home, matcher)
            for tag, matcher in search.query.conditions
            for place, home in (tags.locate(tag, level),)
            if place in (Place.BELOW, Place.FAR_BELOW) and not isinstance(matcher, InSequence)
        }
        self._of_images = [
            tag
            for tag in search.wanted.tags & OF_IMAGES
            if level == Level.INSTANCE and tags.locate(tag, level).place == Place.FILE
        ]
        others = search.wanted.tags - _ADDED - self._below.keys() - set(self._of_images)
        homes = {
            tag: home if place in (Place.BELOW, Place.FAR_BELOW) else level
            for tag in others
            for place, home in (tags.locate(tag, level),)
        }
        self._requested = self._requesting(others, homes, level)
        # Of the first child, which the index knows too: Modality of a study, for example.
        self._of_children = [
            (home, self._requesting(others, homes, home))
            for home in sorted(set(homes.values()) - {level})
        ]
        self._of_files = RequestedTags(
            self._of_images, level, tags, finder.options, absent_too=False
        )

    def _requesting(
        self, wanted: Iterable[int], homes: Mapping[int, Level], home: Level
    ) -> RequestedTags:
        """The wanted tags of one home, for resources of that level."""
        finder = self._finder
        own = sorted(tag for tag in wanted if homes[tag] == home)
        doubted = {tag for tag in own if finder.tags.dictionary.vr(tag) in _LONG_VRS}
        return RequestedTags(own, home, finder.tags, finder.options, doubted, absent_too=False)

    @property
    def reads_files(self) -> bool:
        """Whether a file is read for every answer."""
        return self._requested.reads_files

    def parts(
        self, caller: Caller, pieces: Iterable[bytes], wanted: int | None
    ) -> Iterator[list[dict[int, Value]]]:
        """The values by tag of each resource of packed lists, in their order, some at a time; those
        that have been deleted meanwhile are left out. What is absent has no entry, what is empty
        "" or None. No snapshot is open between two parts. The first part has `wanted` answers,
        later ones more."""
        for packed in in_parts(pieces, wanted):
            yield self.values(caller, packed)

    def values(self, caller: Caller, packed: bytes) -> list[dict[int, Value]]:
        """As a part."""

        def read(view: Snapshot) -> tuple[Facts, list[dict[int, Value]]]:
            facts = Facts(view)
            found = [each for part in records(view, self._level, packed) for each in part]
            return facts, self._values(facts, found)

        facts, shown = self._read(caller, read)
        for work in facts.after:
            work()
        for values in shown:
            values[RETRIEVE_URL] = self._url(values)
        return shown

    def _values(self, facts: Facts, resources: list[Resource]) -> list[dict[int, Value]]:
        files = self._finder.files
        shown = self._requested.values(facts, files, resources, with_metadata=True)
        for tag, (home, matcher) in self._below.items():
            found = matching_children(facts.view, resources, home, tag, matcher)
            for resource, values in zip(resources, shown, strict=True):
                if resource.id in found:
                    values[tag] = found[resource.id]
        for home, requested in self._of_children:
            self._add_of_children(facts, resources, shown, home, requested)
        if self._syntaxes:
            for resource, values in zip(resources, shown, strict=True):
                syntax = resource.metadata.get(TRANSFER_SYNTAX)
                if syntax:
                    values[AVAILABLE_SYNTAXES] = syntax
        if self._of_images:
            self._add_images(facts, resources, shown)
        return shown

    def _add_of_children(
        self,
        facts: Facts,
        resources: list[Resource],
        shown: list[dict[int, Value]],
        home: Level,
        requested: RequestedTags,
    ) -> None:
        firsts = first_below(facts.view, resources, home)
        pairs = [
            (first, values)
            for first, values in zip(firsts, shown, strict=True)
            if first is not None
        ]
        found = requested.values(
            facts, self._finder.files, [first for first, _ in pairs], with_metadata=True
        )

        def add() -> None:
            for (_, values), own in zip(pairs, found, strict=True):
                values.update(own)

        facts.after.append(add)

    def _add_images(
        self, facts: Facts, resources: list[Resource], shown: list[dict[int, Value]]
    ) -> None:
        """As the index knows them of each image; a file that has no pixels is opened."""
        decode = layout_decoder().decode
        unknown = []
        for number, image in enumerate(facts.view.images_of(resources)):
            if not image:
                unknown.append(number)
                continue
            layout = decode(image)
            known = {
                0x00280010: layout.rows,
                0x00280011: layout.columns,
                0x00280100: layout.bits_allocated,
            }
            for tag in self._of_images:
                if known[tag] is not None:
                    shown[number][tag] = str(known[tag])
        if not unknown:
            return
        lacking = [resources[number] for number in unknown]
        found = self._of_files.values(facts, self._finder.files, lacking, with_metadata=True)

        def add() -> None:
            for number, values in zip(unknown, found, strict=True):
                shown[number].update(values)

        facts.after.append(add)

    def _url(self, values: dict[int, Value]) -> str:
        url = self._base
        for level, tag in UIDS.items():
            if level <= self._level:
                uid = values.get(tag)
                if isinstance(uid, str):
                    url += _PLURALS[level] + (uid if _is_plain(uid) else quote(uid, safe=""))
                else:
                    url += _PLURALS[level]
        return url
