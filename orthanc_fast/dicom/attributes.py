"""A data set as attributes with typed values, as the DICOM JSON and XML models have them (PS3.18
annex F, PS3.19 annex A). Source: reference chapter 2, section 1.12; chapter 5, section 12.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
import numpy as np

from orthanc_fast._ext.scan import ScanError, elements, items
from orthanc_fast.dicom.dictionary import TEXT_VRS, VRS, Dictionary, creator_tag
from orthanc_fast.dicom.part10 import Buffer, open_dicom
from orthanc_fast.dicom.tag_json import character_set_in
from orthanc_fast.dicom.text import CharacterSet, decode, without_padding
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.numerals import integer

PIXEL_DATA: Final = 0x7FE00010
_CHARACTER_SET: Final = 0x00080005
_PIXEL_REPRESENTATION: Final = 0x00280103

_NUMBERS: Final = {
    "US": "u2",
    "SS": "i2",
    "UL": "u4",
    "SL": "i4",
    "UV": "u8",
    "SV": "i8",
    "FL": "f4",
    "FD": "f8",
    "OF": "f4",
    "OD": "f8",
    "OL": "u4",
    "OV": "u8",
    "OW": "u2",
}
_SINGLE_VALUED: Final = frozenset({"LT", "ST", "UR", "UT"})

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)

_MAX_EXACT = float(1 << 53)  # integers up to here are exact in a double

Row = tuple[int, int, int, int, int, int]  # tag, VR, start, value, length or -1, end


class PersonName(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The component groups of a name that are there."""

    Alphabetic: str | None = None
    Ideographic: str | None = None
    Phonetic: str | None = None


class Attribute(NamedTuple):
    """`values` hold str, int, float (also not finite), PersonName, data sets (of SQ), and None for
    an empty one among several; None where there is no value. Of OB, UN and PixelData the bytes are
    in `binary` instead, in little endian. `keyword` is None for private and unknown attributes."""

    tag: int
    vr: str
    keyword: str | None
    values: "list[Value] | None"
    binary: bytes | None = None


Dataset = list[Attribute]
Value = str | int | float | PersonName | Dataset | None


def read_attributes(data: Buffer, dictionary: Dictionary, default_character_set: str) -> Dataset:
    """The data set of a DICOM file in the order of its tags, without group lengths and without
    encapsulated pixel data, for which the models have no place. Raises BadFileFormat."""
    try:
        file = open_dicom(data)
        reader = _Reader(file.data, dictionary, character_set_in(file, default_character_set))
        end = len(file.data)
        return reader.dataset(file.start, end, file.explicit, file.big)
    except ScanError as error:
        raise BadFileFormat(str(error)) from error


class _Reader:
    def __init__(self, data: Buffer, dictionary: Dictionary, character_set: CharacterSet) -> None:
        self._data = data
        self._dictionary = dictionary
        self._character_set = character_set

    def dataset(self, start: int, end: int, explicit: bool, big: bool) -> Dataset:
        rows: dict[int, Row] = {}
        for row in elements(self._data, start, end, explicit, big):
            rows.setdefault(row[0], row)  # of elements with the same tag the first counts
        found = []
        signed = self._pixels_are_signed(rows.get(_PIXEL_REPRESENTATION), big)
        for tag in sorted(rows):
            row = rows[tag]
            is_encapsulated = tag == PIXEL_DATA and row[4] == -1
            if tag & 0xFFFF and not is_encapsulated:
                entry = self._entry(tag, rows)
                vr = self._vr(row, explicit, entry)
                if signed and not explicit and vr == "US" and tag in self._dictionary.signed:
                    vr = "SS"
                found.append(self._attribute(row, vr, entry, explicit, big))
        return found

    def _pixels_are_signed(self, row: Row | None, big: bool) -> bool:
        raw = b"" if row is None else self._raw(row)
        return _numbers(raw[:2], "u2", big) == [1]

    def _entry(self, tag: int, rows: dict[int, Row]) -> tuple[bytes, bytes] | None:
        reserved = creator_tag(tag)
        row = None if reserved is None else rows.get(reserved)
        creator = None if row is None else without_padding(self._raw(row), "LO")
        return self._dictionary.entry(tag, creator)

    def _vr(self, row: Row, explicit: bool, entry: tuple[bytes, bytes] | None) -> str:
        """The VR of the file; where it has none, or UN, or one that nobody knows, that of the
        dictionary. What is hidden in UN counts as a text only."""
        tag, code, _, _, length, _ = row
        known = self._dictionary.vr(tag) if entry is None else entry[1].decode()
        if not explicit:
            # "US or SS" counts as US; LUT data, overlays and pixel data as OW (PS3.5 annex A.1).
            vr = "OW" if "OW" in known else known[:2]
        else:
            vr = f"{code >> 8:c}{code & 255:c}"
            if vr not in VRS or vr == "UN":
                vr = known if known in TEXT_VRS else "UN"
        if length == -1:
            return "SQ"
        return vr if vr in VRS else "UN"

    def _attribute(
        self, row: Row, vr: str, entry: tuple[bytes, bytes] | None, explicit: bool, big: bool
    ) -> Attribute:
        tag = row[0]
        keyword = None if entry is None or tag >> 16 & 1 else entry[0].decode()
        if vr == "SQ":
            return Attribute(tag, vr, keyword, list(self._items(row, explicit, big)) or None)
        raw = self._raw(row)
        if vr in ("OB", "UN") or tag == PIXEL_DATA:
            if big and vr == "OW":
                raw = np.frombuffer(_whole(raw, 2), ">u2").astype("<u2").tobytes()
            return Attribute(tag, vr, keyword, None, raw or None)
        if vr == "AT":
            words = np.frombuffer(_whole(raw, 4), ">u2" if big else "<u2").tolist()
            pairs = zip(words[::2], words[1::2], strict=True)
            return Attribute(tag, vr, keyword, [f"{g:04X}{e:04X}" for g, e in pairs] or None)
        if vr in _NUMBERS:
            return Attribute(tag, vr, keyword, _numbers(raw, _NUMBERS[vr], big) or None)
        values = _values(decode(without_padding(raw, vr), self._character_set, vr), vr)
        if tag == _CHARACTER_SET and values is not None and values[0] is None:
            values = values[1:] or None  # the default set goes without saying, as in Orthanc
        return Attribute(tag, vr, keyword, values)

    def _items(self, row: Row, explicit: bool, big: bool) -> Iterable[Dataset]:
        is_plain = explicit and row[1] == ord("U") << 8 | ord("N")  # PS3.5 6.2.2, note 2
        explicit, big = explicit and not is_plain, big and not is_plain
        for start, end in items(self._data, row[3], row[5], explicit, big):
            yield self.dataset(start, end, explicit, big)

    def _raw(self, row: Row) -> bytes:
        return bytes(self._data[row[3] : row[5]])


def _whole(raw: bytes, size: int) -> bytes:
    """As many whole items as there are; an odd length counts as completed by a zero byte."""
    raw += bytes(len(raw) % 2)
    return raw[: len(raw) - len(raw) % size]


def _numbers(raw: bytes, kind: str, big: bool) -> list[Value]:
    dtype = np.dtype(f"{'>' if big else '<'}{kind}")
    found: list[float] = np.frombuffer(_whole(raw, dtype.itemsize), dtype).tolist()
    return [int(x) if _is_integral(x) else x for x in found] if dtype.kind == "f" else [*found]


def _is_integral(number: Value) -> bool:
    return isinstance(number, float) and number.is_integer() and abs(number) <= _MAX_EXACT


def _values(text: str, vr: str) -> list[Value] | None:
    """The values of a text; what is no number in DS or IS is left out."""
    if not text:
        return None
    if vr in _SINGLE_VALUED:
        return [text]
    parts = text.split("\\")
    if vr == "PN":
        return [_person_name(part) for part in parts]
    if vr == "IS":
        stripped = [part.strip(" ") for part in parts]
        integers = [(x, integer(x)) for x in stripped]
        return [number for x, number in integers if not x or number is not None]
    if vr == "DS":
        stripped = [part.strip(" ").replace(",", ".").removesuffix(".") for part in parts]
        return [x or None for x in stripped if not x or _DECIMAL.fullmatch(x)]
    return [part or None for part in parts]


def _person_name(text: str) -> PersonName:
    return PersonName(*text.split("=")[:3]) if text else PersonName()
