"""What a client asks to be changed: the JSON body of modify and anonymize, read field by field.

Source: reference chapter 3, sections 3.2.1 to 3.2.4 and 3.3.1.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.tag_paths import TagPath, parse_path
from orthanc_fast.errors import (
    BadFileFormat,
    BadParameterType,
    BadRequest,
    ParameterOutOfRange,
)
from orthanc_fast.model import Level
from orthanc_fast.services.modification.masks import Masks, read_masks
from orthanc_fast.services.modification.options import NO_OPTIONS, Options, read_options
from orthanc_fast.services.modification.profiles import DEFAULT, Profile, profile

PATIENT_ID: Final = 0x00100020
STUDY_UID: Final = 0x0020000D
SERIES_UID: Final = 0x0020000E
SOP_UID: Final = 0x00080018
KEYS: Final = frozenset({PATIENT_ID, STUDY_UID, SERIES_UID, SOP_UID})


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The changes that were asked for. Of a root tag that is mentioned several times the last
    mention counts: it is in one of `removed`, `replaced`, `kept`; values are JSON."""

    removed: frozenset[int]
    replaced: dict[int, Any]
    kept: frozenset[int]
    removed_paths: tuple[TagPath, ...]
    replaced_paths: tuple[tuple[TagPath, Any], ...]
    kept_paths: tuple[TagPath, ...]
    profile: Profile | None  # of an anonymization
    private: bool  # whether private elements go
    private_creator: str
    is_amended: bool  # an anonymization that is not quite that of its profile
    keep_labels: bool
    transcode: str | None
    masks: Masks = ()
    options: Options = NO_OPTIONS
    pseudonym_key: str | None = None
    may_remove_keys: bool = False
    literal: bool = False  # data URIs are texts

    @property
    def removes_a_key(self) -> bool:
        """Whether it removes what no modification may."""
        return not self.may_remove_keys and not KEYS.isdisjoint(self.removed)

    @property
    def level(self) -> Level:
        """Of an instance, or of a list without a level: the highest one that becomes another
        resource."""
        if self.profile is not None or PATIENT_ID in self.replaced:
            return Level.PATIENT
        if STUDY_UID in self.replaced:
            return Level.STUDY
        return Level.SERIES if SERIES_UID in self.replaced else Level.INSTANCE


def read_modification(
    body: Mapping[str, Any], dictionary: Dictionary, default_creator: str = ""
) -> Asked:
    """The body of a modification. Raises BadRequest, BadFileFormat, ParameterOutOfRange,
    UnknownDicomTag."""
    remove_private = member_flag(body, "RemovePrivateTags")
    lists = _Lists(body, dictionary)
    return lists.asked(body, None, remove_private, default_creator)


def read_anonymization(
    body: Mapping[str, Any], dictionary: Dictionary, default_creator: str = ""
) -> Asked:
    """The body of an anonymization. Raises as `read_modification`."""
    version = body.get("DicomVersion", DEFAULT)
    if not isinstance(version, str):
        raise BadFileFormat("DicomVersion should be a string")
    table = profile(version)
    keep_private = member_flag(body, "KeepPrivateTags")
    lists = _Lists(body, dictionary)
    asked = lists.asked(body, table, not keep_private, default_creator)
    return msgspec.structs.replace(
        asked, options=read_options(body), pseudonym_key=_pseudonym_key(body)
    )


def _pseudonym_key(body: Mapping[str, Any]) -> str | None:
    key = body.get("PseudonymKey")
    if key is not None and not isinstance(key, str):
        raise BadParameterType("PseudonymKey is a text")
    if key == "":
        raise ParameterOutOfRange("PseudonymKey is empty")
    return key


class _Lists:
    """The three lists. They are read in this order, and a later mention of a root tag wins."""

    def __init__(self, body: Mapping[str, Any], dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._force = member_flag(body, "Force")
        self._roots: dict[int, tuple[str, Any]] = {}
        self._removed: list[TagPath] = []
        self._replaced: dict[TagPath, Any] = {}
        self._kept: list[TagPath] = []
        for text in _texts(body, "Remove"):
            self._take(text, "removed", self._removed.append)
        replaced = body.get("Replace", {})
        if not isinstance(replaced, dict):
            raise BadRequest()
        for text, value in sorted(replaced.items()):
            path = parse_path(text, dictionary)
            if path.is_root:
                self._set_root(text, path.tag, "replaced", value)
            else:
                self._replaced.pop(path, None)  # under another name; the last one counts
                self._replaced[path] = value
        for text in _texts(body, "Keep"):
            self._take(text, "kept", self._kept.append)

    def _take(self, text: str, what: str, add: Any) -> None:
        path = parse_path(text, self._dictionary)
        if path.is_root:
            self._set_root(text, path.tag, what, None)
        else:
            add(path)

    def _set_root(self, text: str, tag: int, what: str, value: Any) -> None:
        if tag in KEYS and not self._force:
            raise BadRequest(
                f'Marking tag "{text}" as to be {what} requires the "Force" option '
                "to be set to true"
            )
        self._roots[tag] = (what, value)

    def asked(
        self,
        body: Mapping[str, Any],
        table: Profile | None,
        private: bool,
        default_creator: str,
    ) -> Asked:
        roots = self._roots
        amended = bool(roots or self._removed or self._replaced or self._kept or not private)
        return Asked(
            removed=frozenset(tag for tag, (what, _) in roots.items() if what == "removed"),
            replaced={tag: value for tag, (what, value) in roots.items() if what == "replaced"},
            kept=frozenset(tag for tag, (what, _) in roots.items() if what == "kept"),
            removed_paths=tuple(self._removed),
            replaced_paths=tuple(self._replaced.items()),
            kept_paths=tuple(self._kept),
            profile=table,
            private=private,
            private_creator=text_field(body, "PrivateCreator") or default_creator,
            is_amended=table is not None and amended,
            keep_labels=member_flag(body, "KeepLabels"),
            transcode=text_field(body, "Transcode"),
            masks=read_masks(body),
        )


def _texts(body: Mapping[str, Any], name: str) -> list[str]:
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadRequest()
    return value


def member_flag(body: Mapping[str, Any], name: str) -> bool:
    """A field that is true or false. Raises BadFileFormat."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BadFileFormat(f'Member "{name}" should be a Boolean value')
    return value


def text_field(body: Mapping[str, Any], name: str) -> str | None:
    """A text, None where it is absent. Raises BadFileFormat."""
    value = body.get(name)
    if name in body and not isinstance(value, str):
        raise BadFileFormat(f"String value expected in field: {name}")
    return value
