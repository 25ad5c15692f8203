"""Answers to queries as encoded data sets. Source: DICOM PS3.5 sections 6.2 and 7; reference
chapter 4, section 3.5."""

import struct
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from orthanc_fast._ext.answers import Answers
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.elements import ZERO_PADDED, Writer
from orthanc_fast.dicom.text import CharacterSet, encode
from orthanc_fast.services.find.requested import Value
from orthanc_fast.transfer_syntaxes import TransferSyntax

_LONGEST_SHORT = 0xFFFE  # bytes of a value whose length has 16 bits

# VR -> the format of one number, and what makes it of text.
_NUMBERS: Mapping[str, tuple[str, Callable[[str], float]]] = {
    "US": ("H", int),
    "SS": ("h", int),
    "UL": ("I", int),
    "SL": ("i", int),
    "UV": ("Q", int),
    "SV": ("q", int),
    "FL": ("f", float),
    "FD": ("d", float),
    "OF": ("f", float),
    "OD": ("d", float),
    "OL": ("I", int),
    "OV": ("Q", int),
}
# VRs of which no text tells the value. One that nobody knows (UN) has the text as its value, as
# Orthanc does it.
_BINARY = frozenset({"OB", "OW"})


Column = bytes | tuple[int, bytes, int, int, bytes, bool]


class AnswerEncoder:
    """Encodes the answers to one query, whose elements are the same in all of them; for one
    thread."""

    def __init__(
        self,
        tags: Iterable[int],
        fixed: Mapping[int, str],
        syntax: TransferSyntax,
        character_set: str,
        dictionary: Dictionary,
    ) -> None:
        """`tags` are those of which answers have a value or none, `fixed` the texts that are the
        same in all of them. `character_set` is a name in Orthanc's configuration."""
        self._write = Writer(not syntax.is_implicit, syntax.is_big_endian)
        self._character_set = CharacterSet(character_set)
        self._dictionary = dictionary
        self._tags = sorted({*tags, *fixed})
        columns: list[Column] = [
            self._element(tag, dictionary.vr(tag), fixed[tag])
            if tag in fixed
            else _column(tag, dictionary.vr(tag), self._write)
            for tag in self._tags
        ]
        self.encode: Final = Answers(columns, syntax.is_big_endian, self._text, self._any).encode
        """The data set of one answer, of its values by tag; what has no value is empty."""

    def _text(self, text: str) -> bytes:
        return encode(text, self._character_set)

    def _any(self, column: int, value: Value) -> bytes:
        tag = self._tags[column]
        return self._element(tag, self._dictionary.vr(tag), value)

    def _element(self, tag: int, vr: str, value: Value) -> bytes:
        """A whole element of any VR; what cannot be said in it is empty."""
        write = self._write
        if isinstance(value, dict):
            if value["Type"] == "Sequence":
                return write.sequence(tag, [self._item(item) for item in value["Value"]])
            return write.element(tag, vr, b"")
        raw = self._raw(vr, value or "")
        if len(raw) > _LONGEST_SHORT and write.explicit and not write.is_long(vr):
            return write.element(tag, "UN", raw)
        return write.element(tag, vr, raw)

    def _item(self, members: Mapping[str, dict[str, Any]]) -> bytes:
        return b"".join(
            self._member(int(text[:4] + text[5:], 16), member)
            for text, member in sorted(members.items())
        )

    def _member(self, tag: int, member: dict[str, Any]) -> bytes:
        creator = member.get("PrivateCreator")
        vr = self._dictionary.vr(tag, None if creator is None else creator.encode())
        if member["Type"] == "Sequence":
            return self._element(tag, "SQ", member)
        return self._element(tag, vr, member["Value"] if member["Type"] == "String" else None)

    def _raw(self, vr: str, text: str) -> bytes:
        """The value of an element, not padded."""
        if vr in _BINARY or vr == "SQ":
            return b""
        if vr == "AT":
            return _tags(text, self._write.big)
        if vr in _NUMBERS:
            return _numbers(text, *_NUMBERS[vr], self._write.big)
        return self._text(text)


@lru_cache(4096)
def _column(tag: int, vr: str, write: Writer) -> Column:
    """What `Answers` has to know of an element whose value differs. Most queries ask for the
    same."""
    empty = write.element(tag, vr, b"")
    width = 2 if write.explicit and not write.is_long(vr) else 4
    pad = 0x00 if vr in ZERO_PADDED else 0x20
    is_text = vr not in _NUMBERS and vr not in _BINARY and vr not in ("AT", "SQ")
    return tag, empty[:-width], width, pad, empty, is_text


def _numbers(text: str, form: str, number: Callable[[str], float], big: bool) -> bytes:
    parts = text.split("\\") if text else []
    try:
        return struct.pack(f"{'>' if big else '<'}{len(parts)}{form}", *map(number, parts))
    except (ValueError, OverflowError, struct.error):
        return b""


def _tags(text: str, big: bool) -> bytes:
    order = ">" if big else "<"
    try:
        numbers = [int(part.replace(",", ""), 16) for part in text.split("\\") if part]
        return b"".join(struct.pack(f"{order}HH", n >> 16, n & 0xFFFF) for n in numbers)
    except (ValueError, struct.error):
        return b""
