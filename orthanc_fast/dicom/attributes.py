"""A data set as attributes with typed values, as the DICOM JSON and XML models have them (PS3.18
annex F, PS3.19 annex A). Source: reference chapter 2, section 1.12; chapter 5, section 12.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

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
_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, PIXEL_DATA})
_UN: Final = ord("U") << 8 | ord("N")
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
_OTHER: Final = frozenset({"OW", "OF", "OD", "OL", "OV"})

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)

_MAX_EXACT = float(1 << 53)  # integers up to here are exact in a double

OtherBinary = Literal["BulkDataURI", "InlineBinary", "ArrayOfValues"]
"""How metadata show OB, OW, OF, OD, OL and OV: by an address, as Base64, or as numbers (OB as
Base64). UN and pixel data always have an address."""

Row = tuple[int, int, int, int, int, int]  # tag, VR, start, value, length or -1, end


class PersonName(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The component groups of a name that are there."""

    Alphabetic: str | None = None
    Ideographic: str | None = None
    Phonetic: str | None = None


class Attribute(NamedTuple):
    """`values` hold str, int, float (also not finite), PersonName, data sets (of SQ), and None for
    an empty one among several; None where there is no value. Of OB, UN and PixelData the bytes are
    in `binary` instead, in little endian, or their address is in `uri`. `keyword` is None for
    private and unknown attributes; `creator` is that of private ones, for metadata only."""

    tag: int
    vr: str
    keyword: str | None
    values: "list[Value] | None"
    binary: bytes | None = None
    uri: str | None = None
    creator: str | None = None


Dataset = list[Attribute]
Value = str | int | float | PersonName | Dataset | None


class BulkData(NamedTuple):
    """How metadata show what is no text: `prefix` stands before the path in addresses."""

    mode: OtherBinary
    prefix: str


def read_attributes(
    data: Buffer, dictionary: Dictionary, default_character_set: str, bulk: BulkData | None = None
) -> Dataset:
    """The data set of a DICOM file in the order of its tags, without group lengths.

    Without `bulk`, values are in the data set itself, but for encapsulated pixel data, for which
    the models have no place; with it, all are as metadata show them, up to the pixel data. Raises
    BadFileFormat.
    """
    try:
        file = open_dicom(data)
        character_set = character_set_in(file, default_character_set)
        reader = _Reader(file.data, dictionary, character_set, bulk)
        end = len(file.data)
        return reader.dataset(file.start, end, file.explicit, file.big)
    except ScanError as error:
        raise BadFileFormat(str(error)) from error


def vr_of(
    dictionary: Dictionary, tag: int, code: int, creator: bytes | None, explicit: bool, signed: bool
) -> str:
    """The VR of a value with a length: that of the file; where it has none, or UN, or one that
    nobody knows, that of the dictionary. What is hidden in UN counts as a text only. `signed`:
    PixelRepresentation is 1."""
    entry = dictionary.entry(tag, creator)
    known = dictionary.vr(tag) if entry is None else entry[1].decode()
    if not explicit:
        # "US or SS" counts as US; LUT data, overlays and pixel data as OW (PS3.5 annex A.1).
        vr = "OW" if "OW" in known else known[:2]
        if signed and vr == "US" and tag in dictionary.signed:
            vr = "SS"
    else:
        vr = f"{code >> 8:c}{code & 255:c}"
        if vr not in VRS or vr == "UN":
            vr = known if known in TEXT_VRS else "UN"
    return vr if vr in VRS else "UN"


def metadata_vr_of(
    dictionary: Dictionary, tag: int, code: int, creator: bytes | None, explicit: bool, signed: bool
) -> str:
    """As `vr_of` in metadata of DICOMweb, where private elements are what the file says."""
    if creator_tag(tag) is not None and (not explicit or code == _UN):
        return "UN"
    return vr_of(dictionary, tag, code, creator, explicit, signed)


def text_values(tag: int, vr: str, raw: bytes, character_set: CharacterSet) -> "list[Value] | None":
    """The values of a text; what is no number in DS or IS is left out. None where there is no
    value."""
    values = values_of_text(decode(without_padding(raw, vr), character_set, vr), vr)
    if tag == _CHARACTER_SET and values is not None and values[0] is None:
        values = values[1:] or None  # the default set goes without saying, as in Orthanc
    return values


def little_endian(raw: bytes, vr: str, big: bool) -> bytes:
    """Bytes of a binary VR in little endian."""
    if not big or vr not in _NUMBERS:
        return raw
    kind = np.dtype(f">{_NUMBERS[vr]}")
    return np.frombuffer(_whole(raw, kind.itemsize), kind).astype(kind.newbyteorder("<")).tobytes()


class _Reader:
    def __init__(
        self,
        data: Buffer,
        dictionary: Dictionary,
        character_set: CharacterSet,
        bulk: BulkData | None,
    ) -> None:
        self._data = data
        self._dictionary = dictionary
        self._character_set = character_set
        self._bulk = bulk

    def dataset(self, start: int, end: int, explicit: bool, big: bool, path: str = "") -> Dataset:
        rows: dict[int, Row] = {}
        for row in elements(self._data, start, end, explicit, big):
            rows.setdefault(row[0], row)  # of elements with the same tag the first counts
            if self._bulk is not None and row[0] == PIXEL_DATA and not path:
                break
        found = []
        signed = self._pixels_are_signed(rows.get(_PIXEL_REPRESENTATION), big)
        for tag in sorted(rows):
            row = rows[tag]
            is_encapsulated = tag == PIXEL_DATA and row[4] == -1
            if is_encapsulated and self._bulk is not None:
                keyword = self._dictionary.name(tag)
                uri = f"{self._bulk.prefix}{path}{tag:08x}"
                found.append(Attribute(tag, "OB", keyword, None, None, uri))
            elif tag & 0xFFFF and not is_encapsulated:
                found.append(self._attribute(row, rows, explicit, big, signed, path))
        return found

    def _pixels_are_signed(self, row: Row | None, big: bool) -> bool:
        raw = b"" if row is None else self._raw(row)
        return _numbers(raw[:2], "u2", big) == [1]

    def _creator(self, tag: int, rows: dict[int, Row]) -> bytes | None:
        reserved = creator_tag(tag)
        row = None if reserved is None else rows.get(reserved)
        return None if row is None else without_padding(self._raw(row), "LO")

    def _attribute(
        self,
        row: Row,
        rows: dict[int, Row],
        explicit: bool,
        big: bool,
        signed: bool,
        path: str,
    ) -> Attribute:
        tag, code, _, _, length, _ = row
        creator = self._creator(tag, rows)
        entry = self._dictionary.entry(tag, creator)
        vr = "SQ"
        if length != -1:
            judge = vr_of if self._bulk is None else metadata_vr_of
            vr = judge(self._dictionary, tag, code, creator, explicit, signed)
        keyword = None if entry is None or tag >> 16 & 1 else entry[0].decode()
        if keyword is not None and self._bulk is not None:
            keyword = keyword.removeprefix("RETIRED_")
        name = None
        if creator is not None and self._bulk is not None:
            name = decode(creator, self._character_set, "LO")
        made = Attribute(tag, vr, keyword, None, creator=name)
        if vr == "SQ":
            items: list[Value] | None = (
                list(self._items(row, explicit, big, f"{path}{tag:08x}/")) or None
            )
            return made._replace(values=items)
        raw = self._raw(row)
        if self._bulk is not None and raw:
            if self._has_address(tag, vr):
                return made._replace(uri=f"{self._bulk.prefix}{path}{tag:08x}")
            if vr == "OB" or (vr in _OTHER and self._bulk.mode == "InlineBinary"):
                return made._replace(binary=little_endian(raw, vr, big))
        if vr in ("OB", "UN") or tag == PIXEL_DATA:
            return made._replace(binary=little_endian(raw, vr, big) or None)
        return made._replace(values=self._values(tag, vr, raw, big))

    def _has_address(self, tag: int, vr: str) -> bool:
        if vr == "UN" or tag == PIXEL_DATA:
            return True
        assert self._bulk is not None
        is_other = vr == "OB" or vr in _OTHER
        return is_other and (self._bulk.mode == "BulkDataURI" or tag in _PIXELS)

    def _values(self, tag: int, vr: str, raw: bytes, big: bool) -> list[Value] | None:
        if vr == "AT":
            words = np.frombuffer(_whole(raw, 4), ">u2" if big else "<u2").tolist()
            pairs = zip(words[::2], words[1::2], strict=True)
            return [f"{g:04X}{e:04X}" for g, e in pairs] or None
        if vr in _NUMBERS:
            return _numbers(raw, _NUMBERS[vr], big) or None
        return text_values(tag, vr, raw, self._character_set)

    def _items(self, row: Row, explicit: bool, big: bool, path: str) -> Iterable[Dataset]:
        is_plain = explicit and row[1] == _UN  # PS3.5 6.2.2, note 2
        explicit, big = explicit and not is_plain, big and not is_plain
        found = items(self._data, row[3], row[5], explicit, big)
        for number, (start, end) in enumerate(found, start=1):
            yield self.dataset(start, end, explicit, big, f"{path}{number}/")

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


def values_of_text(text: str, vr: str) -> list[Value] | None:
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
