"""JPEG-LS, lossless and near-lossless, by CharLS. Source: DICOM PS3.5 8.2.3."""

import imagecodecs
import numpy as np

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.cells import stored_values
from orthanc_fast.imaging.codecs import native
from orthanc_fast.imaging.codecs.contract import Buffer, check_expansion
from orthanc_fast.imaging.codecs.headers import SOF_LS, jpeg_header, require_end
from orthanc_fast.imaging.info import ImageInfo

RGB_FROM = native.RGB_FROM

MAX_EXPANSION = 1 << 14  # an empty row takes few bits


describe = jpeg_header


def decode(frame: Buffer, info: ImageInfo, out: np.ndarray | None = None) -> np.ndarray:
    """See `contract.Codec`."""
    codestream = bytes(frame)
    header = jpeg_header(codestream)
    if header.kind != SOF_LS:
        raise BadFileFormat("the frame is no JPEG-LS codestream")
    require_end(codestream)
    header.check(info)
    check_expansion(frame, info, MAX_EXPANSION)
    try:
        numbers = imagecodecs.jpegls_decode(codestream)
    except RuntimeError as error:
        raise BadFileFormat(f"damaged JPEG-LS codestream: {error}") from error
    return stored_values(numbers, header.precision, info, out)
