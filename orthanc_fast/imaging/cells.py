"""From the cells of pixel data to stored values: order of samples, padding bits, sign.

Source: DICOM PS3.5 section 8.1.1.
"""

import numpy as np

from orthanc_fast.imaging.info import ImageInfo


def interleaved(cells: np.ndarray, info: ImageInfo) -> np.ndarray:
    """R1 R2.. G1 G2.. B1 B2.. as R1 G1 B1 R2 G2 B2.."""
    planes = cells.reshape(info.samples_per_pixel, info.rows * info.columns)
    return np.ascontiguousarray(planes.T)


def stored_values(cells: np.ndarray, info: ImageInfo) -> np.ndarray:
    """The `bits_stored` bits below and with `high_bit` of each cell, as `info.stored_dtype`; a view
    where nothing has to be done."""
    if info.bits_allocated == 1 or info.is_float:
        return cells
    if info.bits_stored == info.bits_allocated != 24:
        return cells.view(info.stored_dtype)
    width, dtype = cells.itemsize * 8, info.stored_dtype
    shifted = cells << cells.dtype.type(width - 1 - info.high_bit)
    values: np.ndarray = shifted.view(dtype) >> dtype.type(width - info.bits_stored)
    return values
