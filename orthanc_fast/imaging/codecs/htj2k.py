"""High-throughput JPEG 2000. Source: DICOM PS3.5 8.2.17.

Decoded by OpenJPEG like all JPEG 2000. OpenJPH is faster, but in its wheel it runs into an endless
loop on a few damaged codestreams and gives pixels without an error for others. It encodes.
"""

import math
import struct
from typing import Any

import imagecodecs
import numpy as np

from orthanc_fast.errors import NotImplementedYet
from orthanc_fast.imaging.codecs.contract import Parameters
from orthanc_fast.imaging.codecs.jpeg_2000 import (
    MAX_EXPANSION,
    RGB_FROM,
    allowed_error,
    decode,
    describe,
)

__all__ = ["MAX_EXPANSION", "RGB_FROM", "decode", "describe", "encode"]

_CSIZ = 40  # offset of the number of components; their precision follows
_SMALLEST = 64  # pixels: no resolution needs to be smaller
_LEVELS = 5


def encode(pixels: np.ndarray, parameters: Parameters) -> bytes:
    """Like JPEG 2000, in the order resolution, position, component, layer (RPCL) with tile-part
    lengths (TLM), which serves all three transfer syntaxes.

    The encoder knows types only, not bits: a smaller precision is entered afterwards, which is
    sound because unsigned values have been made signed, and so no level shift depends on it.
    """
    bits = parameters.bits
    is_signed = pixels.dtype.kind == "i"
    width = 8 * pixels.itemsize
    work = pixels if is_signed else _centred(pixels, bits)
    loss: dict[str, Any] = {"reversible": True}
    if parameters.quality is not None:
        # Steps are relative to the full scale, so values have to fill the type.
        work = work << (width - bits)
        step = allowed_error(parameters.quality) * math.sqrt(12) / (1 << bits)
        loss = {"reversible": False, "level": step}
    is_planar = pixels.ndim == 3 and not parameters.is_transformed
    longest = max(pixels.shape[:2])
    levels = max(_LEVELS, math.ceil(math.log2(max(longest / _SMALLEST, 1))))
    if is_planar:
        work = np.ascontiguousarray(np.moveaxis(work, 2, 0))
    try:
        codestream = imagecodecs.htj2k_encode(
            work,
            rgb=pixels.ndim == 3 and parameters.is_transformed,
            planar=is_planar,
            resolutions=levels,
            tlm=True,
            **loss,
        )
    except RuntimeError as error:
        raise NotImplementedYet(f"HTJ2K cannot hold the image: {error}") from error
    return _with_precision(codestream, bits, is_signed)


def _centred(values: np.ndarray, bits: int) -> np.ndarray:
    """v - 2**(bits - 1), signed: what the level shift of the decoder undoes."""
    half = values.dtype.type(1 << (bits - 1))
    centred: np.ndarray = (values - half).view(f"i{values.itemsize}")
    return centred


def _with_precision(codestream: bytes | bytearray, bits: int, is_signed: bool) -> bytes:
    out = bytearray(codestream)
    (components,) = struct.unpack_from(">H", out, _CSIZ)
    for number in range(components):
        out[_CSIZ + 2 + 3 * number] = bits - 1 | (0x80 if is_signed else 0)
    return bytes(out)
