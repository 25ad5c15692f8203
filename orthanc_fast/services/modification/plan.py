"""What is to be done with each element of the data sets of one request.

Where Orthanc leaves what its profile would remove elsewhere (names in items, items' elements that
the request replaces at the root, overlays and curves at the root), it is removed here: see
docs/deviations.md. Source: reference chapter 3, sections 3.2.5 and 3.3.2 to 3.3.5.
"""

from typing import Any, Final

import msgspec

from orthanc_fast._ext.edit import Rules
from orthanc_fast.dicom.dictionary import TEXT_VRS
from orthanc_fast.dicom.edits import Action, PathRule, Rule, Tables
from orthanc_fast.dicom.json_values import PIXEL_DATA, is_of_data_set
from orthanc_fast.dicom.tag_paths import EVERY_ITEM, TagPath
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Level
from orthanc_fast.services.modification.content import DOCUMENT, embedded, is_data_uri
from orthanc_fast.services.modification.identifiers import Kind
from orthanc_fast.services.modification.options import Option, column, safe_private
from orthanc_fast.services.modification.profiles import Profile
from orthanc_fast.services.modification.recorded import (
    BASIC_PROFILE,
    BURNED_IN_ANNOTATION,
    CLEAN_PIXEL_DATA,
    METHOD_CODES,
    Code,
    code_json,
)
from orthanc_fast.services.modification.request import (
    KEYS,
    PATIENT_ID,
    SERIES_UID,
    SOP_UID,
    STUDY_UID,
    Asked,
)

PATIENT_NAME: Final = 0x00100010
_IDENTITY_REMOVED, _METHOD = 0x00120062, 0x00120063
_ICON = 0x00880200
_OFFSET_TABLES = (0x7FE00001, 0x7FE00002)
_LONGITUDINAL = 0x00280303

# Arguments of MAP besides the kinds of identifiers.
CLEANED: Final = 16  # a text without what identifies
SHIFTED: Final = 17  # a date moved by the days of the patient

_BIRTH = {0x00100030, 0x00100032}
_DATE_OPTIONS = {Option.RetainLongitudinalFullDates, Option.RetainLongitudinalModifiedDates}
_TIMES = frozenset(["DA", "DT", "TM", "SH"])  # and the offset of a time zone, which is SH

KIND_OF_KEY: Final = {STUDY_UID: Kind.STUDY, SERIES_UID: Kind.SERIES, SOP_UID: Kind.INSTANCE}

# Structure sets name a study where only instances should be named.
_STUDY_OF_STRUCTURE_SET = TagPath(((0x30060010, EVERY_ITEM), (0x30060012, EVERY_ITEM)), 0x00081155)
_REFERENCED_SOP = 0x00081155


class Replacement(msgspec.Struct, frozen=True):
    """The new value of a tag: as JSON, or as what content brings along, or the error that it is
    to give. What `is_walked` is a sequence to whose items the profile applies too."""

    tag: int
    value: Any
    is_walked: bool = False
    is_root: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a request does: `root` and `nested` by tag, `paths` besides. The arguments of REPLACE
    are numbers of `replacements`, those of MAP kinds of identifiers. `steps` are the same for
    `dicom.edits`."""

    asked: Asked
    level: Level
    root: dict[int, Rule]
    nested: dict[int, Rule]
    ranges: tuple[tuple[int, int], ...]
    paths: tuple[PathRule, ...]  # of the first step
    later_paths: tuple[PathRule, ...]
    replacements: tuple[Replacement, ...]
    steps: tuple[Rules, ...]
    of_replaced: Rules | None = None  # for the items of new sequences
    masked: "Plan | None" = None  # for images of which pixels are blanked
    codes: tuple[Code, ...] = ()  # of options that are recorded
    pseudonyms: tuple[int, ...] = ()  # replacements that are the name of each patient

    @property
    def cleans(self) -> bool:
        """Whether texts are looked through."""
        options = self.asked.options
        return Option.CleanDescriptors in options or Option.RetainPatientCharacteristics in options

    @property
    def is_judged(self) -> bool:
        """Whether the client is told what could not be judged: of what goes beyond Orthanc."""
        return bool(self.asked.options.chosen or self.asked.masks)

    @property
    def makes_pixels(self) -> bool:
        """Whether the pixel data are new; they are not compressed then."""
        return self.root.get(PIXEL_DATA, (Action.KEEP, 0))[0] is Action.REPLACE

    @property
    def given(self) -> dict[int, str]:
        """The UIDs that the request itself sets."""
        return {
            tag: value
            for tag, value in self.asked.replaced.items()
            if tag in KIND_OF_KEY and isinstance(value, str)
        }


class Planner:
    """Makes the plans of one process. `version` is the server's own."""

    def __init__(self, tables: Tables, version: str) -> None:
        self._tables = tables
        self._version = version

    def plan(self, asked: Asked, level: Level | None = None, patient_name: str | None = "") -> Plan:
        """`level` is that of the resources that the request names, None for an instance or a list;
        `patient_name` the one that an anonymization gives where the request sets none, None for the
        pseudonym of each patient."""
        codes = asked.options.codes
        plan = self._plan(asked, level, patient_name, codes)
        if not asked.masks:
            return plan
        masked = self._plan(asked, level, patient_name, [CLEAN_PIXEL_DATA, *codes])
        return msgspec.structs.replace(plan, masked=masked)

    def _plan(
        self, asked: Asked, level: Level | None, patient_name: str | None, codes: list[Code]
    ) -> Plan:
        making = _Making(self._tables, asked, asked.level if level is None else level)
        if asked.profile is None:
            making.modify()
        else:
            defaults = self._defaults(asked, asked.profile, patient_name, codes)
            making.anonymize(asked.profile, defaults)
        if CLEAN_PIXEL_DATA in codes:
            making.record_masks()
        plan = msgspec.structs.replace(making.plan(), codes=tuple(codes))
        if patient_name is not None or asked.profile is None or not names_patient(asked):
            return plan
        numbers = enumerate(each.tag for each in plan.replacements)
        names = tuple(number for number, tag in numbers if tag == PATIENT_NAME)
        return msgspec.structs.replace(plan, pseudonyms=names)

    def _defaults(
        self, asked: Asked, table: Profile, patient_name: str | None, codes: list[Code]
    ) -> dict[int, Any]:
        method = "Orthanc {version}" if asked.is_amended else table.method
        method = "\\".join([method.replace("{version}", self._version), *dict(codes).values()])
        found: dict[int, Any] = {
            PATIENT_NAME: patient_name or "",
            _IDENTITY_REMOVED: "YES",
            _METHOD: method,
        }
        options = asked.options
        if Option.RetainLongitudinalModifiedDates in options:
            found[_LONGITUDINAL] = "MODIFIED"
        elif Option.RetainLongitudinalFullDates in options:
            found[_LONGITUDINAL] = "UNMODIFIED"
        if codes:
            found[METHOD_CODES] = [code_json(code) for code in (BASIC_PROFILE, *codes)]
        return found


def names_patient(asked: Asked) -> bool:
    """Whether the name of the patient is up to the server."""
    return PATIENT_NAME not in asked.removed | asked.kept | asked.replaced.keys()


class _Making:
    """A plan on its way."""

    def __init__(self, tables: Tables, asked: Asked, level: Level) -> None:
        self.tables = tables
        self.asked = asked
        self.level = level
        self.root: dict[int, Rule] = {}
        self.nested: dict[int, Rule] = {}
        self.ranges: tuple[tuple[int, int], ...] = ()
        self.paths: list[PathRule] = []
        self.replacements: list[Replacement] = []

    def modify(self) -> None:
        asked = self.asked
        self._root_lists(asked.replaced)
        for tag in asked.kept - KEYS:
            if tag >> 16 & 1:
                self.root[tag] = (Action.KEEP, 0)
        self._map_keys()

    def _root_lists(self, replaced: dict[int, Any]) -> None:
        for tag in self.asked.removed:
            self.root[tag] = (Action.REMOVE, 0)
        for tag, value in sorted(replaced.items()):
            if self._is_content(tag, value):
                self._embed(tag, value)
            elif is_of_data_set(tag):
                is_walked = self._is_walked(tag, value)
                self.root[tag] = (Action.REPLACE, self._number(tag, value, is_walked))

    def _is_walked(self, tag: int, value: Any) -> bool:
        asked = self.asked
        return asked.profile is not None and tag in asked.replaced and isinstance(value, list)

    def _is_content(self, tag: int, value: Any) -> bool:
        if self.asked.literal or not isinstance(value, str):
            return False
        return tag in (PIXEL_DATA, DOCUMENT) and is_data_uri(value)

    def _embed(self, tag: int, uri: str) -> None:
        """An image or document instead of what was there. The replacements of higher tags come
        after it."""
        try:
            elements = embedded(uri, tag)
        except OrthancError as error:
            self.root[tag] = (Action.REPLACE, self._number(tag, error))
            return
        self.root[tag] = (Action.REMOVE, 0)
        for each in elements:
            there = self.root.get(each.tag, (Action.KEEP, 0))[0]
            if each.tag == PIXEL_DATA:
                for table in _OFFSET_TABLES:
                    self.root[table] = (Action.REMOVE, 0)
            if not each.is_default or there is Action.REMOVE:
                self.root[each.tag] = (Action.REPLACE, self._number(each.tag, each))
            elif there is not Action.REPLACE:
                self.root[each.tag] = (Action.ADD, self._number(each.tag, each))

    def _map_keys(self) -> None:
        """New UIDs at the level of the request and below it."""
        asked = self.asked
        for level, tag in enumerate((STUDY_UID, SERIES_UID, SOP_UID), start=Level.STUDY):
            if self.level <= level and tag not in asked.kept and tag not in asked.replaced:
                self.root[tag] = (Action.MAP, KIND_OF_KEY[tag])

    def _number(self, tag: int, value: Any, is_walked: bool = False, is_root: bool = True) -> int:
        self.replacements.append(Replacement(tag, value, is_walked, is_root))
        return len(self.replacements) - 1

    def record_masks(self) -> None:
        """Of an image of which pixels are blanked; its icon may show what was there."""
        for tag, rule in ((_ICON, Action.REMOVE), (BURNED_IN_ANNOTATION, Action.REPLACE)):
            if tag not in self.asked.removed | self.asked.kept | self.asked.replaced.keys():
                number = self._number(tag, "NO") if rule is Action.REPLACE else 0
                self.root[tag] = (rule, number)

    def anonymize(self, table: Profile, defaults: dict[int, Any]) -> None:
        asked = self.asked
        mentioned = asked.removed | asked.kept | asked.replaced.keys()
        own = {tag: value for tag, value in defaults.items() if tag not in mentioned}
        for tag in table.removed:
            self._everywhere(tag, (Action.REMOVE, 0))
        for tag in table.cleared:
            self._everywhere(tag, (Action.CLEAR, 0))
        for tag in table.uids:
            self._everywhere(tag, (Action.MAP, Kind.INSTANCE))
        self._everywhere(PATIENT_ID, (Action.MAP, Kind.PATIENT))
        self._options(table)
        for tag in asked.removed:
            self._everywhere(tag, (Action.REMOVE, 0))
        for tag in asked.kept:
            self.root[tag] = (Action.KEEP, 0)
            self.nested.pop(tag, None)
        self._root_lists({**own, **asked.replaced})
        for tag in (PATIENT_NAME, PATIENT_ID):
            if self.root.get(tag, (Action.KEEP,))[0] is Action.REPLACE:
                self.nested[tag] = self.root[tag]
        if Option.RetainUIDs not in asked.options:
            for tag, kind in KIND_OF_KEY.items():
                self.nested[tag] = (Action.MAP, kind)
            self.level = Level.PATIENT
            self._map_keys()
        self.ranges = table.ranges
        self._nested_paths()

    def _options(self, table: Profile) -> None:
        """What the options take out of the profile."""
        for option in sorted(self.asked.options.chosen, key=lambda each: each.name):
            if option is Option.RetainSafePrivate:
                continue  # a table of its own
            row = column(option)
            kept = set(row.kept)
            if option is Option.RetainUIDs:
                kept |= table.uids - row.excepted
            elif option in _DATE_OPTIONS:
                # The column of an edition with more dates than that of the table says the same.
                known = table.removed | table.cleared
                kept |= {tag for tag in known - _BIRTH if self.tables.vr(tag) in ("DA", "DT", "TM")}
            if option is Option.RetainLongitudinalModifiedDates:
                kept = {tag for tag in kept if self.tables.vr(tag) in _TIMES}
            for tag in kept:
                self.root.pop(tag, None)
                self.nested.pop(tag, None)
            for tag in row.cleaned:
                self._clean(tag)

    def _clean(self, tag: int) -> None:
        vr = self.tables.vr(tag)
        if vr == "SQ":  # what is in it is looked at as all else
            self.root.pop(tag, None)
            self.nested.pop(tag, None)
        elif vr in TEXT_VRS:
            self._everywhere(tag, (Action.MAP, CLEANED))

    def _everywhere(self, tag: int, rule: Rule) -> None:
        self.root[tag] = rule
        self.nested[tag] = rule

    def _nested_paths(self) -> None:
        self.paths = [(path, Action.KEEP, 0) for path in self.asked.kept_paths]
        if self.nested.get(_REFERENCED_SOP) == (Action.MAP, Kind.INSTANCE):
            self.paths.append((_STUDY_OF_STRUCTURE_SET, Action.MAP, Kind.STUDY))

    def plan(self) -> Plan:
        asked, tables = self.asked, self.tables
        options = asked.options
        first = tables.rules(
            self.root,
            self.nested,
            self.ranges,
            self.paths,
            asked.private,
            asked.private and asked.profile is not None,
            safe_private() if Option.RetainSafePrivate in options else None,
            CLEANED if Option.CleanDescriptors in options else -1,
            SHIFTED if Option.RetainLongitudinalModifiedDates in options else -1,
        )
        later: list[PathRule] = [(path, Action.REMOVE, 0) for path in asked.removed_paths]
        for path, value in asked.replaced_paths:
            if is_of_data_set(path.tag):
                later.append((path, Action.REPLACE, self._number(path.tag, value, is_root=False)))
        return Plan(
            asked=asked,
            level=self.level,
            root=self.root,
            nested=self.nested,
            ranges=self.ranges,
            paths=tuple(self.paths),
            later_paths=tuple(later),
            replacements=tuple(self.replacements),
            steps=(first, *tables.path_rules(later)),
            of_replaced=self._of_replaced(tables),
        )

    def _of_replaced(self, tables: Tables) -> Rules | None:
        """What the profile does in new sequences, but for the tags that the request itself has
        values for."""
        if not any(each.is_walked for each in self.replacements):
            return None
        own = self.asked.replaced.keys() - KIND_OF_KEY.keys()
        rules = {
            tag: rule
            for tag, rule in self.nested.items()
            if rule[0] is not Action.REPLACE and tag not in own
        }
        return tables.rules({}, rules, self.ranges, self.paths, False, self.asked.private)
