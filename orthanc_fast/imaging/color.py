"""Colour: YBR becomes RGB. Sources: DICOM PS3.3 C.7.6.3.1.2; reference chapter 2, section 5.4."""

import numpy as np

from orthanc_fast._ext import color
from orthanc_fast.errors import NotImplementedYet
from orthanc_fast.imaging.cells import raw_bytes


def rgb_from_ybr(
    pixels: np.ndarray, photometric: str, bits: int, out: np.ndarray | None = None
) -> np.ndarray:
    """RGB of (rows, columns, 3) stored values of `bits` bits, computed in binary32, clamped and
    rounded down, as Orthanc does it. YBR_PARTIAL has 16..235 for black..white and 16..240 for
    chroma. Raises NotImplementedYet for 32 bits per sample."""
    width = pixels.itemsize
    if width > 2:
        raise NotImplementedYet("YBR of 32 bits per sample")
    if out is None:
        out = np.empty(pixels.shape, pixels.dtype)
    partial = photometric.startswith("YBR_PARTIAL")
    color.rgb_from_ybr(raw_bytes(pixels), raw_bytes(out), width, bits, partial)
    return out
