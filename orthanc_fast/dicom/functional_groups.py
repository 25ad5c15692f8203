"""What the functional groups of one frame say about showing it (PS3.3 C.7.6.16).

Only the groups of single frames are read, as Orthanc does: reference chapter 2, section 5.5.
"""

import msgspec

from orthanc_fast._ext.scan import ScanError, elements, items
from orthanc_fast.dicom.encoding import Buffer, open_encoding

_PER_FRAME_FUNCTIONAL_GROUPS = 0x52009230
_FRAME_VOI_LUT = 0x00289132
_PIXEL_VALUE_TRANSFORMATION = 0x00289145
_WINDOW_CENTER, _WINDOW_WIDTH = 0x00281050, 0x00281051
_RESCALE_INTERCEPT, _RESCALE_SLOPE = 0x00281052, 0x00281053

_UN = ord("U") << 8 | ord("N")


class FrameValues(msgspec.Struct, frozen=True, gc=False):
    """The texts of one frame; None where its groups do not have them."""

    window_center: str | None = None
    window_width: str | None = None
    rescale_intercept: str | None = None
    rescale_slope: str | None = None


class _Range(msgspec.Struct, frozen=True, gc=False):
    """A data set, the root or an item, inside the file, and how it is encoded."""

    start: int
    end: int
    explicit: bool
    big: bool


def frame_values(data: Buffer, index: int) -> FrameValues:
    """Those of frame `index` of a DICOM file, of which the part before the pixel data is enough.

    Empty for a file without such groups, and for one that cannot be read.
    """
    try:
        encoding = open_encoding(data)
        source = encoding.data
        root = _Range(encoding.start, len(source), encoding.explicit, encoding.big)
        group = _item(source, root, _PER_FRAME_FUNCTIONAL_GROUPS, index)
        if group is None:
            return FrameValues()
        window = _texts(source, _item(source, group, _FRAME_VOI_LUT, 0))
        rescale = _texts(source, _item(source, group, _PIXEL_VALUE_TRANSFORMATION, 0))
    except ScanError:
        return FrameValues()
    return FrameValues(
        window.get(_WINDOW_CENTER),
        window.get(_WINDOW_WIDTH),
        rescale.get(_RESCALE_INTERCEPT),
        rescale.get(_RESCALE_SLOPE),
    )


def _item(data: Buffer, dataset: _Range, tag: int, index: int) -> _Range | None:
    """Item `index` of a sequence, or None."""
    rows = elements(data, dataset.start, dataset.end, dataset.explicit, dataset.big)
    row = next((row for row in rows if row[0] == tag), None)
    if row is None:
        return None
    # A sequence that was written as UN is implicit and little endian inside (PS3.5 6.2.2).
    explicit, big = (False, False) if row[1] == _UN else (dataset.explicit, dataset.big)
    found = items(data, row[3], row[5], explicit, big)
    return _Range(*found[index], explicit, big) if 0 <= index < len(found) else None


def _texts(data: Buffer, dataset: _Range | None) -> dict[int, str]:
    if dataset is None:
        return {}
    rows = elements(data, dataset.start, dataset.end, dataset.explicit, dataset.big)
    return {row[0]: bytes(data[row[3] : row[5]]).decode("latin-1").strip(" \0") for row in rows}
