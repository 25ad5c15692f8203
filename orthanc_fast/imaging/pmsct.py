"""PMSCT_RLE1, the private compression of Philips, which counts as uncompressed pixel data.

Source: reference chapter 2, section 4.
"""

import msgspec
import numpy as np

from orthanc_fast._ext.rle import RleError, decode_pmsct
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.codecs.contract import Buffer
from orthanc_fast.imaging.info import ImageInfo
from orthanc_fast.model import PixelLayout

MAX_EXPANSION = 171  # three bytes are a run of 256 differences, each of which is two bytes


def expand(file: Buffer, layout: PixelLayout, info: ImageInfo) -> tuple[bytes, PixelLayout]:
    """The native pixel data, and the layout by which they are found in these bytes. Raises
    BadFileFormat for data that do not make the image."""
    start, length = layout.value_offset, layout.value_length or 0
    size = info.number_of_frames * info.frame_bits // 8
    if size > MAX_EXPANSION * length or size % 2:
        raise BadFileFormat(f"{length} bytes of PMSCT_RLE1 cannot make {size} bytes of pixels")
    pixels = np.empty(size, np.uint8)
    try:
        decode_pmsct(memoryview(file)[start : start + length], pixels)
    except RleError as error:
        raise BadFileFormat(f"damaged PMSCT_RLE1: {error}") from error
    return pixels.tobytes(), msgspec.structs.replace(layout, value_offset=0, value_length=size)
