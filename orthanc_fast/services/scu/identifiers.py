"""What a C-FIND asks for, as a data set. Source: DICOM PS3.4 section C.4.1.1.3; reference chapter
4, sections 5.6 and 5.7."""

from collections.abc import Mapping
from typing import Any, Final

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.elements import Writer
from orthanc_fast.dicom.json_values import Elements, is_of_data_set
from orthanc_fast.dicom.text import character_set_of, term_of
from orthanc_fast.services.scu.normalisation import SPECIFIC_CHARACTER_SET
from orthanc_fast.transfer_syntaxes import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE

_PADDING: Final = " \0"


class Identifier:
    """The elements of a query by tag, their values as JSON has them."""

    def __init__(self, query: Mapping[int, Any], dictionary: Dictionary, default: str) -> None:
        """Texts are encoded in the character set that the query names by its defined term, else in
        `default`. Raises BadParameterType, BadFileFormat, UnknownDicomTag for values that are
        none of their elements."""
        term = query.get(SPECIFIC_CHARACTER_SET) or term_of(default) or ""
        self._dictionary = dictionary
        self._values = {
            **{tag: self._trimmed(tag, value) for tag, value in query.items()},
            SPECIFIC_CHARACTER_SET: term,
        }
        self._character_set = character_set_of(term.encode(), default)
        self._explicit = self._encoded(EXPLICIT_LITTLE)

    def encoded(self, syntax: str) -> bytes:
        """The data set in one of the uncompressed transfer syntaxes."""
        return self._explicit if syntax == EXPLICIT_LITTLE else self._encoded(syntax)

    def _encoded(self, syntax: str) -> bytes:
        elements = Elements(
            dictionary=self._dictionary,
            character_set=self._character_set,
            write=Writer(explicit=syntax != IMPLICIT_LITTLE, big=syntax == EXPLICIT_BIG),
            literal=True,
        )
        tags = filter(is_of_data_set, sorted(self._values))
        return b"".join(elements.element(tag, self._values[tag]) for tag in tags)

    def _trimmed(self, tag: int, value: Any) -> Any:
        """Without white space that the VR does not have."""
        if isinstance(value, str) and self._dictionary.vr(tag) == "UI":
            return "".join(value.split())
        return _unpadded(value)


def _unpadded(value: Any) -> Any:
    """Texts without blanks at their ends, at every depth."""
    if isinstance(value, str):
        return value.rstrip(_PADDING)
    if isinstance(value, list):
        return [_unpadded(item) for item in value]
    if isinstance(value, dict):
        return {name: _unpadded(member) for name, member in value.items()}
    return value
