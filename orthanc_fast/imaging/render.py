"""From decoded frames to pictures of 8 or 16 bits, with the arithmetic of Orthanc's routes.

A frame is (rows, columns) of u1 i1 u2 i2 u4 i4 f4 f8 or (rows, columns, 3) of u1, u2, u4; a picture
is (rows, columns) of uint8, uint16 or int16 or (rows, columns, 3) of uint8. Source: reference
chapter 2, section 5.5; every intermediate result is binary32 where it says so.
"""

import math
from typing import Literal

import numpy as np

from orthanc_fast._ext import resize, window
from orthanc_fast.errors import NotImplementedYet

Frame = np.ndarray
Picture = np.ndarray

GrayKind = Literal["u1", "u2", "i2"]

# A picture may be enlarged to this many pixels: nobody looks at more, and each costs memory.
MAX_PIXELS = 1 << 26

_SMALLEST_SLOPE = 0.0001
_F32 = np.float32


def preview(frame: Frame, *, inverted: bool = False, color_bits: int = 16) -> Picture:
    """The values from the smallest to the largest stretched over 0..255, the other way round if
    `inverted`; colour as `eight_bits` gives it. A frame of one value only is black."""
    if frame.ndim == 3:
        return eight_bits(frame, color_bits)
    raw, kind = _raw(frame), _kind(frame)
    extrema = window.extrema(raw, kind)
    out = np.empty(frame.shape, np.uint8)
    if extrema is None or extrema[0] == extrema[1]:
        out.fill(255 if inverted else 0)
        return out
    low, high = extrema
    with np.errstate(all="ignore"):
        scale = _F32(255) / _F32(high - low)
        offset = _F32(-low) * scale
    window.scale(raw, kind, _raw(out), float(scale), float(offset), True, inverted)
    return out


def gray(frame: Frame, kind: GrayKind, *, color_bits: int = 16) -> Picture:
    """The values themselves, clipped to the range of `kind`; floats are rounded first, colour of 16
    bits, or of more in its highest 16, becomes its luma. Raises NotImplementedYet for
    colour of 8 bits, and for signed values of colour, as Orthanc does."""
    if frame.ndim == 3:
        if frame.itemsize == 1 or kind == "i2":
            raise NotImplementedYet("colour has no such grey values: use preview or rendered")
        if frame.itemsize > 2:
            frame = (frame >> max(color_bits - 16, 0)).astype(np.uint16)
        luma = np.empty(frame.shape[:2], np.uint16)
        window.luma(_raw(frame), _raw(luma))
        frame = luma
    if frame.dtype == kind:
        return frame
    if frame.dtype.kind == "f":
        info = np.iinfo(kind)
        rounded: Picture = np.nan_to_num(np.rint(frame)).clip(info.min, info.max).astype(kind)
        return rounded
    out = np.empty(frame.shape, kind)
    window.clip(_raw(frame), _kind(frame), _raw(out), kind)
    return out


def windowed(
    frame: Frame, center: float, width: float, slope: float = 1.0, intercept: float = 0.0
) -> Picture:
    """A grey frame with the window (of rescaled values) spread over 0..255, rounded down."""
    width = max(width, 1.0)
    if abs(slope) <= _SMALLEST_SLOPE:
        slope = _SMALLEST_SLOPE
    with np.errstate(all="ignore"):
        scale = _F32(255.0 * slope / width)
        offset = _F32((intercept - center + width / 2.0) / slope) * scale
    out = np.empty(frame.shape, np.uint8)
    window.scale(_raw(frame), _kind(frame), _raw(out), float(scale), float(offset), False, False)
    return out


def translated(frame: Frame, table: np.ndarray) -> Picture:
    """`table[value]` of every pixel of a grey frame of 8 or 16 bits; the table has an entry for
    each pattern of these bits, those of negative values in its upper half."""
    out = np.empty(frame.shape, np.uint8)
    window.lookup(_raw(frame), _kind(frame), _raw(out), table)
    return out


def eight_bits(frame: Frame, bits: int = 16) -> Picture:
    """Colour of 8 bits per sample; of larger samples, `bits` of which are used, the highest
    eight."""
    if frame.itemsize == 1:
        return frame
    if bits != 16:
        return (frame >> max(bits - 8, 0)).astype(np.uint8)
    out = np.empty(frame.shape, np.uint8)
    window.high_bytes(_raw(frame), _raw(out))
    return out


def invert(picture: Picture) -> None:
    """255 - value, in place."""
    window.invert(_raw(picture))


def fitted(picture: Picture, width: int, height: int, smooth: bool) -> Picture:
    """The largest picture of the same proportions that fits `width` x `height` (0: any), by nearest
    neighbour; `smooth` blurs it before, if it shrinks. Raises NotImplementedYet if the result
    exceeds MAX_PIXELS."""
    rows, columns = picture.shape[:2]
    if not (width or height) or not picture.size:
        return picture
    ratio = min(_F32(w) / _F32(have) for w, have in ((width, columns), (height, rows)) if w)
    new_columns, new_rows = _round(ratio * _F32(columns)), _round(ratio * _F32(rows))
    if new_columns * new_rows > max(MAX_PIXELS, rows * columns):
        raise NotImplementedYet(f"a picture of {new_columns} x {new_rows} pixels is too large")
    samples = 1 if picture.ndim == 2 else 3
    source = _raw(picture)
    if smooth and (new_columns < columns or new_rows < rows):
        blurred = np.empty(picture.size, np.uint8)
        resize.smooth(source, rows, columns, samples, blurred)
        source = blurred
    out = np.empty((new_rows, new_columns, *picture.shape[2:]), np.uint8)
    if out.size:
        resize.nearest(source, rows, columns, samples, _raw(out), new_rows, new_columns)
    return out


def reduced(picture: Picture, longest: int) -> Picture:
    """The picture with at most `longest` pixels on its longer side, each the mean of those that it
    stands for, as far as whole numbers go."""
    rows, columns = picture.shape[:2]
    if max(rows, columns) <= longest:
        return picture
    factor = min(max(rows, columns) // longest, rows, columns)
    if factor > 1:
        shape = (rows // factor, columns // factor, *picture.shape[2:])
        out = np.empty(shape, np.uint8)
        samples = 1 if picture.ndim == 2 else 3
        resize.average(_raw(picture), rows, columns, samples, factor, _raw(out))
        picture = out
    return fitted(picture, longest, longest, smooth=True)


def _round(value: np.float32) -> int:
    return math.floor(float(value) + 0.5)


def _raw(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(-1).view(np.uint8)


def _kind(pixels: np.ndarray) -> str:
    return pixels.dtype.str[1:]
