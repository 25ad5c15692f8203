"""Names and numbers of metadata. Source: reference chapter 1, section 6.1."""

import re
from collections.abc import Mapping

from orthanc_fast.errors import BadParameterType, InexistentItem
from orthanc_fast.registries import METADATA

_INTEGER = re.compile(r"\s*-?[0-9]+\s*\Z")
_PLAIN = re.compile(r"-?[0-9]{1,9}\Z")


class MetadataNames:
    """What this server calls its metadata: Orthanc's names and those of the option UserMetadata."""

    def __init__(self, user: Mapping[str, int]) -> None:
        self._names = {**METADATA, **{number: name for name, number in user.items()}}
        self._numbers = {name: number for number, name in self._names.items()}

    def name(self, number: int) -> str:
        """The number as text where there is no name."""
        return self._names.get(number) or str(number)

    def number(self, text: str) -> int:
        """The number of a name, or of a number as text. Raises InexistentItem, or BadParameterType
        for a number that is written oddly or too large."""
        found = self._numbers.get(text)
        return integer_name(text, "metadata") if found is None else found


def integer_name(text: str, what: str) -> int:
    """A number that stands for a name; raises as `MetadataNames.number`."""
    if _PLAIN.match(text):
        return int(text)
    if _INTEGER.match(text):
        raise BadParameterType("Syntax error in some user-supplied data")
    raise InexistentItem(f"Unknown type of {what}: {text}")
