"""Colour: YBR becomes RGB. Sources: DICOM PS3.3 C.7.6.3.1.2; reference chapter 2, section 5.4."""

import numpy as np


def rgb_from_ybr(
    pixels: np.ndarray, photometric: str, bits: int, out: np.ndarray | None = None
) -> np.ndarray:
    """RGB of (rows, columns, 3) stored values of `bits` bits, computed in binary32, clamped and
    rounded down. YBR_PARTIAL has 16..235 for black..white and 16..240 for chroma."""
    one = np.float32
    y, b, r = (pixels[..., i].astype(np.float32) for i in range(3))
    half = one(1 << (bits - 1))
    b, r = b - half, r - half
    if photometric.startswith("YBR_PARTIAL"):
        unit = one(1 << (bits - 8)) if bits >= 8 else one(1)
        y = (y - one(16) * unit) * one(255 / 219)
        b, r = b * one(255 / 224), r * one(255 / 224)
    red = y + one(1.402) * r
    green = y - one(0.344136) * b - one(0.714136) * r
    blue = y + one(1.772) * b
    top = one((1 << bits) - 1)
    out = np.empty(pixels.shape, pixels.dtype) if out is None else out
    for i, plane in enumerate((red, green, blue)):
        out[..., i] = np.clip(plane, 0, top)
    return out
