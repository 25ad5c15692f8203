"""What a query string of QIDO-RS asks for. Source: PS3.18 sections 8.3.4 and 10.6.1; reference
chapter 5, section 2.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from orthanc_fast.dicom.dictionary import creator_tag, is_private_creator
from orthanc_fast.dicom.main_tags import COMPUTED, MODALITIES_IN_STUDY
from orthanc_fast.errors import BadFileFormat, BadRequest, UnknownDicomTag
from orthanc_fast.model import Level
from orthanc_fast.services.dicom_web.attributes import (
    AVAILABLE_SYNTAXES,
    COUNTED,
    OF_A_LEVEL,
    RETRIEVE_URL,
    UIDS,
)
from orthanc_fast.services.find.matching import Equality, Matcher
from orthanc_fast.services.find.other_matchers import AllOf, Empty, FuzzyName, InSequence
from orthanc_fast.services.find.query import (
    META_HEADER_GROUP,
    Below,
    Condition,
    FindQuery,
    OrderKey,
    Tags,
)
from orthanc_fast.services.store.terms import MODALITY

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,30}", re.ASCII)
_SEPARATORS: Final = re.compile(r"[\\,]+")
_PIXEL_DATA: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_EMPTY: Final = '""'
_IGNORED: Final = "These parameters are unknown and have been ignored"
_MOST = 1 << 63

_STUDY_ORDER: Final = (
    OrderKey("tag", 0x00080020, descending=True),  # StudyDate
    OrderKey("tag", 0x00080030, descending=True),  # StudyTime
)
_NUMBERS: Final[Mapping[Level, tuple[OrderKey, ...]]] = {
    Level.STUDY: _STUDY_ORDER,
    Level.SERIES: (OrderKey("tag", 0x00200011, "integer"),),  # SeriesNumber
    Level.INSTANCE: (OrderKey("tag", 0x00200013, "integer"),),  # InstanceNumber
}


class Wanted(msgspec.Struct, frozen=True):
    """The attributes of an answer, and with which creator the private ones go."""

    tags: frozenset[int]
    creators: Mapping[int, str]


class Search(msgspec.Struct):
    """A query, what its answers show, and what the client is to be warned of."""

    query: FindQuery
    wanted: Wanted
    warnings: list[str]


class _Options(msgspec.Struct):
    """The parameters that are no attributes."""

    limit: int = 0
    offset: int = 0
    fuzzy: bool = False
    empty: bool = False
    multiple: bool = False


class SearchReader:
    """Reads query strings, for as long as the configuration stays."""

    def __init__(self, tags: Tags, case_sensitive: bool) -> None:
        self._tags = tags
        self._dictionary = tags.dictionary
        self._case_sensitive = case_sensitive

    def read(
        self, level: Level, uids: Sequence[str], parameters: Iterable[tuple[str, str]]
    ) -> Search:
        """`uids` are those of the path, from the study down; they win over parameters.

        Raises BadFileFormat for a limit or offset that is no number, BadRequest for a flag that is
        neither true nor false, ParameterOutOfRange for wildcards where the VR has none.
        """
        options = _Options()
        keys: dict[str, str] = {}
        fields: list[str] = []
        for name, value in parameters:
            if name == "includefield":
                fields += filter(None, _fields(value))
            elif name and name != "accept" and not _set(options, name, value):
                keys[name] = value
        reading = _Reading(self._tags, level, options, self._case_sensitive)
        for name, value in keys.items():
            reading.add_key(name, value)
        for above, uid in zip(UIDS, uids, strict=False):
            reading.set_uid(UIDS[above], uid)
        for name in fields:
            reading.add_field(name)
        return reading.search()


class _Reading:
    """One query string while it is read."""

    def __init__(self, tags: Tags, level: Level, options: _Options, case_sensitive: bool) -> None:
        self._tags = tags
        self._level = level
        self._options = options
        self._case_sensitive = case_sensitive
        self._conditions: dict[tuple[int, ...], list[Condition]] = {}
        self._shown: set[int] = set()
        self._given: set[int] = set()  # asked of in the query string
        self._creators: dict[int, str] = {}  # by the tag of the creator
        self._private: list[tuple[int, str | None, str]] = []
        self._ignored: list[str] = []

    def add_key(self, name: str, value: str) -> None:
        path = self._path(name)
        if path is None:
            self._ignored.append(name)
            return
        tag = path[0]
        if is_private_creator(tag):
            self._creators[tag] = value
        if tag >> 16 & 1:
            self._private.append((tag, value, name))
            return
        self._add(path, value)

    def _add(self, path: tuple[int, ...], value: str) -> None:
        self._given.add(path[0])
        self._shown.add(path[0])
        self._conditions[path] = list(self._made(path, value))

    def set_uid(self, tag: int, uid: str) -> None:
        """The UID of the path, whatever the query string says."""
        found = self._tags.condition(tag, uid, self._case_sensitive)
        self._conditions[(tag,)] = [] if found is None else [found]
        self._shown.add(tag)

    def add_field(self, name: str) -> None:
        if name == "all":
            self._shown |= _everything(self._tags, self._level)
            return
        path = self._path(name)
        if path is None:
            self._ignored.append(name)
        elif path[0] >> 16 & 1:
            self._private.append((path[0], None, name))
        else:
            self._shown.add(path[0])

    def search(self) -> Search:
        creators = self._settle_private()
        level, options = self._level, self._options
        query = FindQuery(
            level=level,
            conditions=[each for made in self._conditions.values() for each in made],
            order=list(self._order()),
            since=options.offset,
            limit=options.limit,
            below=Below.SOME_DESCENDANT,
        )
        wanted = self._shown | _rows(level, self._given)
        wanted = {tag for tag in wanted if _is_shown(tag, level)}
        warnings = []
        if self._ignored:
            warnings.append(f"{_IGNORED}: {', '.join(self._ignored)}")
        return Search(query, Wanted(frozenset(wanted), creators), warnings)

    def _path(self, name: str) -> tuple[int, ...] | None:
        """The tags of an attribute, from the outer sequence to the inner element."""
        try:
            return tuple(self._tags.dictionary.parse(part) for part in name.split("."))
        except UnknownDicomTag:
            return None

    def _settle_private(self) -> dict[int, str]:
        """Private elements are those of the creator that the same query names."""
        found: dict[int, str] = {}
        for tag, value, name in self._private:
            creator = self._creators.get(tag if is_private_creator(tag) else creator_tag(tag) or 0)
            if not creator:
                self._ignored.append(name)
                continue
            if value is not None:
                self._add((tag,), value)
            self._shown.add(tag)
            if not is_private_creator(tag):
                found[tag] = creator
        return found

    def _made(self, path: tuple[int, ...], value: str) -> Iterable[Condition]:
        """The conditions of one attribute."""
        tag, inner = path[0], path[-1]
        creator = self._creators.get(creator_tag(inner) or 0)
        vr = self._tags.dictionary.vr(inner, None if creator is None else creator.encode())
        if vr == "UN" and creator is not None:
            vr = "LO"  # nobody knows it; its text is compared
        if value == _EMPTY and self._options.empty:
            made: Sequence[Matcher] = [Empty()]
        else:
            made = list(self._matchers(inner, vr, _SEPARATORS.sub(r"\\", value).strip("\\")))
        for each in made:
            if len(path) > 1:
                yield Condition(tag, InSequence(path[1:], each))
            elif tag == MODALITIES_IN_STUDY and self._level == Level.STUDY and each.walks:
                yield Condition(MODALITY, each)  # a pattern for the modality of some series
            else:
                yield Condition(tag, each)

    def _matchers(self, tag: int, vr: str, text: str) -> Iterable[Matcher]:
        if not text:
            return
        values = text.split("\\")
        if vr == "PN" and self._options.fuzzy:
            yield FuzzyName(values)
            return
        if self._options.multiple and len(values) > 1 and vr != "UI":
            if tag != MODALITIES_IN_STUDY:
                yield AllOf(values, self._case_sensitive)
                return
            # Each of them is the modality of some series.
        else:
            values = [text]
        for value in values:
            found = self._tags.matcher(tag, value, self._case_sensitive, vr)
            if found is not None:
                yield found

    def _order(self) -> Iterable[OrderKey]:
        """By study, series and instance; all of one parent need not be ordered by it."""
        pinned = max(
            (above for above, tag in UIDS.items() if self._is_pinned(tag)), default=Level.PATIENT
        )
        for level, keys in _NUMBERS.items():
            if level <= self._level and (level > pinned or level == self._level):
                yield from keys
                yield OrderKey("tag", UIDS[level])

    def _is_pinned(self, tag: int) -> bool:
        made = self._conditions.get((tag,), ())
        return any(isinstance(each.matcher, Equality) for each in made)


def _set(options: _Options, name: str, value: str) -> bool:
    """Whether the parameter is one of the options, which it then sets."""
    if name in ("limit", "offset"):
        setattr(options, name, _number(name, value))
    elif name in _FLAGS:
        if value not in ("true", "false"):
            raise BadRequest(f"The parameter {name} must be true or false, not {value[:100]!r}")
        setattr(options, _FLAGS[name], value == "true")
    else:
        return False
    return True


_FLAGS: Final = {
    "fuzzymatching": "fuzzy",
    "emptyvaluematching": "empty",
    "multiplevaluematching": "multiple",
}


def _number(name: str, value: str) -> int:
    """Negative ones count from the upper end, as with Orthanc: there is no result so far behind,
    and none is left out."""
    if not _NUMBER.fullmatch(value):
        raise BadFileFormat(f"The parameter {name} must be a whole number, not {value[:100]!r}")
    number = int(value)
    return number if 0 <= number < _MOST else _MOST


def _fields(value: str) -> list[str]:
    """The names in a list of `includefield`, in which tags may have a comma of their own."""
    parts = [part.strip() for part in value.split(",")]
    found: list[str] = []
    for part in parts:
        if found and _HALF.fullmatch(part) and _HALF.fullmatch(found[-1]):
            found[-1] += f",{part}"
        else:
            found.append(part)
    return found


_HALF: Final = re.compile(r"[0-9a-fA-F]{4}", re.ASCII)


def _rows(level: Level, given: set[int]) -> set[int]:
    """What answers show anyway: the attributes of the level and, but for what a parent is that the
    query names, of those above."""
    found = set(OF_A_LEVEL[level])
    for above in UIDS:
        if above < level and UIDS[above] not in given:
            found |= OF_A_LEVEL[above] - COUNTED
    return found


def _everything(tags: Tags, level: Level) -> set[int]:
    """`includefield=all`: the main tags of the level and of those above, what is counted, and the
    rest of what each answer may have."""
    found = set(OF_A_LEVEL[level])
    for above in range(level + 1):
        found |= tags.main_tags.levels[Level(above)]
    return found | {tag for tag, home in COMPUTED.items() if home == level}


def _is_shown(tag: int, level: Level) -> bool:
    if tag in COMPUTED:
        return COMPUTED[tag] == level
    if tag == AVAILABLE_SYNTAXES:
        return level == Level.INSTANCE
    group = tag >> 16
    is_attribute = group > META_HEADER_GROUP and tag & 0xFFFF != 0
    return is_attribute and tag not in _PIXEL_DATA and tag != RETRIEVE_URL
