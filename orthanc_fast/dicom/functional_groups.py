"""What the functional groups of one frame say about showing it (PS3.3 C.7.6.16).

Only the groups of single frames are read, as Orthanc does: reference chapter 2, section 5.5. All of
them are read by `display_attributes`.
"""

import msgspec

from orthanc_fast._ext.scan import ScanError
from orthanc_fast.dicom.part10 import Buffer, DicomFile
from orthanc_fast.dicom.scope import Scope, root

PER_FRAME_FUNCTIONAL_GROUPS = 0x52009230
SHARED_FUNCTIONAL_GROUPS = 0x52009229
FRAME_VOI_LUT = 0x00289132
PIXEL_VALUE_TRANSFORMATION = 0x00289145
WINDOW_CENTER, WINDOW_WIDTH = 0x00281050, 0x00281051
RESCALE_INTERCEPT, RESCALE_SLOPE = 0x00281052, 0x00281053
_WINDOW = frozenset({WINDOW_CENTER, WINDOW_WIDTH})
_RESCALE = frozenset({RESCALE_INTERCEPT, RESCALE_SLOPE})


class FrameValues(msgspec.Struct, frozen=True, gc=False):
    """The texts of one frame; None where its groups do not have them."""

    window_center: str | None = None
    window_width: str | None = None
    rescale_intercept: str | None = None
    rescale_slope: str | None = None


def frame_values(data: Buffer | DicomFile, index: int) -> FrameValues:
    """Those of frame `index` of a DICOM file, of which the part before the pixel data is enough.

    Empty for a file without such groups, and for one that cannot be read.
    """
    try:
        group = root(data).item(PER_FRAME_FUNCTIONAL_GROUPS, index)
        if group is None:
            return FrameValues()
        window = _texts(group, FRAME_VOI_LUT, _WINDOW)
        rescale = _texts(group, PIXEL_VALUE_TRANSFORMATION, _RESCALE)
    except ScanError:
        return FrameValues()
    return FrameValues(
        window.get(WINDOW_CENTER),
        window.get(WINDOW_WIDTH),
        rescale.get(RESCALE_INTERCEPT),
        rescale.get(RESCALE_SLOPE),
    )


def _texts(group: Scope, tag: int, wanted: frozenset[int]) -> dict[int, str]:
    item = group.item(tag)
    return {} if item is None else item.texts(wanted)
