"""Answers of QIDO-RS as JSON and as XML. Source: PS3.18 annex F; PS3.19 annex A.1."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

import msgspec

from orthanc_fast._ext.json_answers import JsonAnswers
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.services.dicom_web.answer_elements import BINARY, Element, element
from orthanc_fast.services.dicom_web.attributes import CHARACTER_SET, RETRIEVE_URL
from orthanc_fast.services.dicom_web.query import Wanted
from orthanc_fast.services.find.requested import Value

Encoder = Callable[[dict[int, Value]], bytes]
"""Makes one answer of its values by tag."""

_UTF_8: Final = "ISO_IR 192"
_KEPT: Final = 1 << 13  # elements of XML that are remembered
_LONGEST_KEPT: Final = 100  # characters

_XML_HEAD: Final = (
    b'<?xml version="1.0" encoding="utf-8"?><NativeDicomModel xml:space="preserve"'
    b' xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
)
_NAME_PARTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")

_json = msgspec.json.Encoder().encode


class AnswerEncoders:
    """The encoders of one process. Those of XML remember elements by their values: most answers
    have the same dates, modalities and empty elements as others."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._xml = lru_cache(_KEPT)(self._xml_element)

    def json(self, wanted: Wanted) -> Encoder:
        """Makes JSON objects."""
        fixed = self._json_element(CHARACTER_SET, "CS", _UTF_8)
        return JsonAnswers(fixed, self._columns(wanted), self._json_element).encode

    def xml(self, wanted: Wanted) -> Encoder:
        """Makes documents of the Native DICOM Model."""
        columns = self._columns(wanted)
        fixed = self._xml(CHARACTER_SET, "CS", _UTF_8)
        known, new, head = self._xml, self._xml_element, _XML_HEAD

        def encode(values: dict[int, Value]) -> bytes:
            parts = _elements(columns, fixed, values, known, new)
            return head + b"".join(parts) + b"</NativeDicomModel>"

        return encode

    def _columns(self, wanted: Wanted) -> list[tuple[int, str]]:
        vr, creators = self._dictionary.vr, wanted.creators
        found = []
        for tag in sorted({*wanted.tags, RETRIEVE_URL} - {CHARACTER_SET}):
            creator = creators.get(tag)
            found.append((tag, vr(tag, None if creator is None else creator.encode())))
        return [(tag, vr) for tag, vr in found if vr not in BINARY]

    def _json_element(self, tag: int, vr: str, value: Value) -> bytes:
        found = element(tag, vr, value, self._dictionary)
        return b"" if found is None else b'"%08X":' % tag + _json(found)

    def _xml_element(self, tag: int, vr: str, value: Value) -> bytes:
        found = element(tag, vr, value, self._dictionary)
        return b"" if found is None else self._attribute(f"{tag:08X}", found).encode()

    def _attribute(self, tag: str, shown: Element) -> str:
        number = int(tag, 16)
        name = self._dictionary.names.get(number, "").removeprefix("RETIRED_")
        keyword = f" keyword={quoteattr(name)}" if name else ""
        vr = shown["vr"]
        made = "".join(
            self._value(vr, at, value) for at, value in enumerate(shown.get("Value", ()), 1)
        )
        return f'<DicomAttribute tag="{tag}" vr="{vr}"{keyword}>{made}</DicomAttribute>'

    def _value(self, vr: str, number: int, value: Any) -> str:
        if vr == "SQ":
            made = "".join(self._attribute(tag, each) for tag, each in value.items())
            return f'<Item number="{number}">{made}</Item>'
        if vr == "PN":
            return _person_name(number, value or {})
        text = "" if value is None else escape(_without_controls(str(value)))
        return f'<Value number="{number}">{text}</Value>'


def _elements(
    columns: list[tuple[int, str]],
    fixed: bytes,
    values: Mapping[int, Value],
    known: Callable[[int, str, str | None], bytes],
    new: Callable[[int, str, Value], bytes],
) -> list[bytes]:
    """The elements of one answer, the shorter ones from memory."""
    parts = [fixed]
    for tag, vr in columns:
        if tag in values:
            value = values[tag]
            if value is None or (isinstance(value, str) and len(value) <= _LONGEST_KEPT):
                made = known(tag, vr, value)
            else:
                made = new(tag, vr, value)
            if made:
                parts.append(made)
    return parts


def _person_name(number: int, groups: Mapping[str, str]) -> str:
    made = []
    for group, text in groups.items():
        parts = zip(_NAME_PARTS, text.split("^"), strict=False)
        inner = "".join(
            f"<{name}>{escape(_without_controls(part))}</{name}>" for name, part in parts if part
        )
        made.append(f"<{group}>{inner}</{group}>")
    return f'<PersonName number="{number}">{"".join(made)}</PersonName>'


def _without_controls(text: str) -> str:
    """Without the characters that XML 1.0 does not have."""
    return "".join(c for c in text if c >= " " or c in "\t\n\r")
