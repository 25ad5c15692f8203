"""Answers of other servers: from their bytes to what is kept and shown of them. Source: reference
chapter 4, sections 5.6 and 5.7."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import msgspec

from orthanc_fast.dicom.dictionary import UNKNOWN_NAME, Dictionary, tag_text
from orthanc_fast.dicom.part10 import DicomFile
from orthanc_fast.dicom.tag_json import Format, reduced, tags_json
from orthanc_fast.dicom.text import term_of
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.services.scu.normalisation import (
    QUERY_RETRIEVE_LEVEL,
    SOP_INSTANCE_UID,
    SPECIFIC_CHARACTER_SET,
)
from orthanc_fast.services.scu.queries import Answer
from orthanc_fast.upper_layer.failures import RequestFailed

_MEDIA_STORAGE_SOP_INSTANCE_UID: Final = 0x00020003
_SOP_INSTANCE_KEY: Final = tag_text(SOP_INSTANCE_UID)
_CHARACTER_SET_KEY: Final = tag_text(SPECIFIC_CHARACTER_SET)
_NUMBERS: Final = frozenset(("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"))

_Element = dict[str, Any]  # Name, Type, Value: the Full format
_decode = msgspec.json.Decoder(dict[str, _Element]).decode


class AnswerReader:
    """Reads answers as Orthanc does: it shows them in Unicode, as if they were in the character
    set of this server, which `character_set` tells."""

    def __init__(self, dictionary: Dictionary, character_set: Callable[[], str]) -> None:
        self._dictionary = dictionary
        self._character_set = character_set
        self._unlimited = frozenset(dictionary.standard)

    def summary(self, identifier: DicomFile, level: str) -> Answer:
        """The texts of an answer: without sequences and bytes, private ones without their values;
        with `level` where the other side has left it out, and with the UID of an instance as a
        file's header has it. Raises RequestFailed for what is no data set."""
        found: Answer = {SPECIFIC_CHARACTER_SET: None, QUERY_RETRIEVE_LEVEL: level}
        for key, element in self._elements(identifier).items():
            tag = _tag(key)
            if element["Type"] != "String":
                continue
            is_private = bool(tag >> 16 & 1)
            is_known = not is_private and element["Name"] != UNKNOWN_NAME
            found[tag] = element["Value"] if is_known else None
        found[SPECIFIC_CHARACTER_SET] = self._term(found[SPECIFIC_CHARACTER_SET])
        if SOP_INSTANCE_UID in found:
            found[_MEDIA_STORAGE_SOP_INSTANCE_UID] = found[SOP_INSTANCE_UID]
        return dict(sorted(found.items()))

    def worklist_item(self, identifier: DicomFile, form: Format) -> dict[str, Any]:
        """An answer with its sequences as JSON, without bytes and what nobody knows. Raises as
        `summary`."""
        elements = self._shown(self._elements(identifier))
        elements.pop(_SOP_INSTANCE_KEY, None)
        character_set = elements.get(_CHARACTER_SET_KEY)
        if character_set is not None:
            character_set["Value"] = self._term(character_set["Value"])
        if form == "full":
            return elements
        is_short = form == "short"
        return {
            (key if is_short else element["Name"]): reduced(element, is_short)
            for key, element in elements.items()
        }

    def _shown(self, elements: dict[str, _Element]) -> dict[str, _Element]:
        found = {}
        for key, element in elements.items():
            if element["Type"] == "Sequence":
                element["Value"] = [self._shown(item) for item in element["Value"]]
            # A number without value is null as well, but shown.
            is_bytes = element["Type"] == "Null" and self._dictionary.vr(_tag(key)) not in _NUMBERS
            if not is_bytes and element["Name"] != UNKNOWN_NAME:
                found[key] = element
        return found

    def _elements(self, identifier: DicomFile) -> dict[str, _Element]:
        try:
            text = tags_json(
                identifier,
                "full",
                self._dictionary,
                self._character_set(),
                whole=True,
                ignore_length=self._unlimited,
            )
        except BadFileFormat as error:
            raise RequestFailed(
                "C-FIND", f"DIMSE Failed to receive message: {error.details}"
            ) from error
        return _decode(text)

    def _term(self, given: str | None) -> str | None:
        return term_of(self._character_set()) or given


@lru_cache(4096)
def _tag(key: str) -> int:
    return int(key[:4] + key[5:], 16)
