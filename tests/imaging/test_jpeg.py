"""Our JPEG files are those that Pillow writes, byte by byte."""

import io

import numpy as np
import pytest
from PIL import Image
from support import generated

from orthanc_fast.errors import OrthancError
from orthanc_fast.imaging.accept import PictureFormat
from orthanc_fast.imaging.picture import encode
from orthanc_fast.imaging.picture_jpeg import picture_to_jpeg


def pillow(picture: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    options = {"subsampling": 2} if picture.ndim == 3 else {}
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("quality", [1, 50, 90, 100])
@pytest.mark.parametrize("size", [1, 8, 17, 256])
def test_the_file_is_that_of_pillow(size: int, quality: int) -> None:
    gray = (generated.anatomy(max(size, 2))[:size, :size].clip(0, 1023) // 4).astype("u1")
    colour = np.stack([gray, gray[::-1], 255 - gray], axis=2)
    for picture in (gray, colour):
        assert picture_to_jpeg(picture, quality) == pillow(np.ascontiguousarray(picture), quality)


def test_what_jpeg_cannot_hold_is_refused() -> None:
    for picture in (np.empty((0, 4), "u1"), np.empty((4, 0), "u1"), np.zeros((1, 65501), "u1")):
        with pytest.raises(OrthancError):
            picture_to_jpeg(picture, 90)
    with pytest.raises(OrthancError):
        encode(np.zeros((4, 4), "u2"), PictureFormat.JPEG)
