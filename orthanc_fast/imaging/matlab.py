"""A frame as text that Matlab and Octave evaluate. Source: reference chapter 2, section 6."""

import numpy as np


def matlab_text(pixels: np.ndarray) -> bytes:
    """Of (rows, columns) a matrix, of (rows, columns, 3) an array, both of doubles."""
    if pixels.ndim == 2:
        return b"double([ " + b" ; ".join(_values(row) for row in pixels) + b" ])"
    rows, columns, samples = pixels.shape
    values = _values(pixels.reshape(-1))
    shape = f" ], [ {samples} {columns} {rows} ]), [ 3 2 1 ]))"
    return b"double(permute(reshape([ " + values + shape.encode()


def _values(pixels: np.ndarray) -> bytes:
    return " ".join(map(str, pixels.tolist())).encode()
