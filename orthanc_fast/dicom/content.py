"""The cursor of `/instances/{id}/content/...`: lists of tags and items, raw values, blocks of
pixel data.

Source: reference chapter 2, section 3.
"""

from orthanc_fast._ext.scan import ScanError, elements, items
from orthanc_fast.dicom.dictionary import TEXT_VRS, Dictionary, creator_tag
from orthanc_fast.dicom.part10 import Buffer, DicomFile, open_dicom
from orthanc_fast.dicom.text import trimmed, without_padding
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.numerals import unsigned

PIXEL_DATA = 0x7FE00010

Row = tuple[int, int, int, int, int, int]  # tag, VR, start, value, length or -1, end

_SQ, _UN = (ord(a) << 8 | ord(b) for a, b in ("SQ", "UN"))
_WORDS = {"US": 2, "SS": 2, "OW": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4}
_WORDS |= {"FD": 8, "OD": 8, "OV": 8, "SV": 8, "UV": 8}


def content(
    data: Buffer | DicomFile, path: list[str], dictionary: Dictionary
) -> list[str] | bytes | None:
    """What lies at `path`: a list of tags or indexes, the bytes of a value, None for nothing. Who
    has opened the file already may give that, but for a deflated one.

    Raises UnknownDicomTag for a name that is no tag, BadFileFormat for a block that is no number.
    """
    try:
        file = open_dicom(data)
        return _Cursor(file, dictionary).follow(path)
    except ScanError as error:
        raise BadFileFormat(str(error)) from error


class _Cursor:
    def __init__(self, file: DicomFile, dictionary: Dictionary) -> None:
        self._data = file.data
        self._dictionary = dictionary
        self._explicit = file.explicit
        self._big = file.big
        self._start = file.start
        self._end = len(file.data)
        self._root = True

    def follow(self, path: list[str]) -> list[str] | bytes | None:
        for step in range(0, len(path), 2):
            tag = self._dictionary.parse(path[step])
            row = self._find(tag)
            index = path[step + 1] if step + 1 < len(path) else None
            if row is None:
                return None
            if tag == PIXEL_DATA and self._root:
                return self._pixel_data(row, path[step + 1 :])
            if not self._is_sequence(row):
                return self._leaf(row) if index is None else None
            ranges = self._items(row)
            if index is None:
                return [str(number) for number in range(len(ranges))]
            number = unsigned(index, len(ranges) - 1)
            if number is None:
                return None
            self._enter(row, ranges[number])
        found: dict[int, None] = dict.fromkeys(row[0] for row in self._rows())
        return [f"{tag >> 16:04x}-{tag & 0xFFFF:04x}" for tag in sorted(found)]

    def _rows(self) -> list[Row]:
        return elements(self._data, self._start, self._end, self._explicit, self._big)

    def _find(self, tag: int) -> Row | None:
        return next((row for row in self._rows() if row[0] == tag), None)

    def _is_sequence(self, row: Row) -> bool:
        tag, vr, _, _, length, _ = row
        if vr == _SQ or (length == -1 and tag != PIXEL_DATA):
            return True
        return not self._explicit and self._implicit_vr(tag) == "SQ"

    def _items(self, row: Row) -> list[tuple[int, int]]:
        explicit = self._explicit and row[1] != _UN
        return items(self._data, row[3], row[5], explicit, self._big and row[1] != _UN)

    def _enter(self, row: Row, item: tuple[int, int]) -> None:
        self._explicit = self._explicit and row[1] != _UN
        self._big = self._big and row[1] != _UN
        self._start, self._end = item
        self._root = False

    def _pixel_data(self, row: Row, rest: list[str]) -> list[str] | bytes | None:
        """Blocks: the native value as block 0, or the offset table and the fragments."""
        if row[4] == -1:
            blocks = items(self._data, row[3], row[5], True, self._big, True)
        else:
            blocks = [(row[3], row[5])]
        if not rest:
            return [str(number) for number in range(len(blocks))]
        if len(rest) > 1:
            return None
        number = unsigned(rest[0])
        if number is None:
            raise BadFileFormat("Invalid Block URI: not a number")
        if number >= len(blocks):
            return None
        begin, end = blocks[number]
        value = bytes(self._data[begin:end])
        return self._little_endian(value, self._vr_name(row)) if row[4] != -1 else value

    def _leaf(self, row: Row) -> bytes:
        raw = bytes(self._data[row[3] : row[5]])
        vr = self._vr_name(row)
        if vr in TEXT_VRS:
            padding = b"\0" if vr == "UI" else b" "
            text = trimmed(raw, vr)
            return text + padding if len(text) % 2 else text
        value = self._little_endian(raw, vr)
        return value + b"\0" if len(value) % 2 and vr != "OW" else value

    def _vr_name(self, row: Row) -> str:
        vr = row[1]
        if vr:
            return f"{vr >> 8:c}{vr & 255:c}"
        if row[0] == PIXEL_DATA:
            return "OW"
        return self._implicit_vr(row[0])

    def _implicit_vr(self, tag: int) -> str:
        reserved = creator_tag(tag)
        row = None if reserved is None else self._find(reserved)
        if row is None:
            return self._dictionary.vr(tag)
        creator = without_padding(bytes(self._data[row[3] : row[5]]), "LO")
        return self._dictionary.vr(tag, creator)

    def _little_endian(self, raw: bytes, vr: str) -> bytes:
        size = _WORDS.get(vr, 1)
        if not self._big or size == 1 or len(raw) % size:
            return raw
        swapped = bytearray(len(raw))
        for offset in range(size):
            swapped[offset::size] = raw[size - 1 - offset :: size]
        return bytes(swapped)
