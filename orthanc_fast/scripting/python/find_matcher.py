"""Whether DICOM files match a query, for scripts. Source: reference chapter 7, section 3; chapter
4, section 3.7."""

from typing import Any

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary, is_private_creator
from orthanc_fast.dicom.tag_json import tags_json
from orthanc_fast.errors import OrthancError
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.data_set_json import Everything
from orthanc_fast.services.find.matching import IDENTIFIERS, Matcher, matcher

_CHARACTER_SET = 0x00080005
_LEVEL = 0x00080052
_TIMEZONE = 0x00080201
_NO_CONDITIONS = frozenset({_CHARACTER_SET, _LEVEL, _TIMEZONE})


class Conditions:
    """Those of one data set of a query: a matcher for each text, conditions on the items for each
    sequence."""

    def __init__(self, members: dict[str, Any], dictionary: Dictionary) -> None:
        self._texts: dict[str, Matcher] = {}
        self._sequences: dict[str, Conditions] = {}
        for text, member in members.items():
            tag = int(text[:4] + text[5:], 16)
            if tag in _NO_CONDITIONS or is_private_creator(tag) or tag & 0xFFFF == 0:
                continue
            if member["Type"] == "Sequence":
                if member["Value"]:
                    self._sequences[text] = Conditions(member["Value"][0], dictionary)
            elif member["Type"] == "String":
                vr = dictionary.vr(tag)
                is_case_sensitive = vr != "PN"
                name = dictionary.name(tag)
                found = matcher(member["Value"], vr, tag in IDENTIFIERS, is_case_sensitive, name)
                if found is not None:
                    self._texts[text] = found

    def match(self, members: dict[str, Any], is_root: bool = True) -> bool:
        """Whether a data set fulfils all of them: what it lacks matches nothing, but for sequences
        and what would be in them."""
        for tag, wanted in self._texts.items():
            member = members.get(tag)
            if member is None:
                if is_root:
                    return False
                continue
            if member["Type"] != "String" or not wanted.exact(member["Value"]):
                return False
        for tag, conditions in self._sequences.items():
            items = members.get(tag, {}).get("Value")
            if isinstance(items, list) and not any(conditions.match(item, False) for item in items):
                return False
        return True


def full_members(data: bytes, dictionary: Dictionary, encoding: str) -> dict[str, Any]:
    """A data set in the Full format, values of any length. Raises BadFileFormat."""
    text = tags_json(data, "full", dictionary, encoding, False, Everything())
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


class FindMatcher:
    """The conditions of a query for files in memory."""

    def __init__(self, query: bytes, dictionary: Dictionary, encoding: str) -> None:
        """Raises BadFileFormat for what is no DICOM file, ParameterOutOfRange for wildcards where
        there may be none."""
        self._dictionary = dictionary
        self._encoding = encoding
        self._conditions = Conditions(full_members(query, dictionary, encoding), dictionary)

    def _matches(self, data: bytes) -> bool:
        """Raises BadFileFormat."""
        return self._conditions.match(full_members(data, self._dictionary, self._encoding))

    @takes("b")
    def IsMatch(self, data: bytes) -> int:
        try:
            return int(self._matches(data))
        except OrthancError:
            return 0
