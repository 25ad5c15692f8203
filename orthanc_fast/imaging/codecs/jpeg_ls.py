"""JPEG-LS, lossless and near-lossless, by CharLS. Source: DICOM PS3.5 8.2.3."""

import imagecodecs
import numpy as np

from orthanc_fast.errors import BadFileFormat, NotImplementedYet
from orthanc_fast.imaging.cells import stored_values
from orthanc_fast.imaging.codecs import native
from orthanc_fast.imaging.codecs.contract import Buffer, Parameters, check_expansion
from orthanc_fast.imaging.codecs.headers import SOF_LS, jpeg_header, require_end
from orthanc_fast.imaging.info import ImageInfo

RGB_FROM = native.RGB_FROM

NEAR = 2  # of near-lossless, as in Orthanc: no stored value changes by more

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


def encode(pixels: np.ndarray, parameters: Parameters) -> bytes:
    """Whole cells of 8 or 16 bits; of a lossy syntax none changes by more than `NEAR`, whatever
    the quality."""
    try:
        return bytes(imagecodecs.jpegls_encode(pixels, 0 if parameters.quality is None else NEAR))
    except RuntimeError as error:
        raise NotImplementedYet(f"JPEG-LS cannot hold the image: {error}") from error
