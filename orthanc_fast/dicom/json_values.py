"""From the JSON values of a request to data elements.

Source: reference chapter 3, section 3.2.3.
"""

import re
import struct
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from orthanc_fast._ext.base64_text import decode
from orthanc_fast.dicom.dictionary import TEXT_VRS, Dictionary, is_private_creator, tag_text
from orthanc_fast.dicom.elements import Writer
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.dicom.tag_paths import parse_tag
from orthanc_fast.dicom.text import CharacterSet, encode
from orthanc_fast.errors import (
    BadFileFormat,
    BadParameterType,
    OrthancError,
    ParameterOutOfRange,
    UnknownDicomTag,
)
from orthanc_fast.numerals import decimal, integer

PIXEL_DATA: Final = 0x7FE00010
_BINARY_URI: Final = "data:application/octet-stream;base64,"
_LONGEST_SHORT = 0xFFFE
_SHORT_VRS = frozenset(
    "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()  # noqa: SIM905 - a table
)
_IN_HEADER: Final = frozenset({0x00080016, 0x00080018})
_NO_NUMBER = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_MAX_DEPTH = 62  # of sequences in sequences, as files may have

# Of integers: letter of `struct`, and bits.
_INTEGERS: Final = {
    **{"US": ("H", 16), "OW": ("H", 16), "SS": ("h", 16), "UL": ("I", 32), "OL": ("I", 32)},
    **{"SL": ("i", 32), "UV": ("Q", 64), "OV": ("Q", 64), "SV": ("q", 64)},
}
_FLOATS: Final = {"FL": "f", "OF": "f", "FD": "d", "OD": "d"}


class Embedded(msgspec.Struct, frozen=True):
    """An element that comes with an image or document: its value as little endian has it, padded.
    Where it `is_default`, one that is there already stays."""

    tag: int
    vr: str
    value: Buffer
    is_default: bool = False


class Elements(msgspec.Struct, frozen=True, kw_only=True):
    """Encodes elements for one data set: in its character set, with `write` in its encoding,
    private ones as their creator says. Data URIs of bytes stand for these, unless they are to be
    `literal`."""

    dictionary: Dictionary
    character_set: CharacterSet
    write: Writer
    private_creator: str = ""
    literal: bool = False

    def root_element(self, tag: int, value: Any) -> bytes:
        """As `element`; the file's header has to name SOP class and instance."""
        if value is None and tag in _IN_HEADER:
            raise BadParameterType
        return self.element(tag, value)

    def element(self, tag: int, value: Any, depth: int = 0) -> bytes:
        """A whole element. Raises BadParameterType for a value of a wrong kind, BadFileFormat for
        one that the VR cannot have, UnknownDicomTag; a value that is an error itself."""
        if isinstance(value, Embedded):
            return self._embedded(value)
        if isinstance(value, OrthancError):
            raise value
        vr = self._vr(tag)
        if isinstance(value, list):
            if vr != "SQ":
                raise BadParameterType(f"Bad Parameter type for tag {tag_text(tag)}")
            return self._sequence(tag, value, depth)
        if value is not None and not isinstance(value, str):
            raise BadParameterType(f"Bad Parameter type for tag {tag_text(tag)}")
        return self._encoded(tag, vr, self._value(tag, vr, value))

    def _embedded(self, element: Embedded) -> bytes:
        raw = element.value
        if self.write.big and element.vr in ("US", "OW"):
            raw = np.frombuffer(raw, "<u2").byteswap().tobytes()
        return b"".join([self.write.header(element.tag, element.vr, len(raw)), raw])

    def _vr(self, tag: int) -> str:
        creator = self.private_creator.encode() or None
        if tag >> 16 & 1 and not is_private_creator(tag):
            entry = self.dictionary.entry(tag, creator)
            return "UN" if entry is None else _one(entry[1].decode())
        entry = self.dictionary.entry(tag)
        return self.dictionary.vr(tag) if entry is None else _one(entry[1].decode())

    def _encoded(self, tag: int, vr: str, raw: bytes) -> bytes:
        if self.write.explicit and len(raw) > _LONGEST_SHORT and vr in _SHORT_VRS:
            vr = "UN"  # PS3.5 section 6.2.2
        return self.write.element(tag, vr, raw)

    def _sequence(self, tag: int, items: list[Any], depth: int) -> bytes:
        if depth > _MAX_DEPTH:
            raise BadFileFormat("too many levels of nested sequences")
        return self.write.sequence(tag, [self._item(item, depth + 1) for item in items])

    def _item(self, item: Any, depth: int) -> bytes:
        if item == []:
            return b""
        if not isinstance(item, dict):
            raise BadParameterType()
        members: Mapping[int, Any] = {
            parse_tag(name, self.dictionary): value for name, value in item.items()
        }
        return b"".join(
            self.element(tag, value, depth)
            for tag, value in sorted(members.items())
            if is_of_data_set(tag)
        )

    def _value(self, tag: int, vr: str, text: str | None) -> bytes:
        if text is None:
            if vr in TEXT_VRS or vr in ("OB", "UN"):
                return b""
            raise self._empty(tag, vr)
        raw = self._bytes(tag, text)
        if tag == PIXEL_DATA:
            if len(raw) % 2:
                raise ParameterOutOfRange("A tag with OW VR must have an even number of bytes")
            return raw
        if vr in TEXT_VRS:
            return raw.split(b"\0", 1)[0]
        if vr in ("OB", "UN"):
            return raw
        if not text:
            return b""
        if not raw:  # nothing of it is in the character set, or it stands for no bytes
            raise self._empty(tag, vr)
        return self._numbers(tag, vr, raw.decode("latin-1"))

    def _empty(self, tag: int, vr: str) -> OrthancError:
        """The error for a value that is no number."""
        return UnknownDicomTag("") if vr == "AT" else _out_of_range(tag, "")

    def _bytes(self, tag: int, text: str) -> bytes:
        if text.startswith(_BINARY_URI) and not self.literal:
            try:
                return decode(text, len(_BINARY_URI))
            except ValueError as error:
                raise BadFileFormat() from error
        return encode(text, self.character_set)

    def _numbers(self, tag: int, vr: str, text: str) -> bytes:
        order = ">" if self.write.big else "<"
        parts = text.split("\\")
        if vr == "AT":
            tags = (self.dictionary.parse(part.strip()) for part in parts)
            return b"".join(struct.pack(f"{order}HH", each >> 16, each & 0xFFFF) for each in tags)
        if vr in _FLOATS:
            floats = [_float(part) for part in parts]
            try:
                return struct.pack(f"{order}{len(parts)}{_FLOATS[vr]}", *floats)
            except (struct.error, OverflowError) as error:
                raise _out_of_range(tag, text) from error
        if vr not in _INTEGERS:
            raise _out_of_range(tag, text)
        letter, bits = _INTEGERS[vr]
        numbers = [_number(part, bits, letter.isupper()) for part in parts]
        try:
            return struct.pack(f"{order}{len(parts)}{letter}", *numbers)
        except struct.error as error:
            raise _out_of_range(tag, text) from error


def is_of_data_set(tag: int) -> bool:
    """Whether a request may set it: no group length, nothing of a file's header."""
    return tag & 0xFFFF != 0 and tag >> 16 > 2


def _one(vr: str) -> str:
    """Of "OB or OW" and "US or SS" what numbers of 16 bits are."""
    return "OW" if vr.endswith("OW") else vr.split(" ")[0]


def _float(text: str) -> float | None:
    return float(text) if _NO_NUMBER.fullmatch(text) else decimal(text)


def _number(text: str, bits: int, is_unsigned: bool) -> int | None:
    """Negative ones wrap around where none may be, as in C."""
    unsigned_64 = text.isascii() and text.isdigit() and len(text) <= 20
    number = int(text) if unsigned_64 else integer(text)
    if number is not None and is_unsigned and -(1 << bits) < number < 0:
        number += 1 << bits
    return number


def _out_of_range(tag: int, text: str) -> BadFileFormat:
    return BadFileFormat(
        f'While creating a DICOM instance, tag ({tag_text(tag)}) has out-of-range value: "{text}"'
    )
