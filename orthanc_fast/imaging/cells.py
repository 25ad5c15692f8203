"""From the cells of pixel data, or the numbers of a codestream, to stored values.

Source: DICOM PS3.5 section 8.1.1, 8.2.
"""

import numpy as np

from orthanc_fast._ext.cells import extract
from orthanc_fast.imaging.info import ImageInfo


def raw_bytes(array: np.ndarray) -> np.ndarray:
    """The memory of a contiguous array as bytes."""
    return array.reshape(-1).view(np.uint8)


def has_padding(info: ImageInfo) -> bool:
    """Whether a cell holds more than the stored value."""
    width = info.stored_dtype.itemsize * 8
    return not info.is_float and info.bits_allocated > 1 and info.bits_stored < width


def strip_padding(raw: np.ndarray, out: np.ndarray, info: ImageInfo) -> None:
    """out = the `bits_stored` bits below and with `high_bit` of each cell in the bytes `raw`, which
    may be the memory of `out`; with their sign."""
    width = info.stored_dtype.itemsize
    left = 8 * width - 1 - info.high_bit
    extract(raw, raw_bytes(out), width, left, 8 * width - info.bits_stored, info.is_signed)


def exceeds(cells: np.ndarray, info: ImageInfo) -> bool:
    """Whether whole cells hold values that `info.bits_stored` bits cannot: something else than
    zeros, or the sign, in the bits above."""
    above = cells.view(f"u{cells.itemsize}") >> info.bits_stored
    if not above.any():
        return False
    if not info.is_signed:
        return True
    values = cells.view(f"i{cells.itemsize}")
    negative = values < 0
    lowest = -(1 << (info.bits_stored - 1))
    return bool(above[~negative].any() or (values[negative] < lowest).any())


def stored_values(
    numbers: np.ndarray, precision: int, info: ImageInfo, out: np.ndarray | None
) -> np.ndarray:
    """Stored values from the numbers of a codestream, which are signed if their type is, and of
    `precision` bits. Fills `out` if it is given.

    The codestream of a signed image may hold two's complement of `precision` bits as unsigned
    numbers. Where a lossless one holds whole cells, padding and all, padding is removed, unless it
    is none: see `ImageInfo.may_be_wider`.
    """
    dtype = info.stored_dtype
    values = numbers.reshape(info.stored_shape).astype(dtype, copy=False)
    if info.bits_allocated == 1 and not info.is_palette:
        values = values * np.uint8(255)
    bits = 8 * dtype.itemsize
    if info.may_be_wider and precision == bits and exceeds(values, info):
        left = right = 0
    elif precision > info.bits_stored and not info.syntax.is_lossy:
        left, right = bits - 1 - info.high_bit, bits - info.bits_stored
    elif precision < bits and info.is_signed != (numbers.dtype.kind == "i"):
        left = right = bits - precision
    else:
        left = right = 0
    if not right:
        if out is None:
            return values
        out[...] = values
        return out
    if out is None:
        out = values if values.flags.writeable and values.flags.c_contiguous else values.copy()
    source = np.ascontiguousarray(values)
    extract(raw_bytes(source), raw_bytes(out), dtype.itemsize, left, right, info.is_signed)
    return out
