"""Whether DICOM files match a query, for scripts. Source: reference chapter 7, section 3; chapter
4, section 3.7."""

from typing import Any

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.tag_json import tags_json
from orthanc_fast.errors import OrthancError
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.data_set_json import Everything
from orthanc_fast.services.worklists.query import Keys, Query

_QUERY_LEVEL = "0008,0052"


def _keys(members: dict[str, Any]) -> Keys:
    return {
        int(text[:4] + text[5:], 16): (
            [_keys(item) for item in member["Value"]]
            if member["Type"] == "Sequence"
            else member["Value"] or ""
        )
        for text, member in members.items()
        if text != _QUERY_LEVEL
    }


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
        self._query = Query(_keys(full_members(query, dictionary, encoding)), dictionary, False)

    def _matches(self, data: bytes) -> bool:
        """Raises BadFileFormat."""
        return self._query.matches(full_members(data, self._dictionary, self._encoding))

    @takes("b")
    def IsMatch(self, data: bytes) -> int:
        try:
            return int(self._matches(data))
        except OrthancError:
            return 0
