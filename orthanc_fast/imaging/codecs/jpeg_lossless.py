"""JPEG lossless: 2 to 16 bits, all selection values."""

import numpy as np

from orthanc_fast.imaging.codecs.contract import Parameters
from orthanc_fast.imaging.codecs.jpeg_family import (
    MAX_EXPANSION,
    RGB_FROM,
    decode,
    describe,
    encoded,
)
from orthanc_fast.transfer_syntaxes import JPEG_LOSSLESS

__all__ = ["MAX_EXPANSION", "RGB_FROM", "decode", "describe", "encode"]


def encode(pixels: np.ndarray, parameters: Parameters) -> bytes:
    """Whole cells of 8 or 16 bits, all of which the codestream keeps."""
    # Whatever the three samples are, as "RGB" they are left alone.
    space = None if pixels.ndim == 2 else "RGB"
    return encoded(
        pixels,
        lossless=True,
        predictor=6 if parameters.uid == JPEG_LOSSLESS else 1,
        bitspersample=8 * pixels.itemsize,
        colorspace=space,
        outcolorspace=space,
        subsampling="444",
    )
