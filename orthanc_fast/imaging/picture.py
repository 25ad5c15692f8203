"""A picture as one of the formats that browsers and tools read."""

import numpy as np

from orthanc_fast.errors import OrthancError
from orthanc_fast.imaging.accept import PictureFormat
from orthanc_fast.imaging.picture_jpeg import picture_to_jpeg
from orthanc_fast.imaging.picture_pam import picture_to_pam
from orthanc_fast.imaging.picture_png import picture_to_png

DEFAULT_QUALITY = 90


def encode(picture: np.ndarray, form: PictureFormat, quality: int = DEFAULT_QUALITY) -> bytes:
    """The picture, (rows, columns) of uint8, uint16 or int16 or (rows, columns, 3) of uint8,
    encoded; `quality` (1 to 100) is JPEG's. Raises OrthancError where the format cannot hold
    it."""
    if form is PictureFormat.PNG:
        return picture_to_png(picture)
    if form is PictureFormat.PAM:
        return picture_to_pam(picture)
    if picture.itemsize != 1:
        raise OrthancError("JPEG cannot hold 16 bits per sample", code=23)
    return picture_to_jpeg(picture, quality)
