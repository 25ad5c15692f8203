"""How many frames an image may have: what its header announces is compared with the data that are
there, before it decides about memory or time.

Source: DICOM PS3.5 section 8.1.1 (cells), Annex A.4 (each fragment has a header of 8 bytes).
"""

from orthanc_fast.imaging import pmsct
from orthanc_fast.imaging.info import ImageInfo
from orthanc_fast.model import PixelLayout

SMALLEST_FRAGMENT = 8  # bytes: its header
_NATIVE = (0x7FE00008, 0x7FE00009, 0x7FE00010)


def room_for_frames(layout: PixelLayout, info: ImageInfo, file_bytes: int) -> int:
    """The greatest number of frames that the pixel data can hold: of native ones those that are
    there, of compressed ones as many as there could be fragments in `file_bytes`."""
    if layout.value_length is None:
        return file_bytes // SMALLEST_FRAGMENT
    expansion = 1 if layout.element in _NATIVE else pmsct.MAX_EXPANSION
    return 8 * expansion * layout.value_length // max(info.frame_bits, 1)
