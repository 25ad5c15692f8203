"""JPEG 2000 by OpenJPEG. Source: DICOM PS3.5 8.2.4."""

import imagecodecs
import numpy as np

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.cells import stored_values
from orthanc_fast.imaging.codecs.contract import Buffer, check_expansion
from orthanc_fast.imaging.codecs.headers import jpeg_2000_header
from orthanc_fast.imaging.info import ImageInfo

# The decoder undoes both transformations.
RGB_FROM = frozenset({"YBR_ICT", "YBR_RCT"})

_MAX_EXPANSION = 1 << 14  # an empty tile takes few bytes


def decode(frame: Buffer, info: ImageInfo, out: np.ndarray | None = None) -> np.ndarray:
    """See `contract.Codec`."""
    codestream = bytes(frame)
    header = jpeg_2000_header(codestream)
    header.check(info)
    check_expansion(frame, info, _MAX_EXPANSION)
    try:
        numbers = imagecodecs.jpeg2k_decode(codestream)
    except RuntimeError as error:
        raise BadFileFormat(f"damaged JPEG 2000 codestream: {error}") from error
    return stored_values(numbers, header.precision, info, out)
