"""JPEG baseline and extended: 8 and 12 bits, lossy, sequential or progressive."""

import numpy as np

from orthanc_fast.imaging.codecs.contract import Parameters
from orthanc_fast.imaging.codecs.jpeg_family import (
    MAX_EXPANSION,
    RGB_FROM,
    decode,
    describe,
    encoded,
)
from orthanc_fast.transfer_syntaxes import JPEG_EXTENDED

__all__ = ["MAX_EXPANSION", "RGB_FROM", "decode", "describe", "encode"]

_SOF_BASELINE, _SOF_EXTENDED = b"\xff\xc0", b"\xff\xc1"


def encode(pixels: np.ndarray, parameters: Parameters) -> bytes:
    """Unsigned stored values of 8 or 12 bits; RGB becomes YCbCr with half the chroma."""
    assert parameters.quality is not None
    codestream = encoded(
        pixels,
        level=min(max(parameters.quality, 1), 100),
        bitspersample=parameters.bits,
        subsampling=None if pixels.ndim == 2 else "422",
    )
    if parameters.uid == JPEG_EXTENDED and parameters.bits == 8:
        return codestream.replace(_SOF_BASELINE, _SOF_EXTENDED, 1)
    return codestream
