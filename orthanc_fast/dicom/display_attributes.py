"""Everything that a file says about showing one of its frames: rescale, windows, lookup tables.

Source: PS3.3 C.11.1, C.11.2, and the functional groups of C.7.6.16.2.9 and C.7.6.16.2.10; what
belongs to one frame wins over what all frames share, and both over the root of the data set.
"""

from typing import Literal

import msgspec

from orthanc_fast._ext.scan import ScanError
from orthanc_fast.dicom.functional_groups import (
    FRAME_VOI_LUT,
    PER_FRAME_FUNCTIONAL_GROUPS,
    PIXEL_VALUE_TRANSFORMATION,
    RESCALE_INTERCEPT,
    RESCALE_SLOPE,
    SHARED_FUNCTIONAL_GROUPS,
    WINDOW_CENTER,
    WINDOW_WIDTH,
)
from orthanc_fast.dicom.part10 import Buffer, DicomFile
from orthanc_fast.dicom.scope import Scope, root
from orthanc_fast.dicom.text import ascii_text

_MODALITY_LUT = 0x00283000
_VOI_LUT = 0x00283010
_VOI_LUT_FUNCTION = 0x00281056
_LUT_DESCRIPTOR = 0x00283002
_LUT_DATA = 0x00283006
_PIXEL_REPRESENTATION = 0x00280103
_MAX_ENTRIES = 1 << 16

_TEXTS = {
    WINDOW_CENTER: "window_center",
    WINDOW_WIDTH: "window_width",
    _VOI_LUT_FUNCTION: "window_function",
    RESCALE_INTERCEPT: "rescale_intercept",
    RESCALE_SLOPE: "rescale_slope",
}
_WANTED = frozenset({*_TEXTS, _MODALITY_LUT, _VOI_LUT})
_LUT = frozenset({_LUT_DESCRIPTOR, _LUT_DATA})


class LutValues(msgspec.Struct, frozen=True, gc=False):
    """A lookup table as the file has it: its entries, the value that the first one is for, and the
    bits of an entry."""

    entries: list[int]
    first: int
    bits: int


class DisplayAttributes(msgspec.Struct, gc=False):
    """The texts and tables that hold for one frame; None where the file does not have them."""

    window_center: str | None = None
    window_width: str | None = None
    window_function: str | None = None
    rescale_intercept: str | None = None
    rescale_slope: str | None = None
    modality_lut: LutValues | None = None
    voi_lut: LutValues | None = None


def display_attributes(data: Buffer | DicomFile, index: int) -> DisplayAttributes:
    """Those of frame `index` of a DICOM file, of which the part before the pixel data is enough.
    Empty for a file that cannot be read."""
    found = DisplayAttributes()
    try:
        dataset = root(data)
        sign = dataset.values(frozenset({_PIXEL_REPRESENTATION}))
        signed = sign.get(_PIXEL_REPRESENTATION) in (b"\1\0", b"\0\1")
        _read(found, dataset, signed)
        for groups, number in ((SHARED_FUNCTIONAL_GROUPS, 0), (PER_FRAME_FUNCTIONAL_GROUPS, index)):
            group = dataset.item(groups, number)
            for tag in (FRAME_VOI_LUT, PIXEL_VALUE_TRANSFORMATION):
                item = None if group is None else group.item(tag)
                if item is not None:
                    _read(found, item, signed)
    except ScanError:
        return DisplayAttributes()
    return found


def _read(found: DisplayAttributes, scope: Scope, signed: bool) -> None:
    """Takes over what this data set has."""
    values = scope.values(_WANTED)
    for tag, name in _TEXTS.items():
        if tag in values:
            setattr(found, name, ascii_text(values[tag], "DS"))
    if _MODALITY_LUT in values:
        found.modality_lut = _lut(scope.item(_MODALITY_LUT), signed)
    if _VOI_LUT in values:
        # Its input is signed if the rescaled values can be: PS3.3 C.11.2.1.1.
        found.voi_lut = _lut(scope.item(_VOI_LUT), signed or _goes_below_zero(found))


def _goes_below_zero(found: DisplayAttributes) -> bool:
    return (found.rescale_intercept or "").lstrip().startswith("-")


def _lut(item: Scope | None, signed: bool) -> LutValues | None:
    """None for a table that is not complete."""
    if item is None:
        return None
    values = item.values(_LUT)
    order: Literal["big", "little"] = "big" if item.big else "little"
    words = values.get(_LUT_DESCRIPTOR, b"")
    if len(words) < 6 or _LUT_DATA not in values:
        return None
    count, first, bits = (int.from_bytes(words[at : at + 2], order) for at in (0, 2, 4))
    count = count or _MAX_ENTRIES
    if signed and first >= 1 << 15:
        first -= 1 << 16
    raw = values[_LUT_DATA]
    size = 1 if bits <= 8 and len(raw) < 2 * count else 2  # two entries per word, or one
    if not 1 <= bits <= 16 or len(raw) < size * count:
        return None
    if size == 1:
        return LutValues(list(raw[:count]), first, bits)
    entries = [int.from_bytes(raw[at : at + 2], order) for at in range(0, 2 * count, 2)]
    return LutValues(entries, first, bits)
