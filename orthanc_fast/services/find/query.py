"""What is searched for, and where each tag of a query is to be looked up.

Source: reference chapter 1, sections 9.1 to 9.3.
"""

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary, tag_text
from orthanc_fast.dicom.main_tags import (
    COMPUTED,
    MODALITIES_IN_STUDY,
    SOP_CLASSES_IN_STUDY,
    MainTags,
)
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.model import LabelsConstraint, Level
from orthanc_fast.services.find.matching import IDENTIFIERS, Matcher, matcher

DATABASE_CANNOT_PREPARE = 1012

META_HEADER_GROUP = 0x0002
SOP_CLASS_UID = 0x00080016


class Place(Enum):
    """Where the value of a tag comes from, for the resources of one level."""

    MAIN = "main tag of the level or of one above"
    BELOW = "main tag of the level below: some child may match"
    FAR_BELOW = "main tag of a level further below"
    MODALITIES = "the modalities of the series of a study"
    COMPUTED = "counted or collected"
    CLASS = "the SOP class of an instance, which is metadata"
    FILE = "to be read from a stored file"
    NOWHERE = "no resource of this level has it"


class Below(Enum):
    """What matches a condition on a tag of the level below, which has many values or none."""

    NOTHING = "/tools/find"
    COUNTED = "some child; a single `*` asks for nothing: /tools/count-resources"
    SOME_CHILD = "some child has such a value: C-FIND"
    SOME_DESCENDANT = "something at any level below has such a value: QIDO-RS"


class Location(NamedTuple):
    place: Place
    level: Level  # whose main tag it is


class Condition(NamedTuple):
    """A matcher for the value of a tag, or of metadata where `tag` is its number."""

    tag: int
    matcher: Matcher


class OrderKey(msgspec.Struct, frozen=True):
    """One criterion of the order. `number` is a tag or the number of metadata; `folded` texts are
    in the order of the index, in which upper and lower case are one."""

    source: Literal["tag", "metadata"]
    number: int
    conversion: Literal["text", "folded", "integer", "float"] = "text"
    descending: bool = False


class FindQuery(msgspec.Struct, kw_only=True):
    """A query. `limit` 0 is none. `parent` is the level and the identifier of a resource at or
    above `level`."""

    level: Level
    conditions: list[Condition] = []
    labels: list[str] = []
    labels_constraint: LabelsConstraint = "All"
    metadata: list[Condition] = []
    parent: tuple[Level, bytes] | None = None
    order: list[OrderKey] = []
    since: int = 0
    limit: int = 0
    below: Below = Below.NOTHING


class Tags:
    """What this server knows about tags: which are main tags, and of which level."""

    def __init__(self, dictionary: Dictionary, main_tags: MainTags) -> None:
        self.dictionary = dictionary
        self.main_tags = main_tags
        self.locate: Final = lru_cache(4096)(self._located)
        """Where a tag is looked up for resources of a level: the nearest level that has it, from
        that level upwards, then downwards. Patients' tags are those that their study brought."""

    def conditions(self, query: Mapping[str, str], case_sensitive: bool) -> list[Condition]:
        """The conditions of a query by tag names. Raises UnknownDicomTag, ParameterOutOfRange."""
        found = []
        for name, text in query.items():
            if not text:
                continue  # not even the name is looked at
            tag = self.dictionary.parse(name)
            condition = self.condition(tag, text, case_sensitive)
            if condition is not None:
                found.append(condition)
        return found

    def condition(self, tag: int, text: str, case_sensitive: bool) -> Condition | None:
        """None where the text asks for nothing. Raises ParameterOutOfRange for a wildcard where
        the VR has none."""
        made = self.matcher(tag, text, case_sensitive, self.dictionary.vr(tag))
        return None if made is None else Condition(tag, made)

    def matcher(self, tag: int, text: str, case_sensitive: bool, vr: str) -> Matcher | None:
        """As `condition`, for a tag whose VR the caller knows."""
        return matcher(text, vr, tag in IDENTIFIERS, case_sensitive, tag_text(tag))

    def check(self, tag: int, level: Level) -> None:
        """Raises ParameterOutOfRange for the one tag that Orthanc refuses at one level."""
        if tag == SOP_CLASSES_IN_STUDY and level == Level.INSTANCE:
            raise ParameterOutOfRange("SOPClassesInStudy cannot be asked of instances")

    def _located(self, tag: int, level: Level) -> Location:
        levels = self.main_tags.levels
        for at in range(level, -1, -1):
            if tag in levels[Level(at)]:
                above = at == Level.PATIENT and level > Level.PATIENT
                return Location(Place.MAIN, Level.STUDY if above else Level(at))
        if tag == MODALITIES_IN_STUDY:
            place = Place.MODALITIES if level == Level.STUDY else Place.NOWHERE
            return Location(place, level)
        if tag in COMPUTED:
            place = Place.COMPUTED if COMPUTED[tag] == level else Place.NOWHERE
            return Location(place, level)
        for at in range(level + 1, Level.INSTANCE + 1):
            if tag in levels[Level(at)]:
                return Location(Place.BELOW if at == level + 1 else Place.FAR_BELOW, Level(at))
        if tag >> 16 == META_HEADER_GROUP:
            return Location(Place.NOWHERE, level)
        if tag == SOP_CLASS_UID and level == Level.INSTANCE:
            return Location(Place.CLASS, level)
        return Location(Place.FILE, level)

    def has_order(self, key: OrderKey, level: Level) -> bool:
        """Whether resources of `level` may have the value: only main tags of the level and of those
        above have an order (`ExtraMainDicomTags` makes more)."""
        return key.source == "metadata" or self.locate(key.number, level).place == Place.MAIN
