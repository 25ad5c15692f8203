"""Where the pixel data of a file lie, for files whose layout the index does not know, and for the
one private compression that counts as pixel data.

Source: reference chapter 2, section 4 (Philips PMSCT_RLE1).
"""

from collections.abc import Callable

from orthanc_fast._ext.scan import ScanError, elements
from orthanc_fast._ext.tagjson import value_text
from orthanc_fast.dicom.part10 import Buffer, DicomFile, open_dicom
from orthanc_fast.dicom.text import without_padding
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.model import PixelLayout
from orthanc_fast.numerals import BLANKS, integer

PIXEL_ELEMENTS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
PMSCT_COMPRESSION, PMSCT_DATA = 0x07A11011, 0x07A1100A

_US, _UN = (ord(a) << 8 | ord(b) for a, b in ("US", "UN"))

Pixel = tuple[int, int, int, int, int]  # tag, start, value offset, length or -1, VR as number


def build_layout(
    pixel: Pixel,
    number: Callable[[int], int | None],
    text: Callable[[int], str | None],
) -> PixelLayout:
    """The layout of one file. The functions give the first value of an element as an integer, and
    all of it as text, None where it is absent."""
    element, start, offset, length, vr = pixel
    return PixelLayout(
        element_offset=start,
        value_offset=offset,
        value_length=None if length < 0 else length,
        vr=f"{vr >> 8:c}{vr & 255:c}" if vr else "OW",
        element=element,
        rows=number(0x00280010),
        columns=number(0x00280011),
        samples_per_pixel=number(0x00280002),
        bits_allocated=number(0x00280100),
        bits_stored=number(0x00280101),
        high_bit=number(0x00280102),
        pixel_representation=number(0x00280103),
        planar_configuration=number(0x00280006),
        photometric_interpretation=text(0x00280004),
        number_of_frames=text(0x00280008),
        rescale_slope=text(0x00281053),
        rescale_intercept=text(0x00281052),
        window_center=text(0x00281050),
        window_width=text(0x00281051),
        image_position=text(0x00200032),
        image_orientation=text(0x00200037),
        instance_number=text(0x00200013),
    )


def image_number(vr: int, raw: bytes, big: bool) -> int | None:
    """The first value of an attribute that is a US by the standard, whatever VR the file gives it;
    None where it is no integer. What is written as UN (or in implicit VR, without a VR) is read as
    a US; UN is little endian everywhere (PS3.5 section 6.2.2)."""
    if vr in (0, _UN):
        text = value_text(raw, _US, big and vr == 0)
    else:
        text = value_text(raw, vr, big)
        if text is None:
            text = without_padding(raw, "IS").decode("latin-1")
    return first_integer(text or "")


def first_integer(text: str) -> int | None:
    """The first of the values that a text holds, None where it is no integer."""
    return integer(text.split("\\")[0].strip(BLANKS))


def find_layout(data: Buffer | DicomFile) -> PixelLayout | None:
    """The layout of a whole DICOM file (of a deflated one: inside its inflated form), None where
    there are no pixel data. Raises BadFileFormat for what is no DICOM file."""
    try:
        file = open_dicom(data)
        rows = elements(file.data, file.start, len(file.data), file.explicit, file.big)
    except ScanError as error:
        raise BadFileFormat(str(error)) from error
    by_tag = {row[0]: row for row in reversed(rows)}
    pixel = next((by_tag[tag] for tag in PIXEL_ELEMENTS if tag in by_tag), None)
    if pixel is None and _is_pmsct(file, by_tag):
        pixel = by_tag[PMSCT_DATA]
    if pixel is None:
        return None
    values = _Values(file, by_tag)
    tag, vr, start, offset, length, _ = pixel
    return build_layout((tag, start, offset, length, vr), values.number, values.text)


def raw_values(head: Buffer | DicomFile, tags: frozenset[int]) -> tuple[dict[int, bytes], bool]:
    """The raw values of some root elements of a file that may be cut off behind any element, and
    whether they are big endian. Raises BadFileFormat."""
    try:
        file = open_dicom(head)
        data = file.data
        rows = elements(data, file.start, len(data), file.explicit, file.big)
    except ScanError as error:
        raise BadFileFormat(str(error)) from error
    found = {row[0]: bytes(data[row[3] : row[5]]) for row in rows if row[0] in tags}
    return found, file.big


def _is_pmsct(file: DicomFile, by_tag: dict[int, tuple[int, int, int, int, int, int]]) -> bool:
    compression, data = by_tag.get(PMSCT_COMPRESSION), by_tag.get(PMSCT_DATA)
    if compression is None or data is None or data[4] <= 0:
        return False
    name = bytes(file.data[compression[3] : compression[5]])
    return without_padding(name, "CS") == b"PMSCT_RLE1"


class _Values:
    """Elements of the image module: numbers and ASCII texts."""

    def __init__(
        self, file: DicomFile, by_tag: dict[int, tuple[int, int, int, int, int, int]]
    ) -> None:
        self._file = file
        self._by_tag = by_tag

    def number(self, tag: int) -> int | None:
        row = self._by_tag.get(tag)
        if row is None:
            return None
        raw = bytes(self._file.data[row[3] : row[5]])
        return image_number(row[1], raw, self._file.big)

    def text(self, tag: int) -> str | None:
        row = self._by_tag.get(tag)
        if row is None:
            return None
        raw = bytes(self._file.data[row[3] : row[5]])
        return without_padding(raw, "LO").decode("latin-1")
