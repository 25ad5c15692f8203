"""High-throughput JPEG 2000 by OpenJPH. Source: DICOM PS3.5 8.2.17."""

import imagecodecs
import numpy as np

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.cells import stored_values
from orthanc_fast.imaging.codecs.contract import Buffer, check_expansion
from orthanc_fast.imaging.codecs.headers import jpeg_2000_header
from orthanc_fast.imaging.codecs.jpeg_2000 import MAX_EXPANSION, RGB_FROM
from orthanc_fast.imaging.info import ImageInfo

__all__ = ["RGB_FROM", "decode"]


def decode(frame: Buffer, info: ImageInfo, out: np.ndarray | None = None) -> np.ndarray:
    """See `contract.Codec`."""
    codestream = bytes(frame)
    header = jpeg_2000_header(codestream)
    header.check(info)
    check_expansion(frame, info, MAX_EXPANSION)
    try:
        numbers = imagecodecs.htj2k_decode(codestream)
    except RuntimeError as error:
        raise BadFileFormat(f"damaged HTJ2K codestream: {error}") from error
    return stored_values(numbers, header.precision, info, out)
