"""Baseline JPEG from a picture of 8 bits, with the defaults of libjpeg that Orthanc uses."""

import imagecodecs
import numpy as np

from orthanc_fast.errors import OrthancError

_MAX_SIZE = 65500  # of libjpeg, in either direction


def picture_to_jpeg(picture: np.ndarray, quality: int) -> bytes:
    """JFIF of a (rows, columns) or (rows, columns, 3) picture of 8 bits; colour 4:2:0; `quality` 1
    to 100. Raises OrthancError for a size that JPEG cannot have."""
    rows, columns = picture.shape[:2]
    if not 0 < rows <= _MAX_SIZE or not 0 < columns <= _MAX_SIZE:
        raise OrthancError(f"JPEG cannot have {columns} x {rows} pixels", code=24)
    subsampling = "420" if picture.ndim == 3 else None
    return bytes(imagecodecs.jpeg8_encode(picture, level=quality, subsampling=subsampling))
