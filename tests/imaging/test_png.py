"""Our PNG files read by another library, and their structure byte by byte."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from orthanc_fast._ext.png import filter_up
from orthanc_fast.errors import OrthancError
from orthanc_fast.imaging.picture_png import picture_to_png

SHAPES = [(1, 1), (1, 9), (9, 1), (7, 5), (64, 33), (300, 257)]


def picture(kind: str, *shape: int) -> np.ndarray:
    info = np.iinfo(kind)
    rng = np.random.default_rng(sum(shape))
    return rng.integers(info.min, info.max, shape, dtype=kind, endpoint=True)


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """(kind, content) of all chunks, their checksums checked."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", png, at + 8 + length)
        assert checksum == zlib.crc32(kind + content)
        found.append((kind, content))
        at += 12 + length
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "rgb"])
def test_another_reader_sees_the_same_pixels(kind: str, shape: tuple[int, int]) -> None:
    pixels = picture("u1", *shape, 3) if kind == "rgb" else picture(kind, *shape)
    read = Image.open(io.BytesIO(picture_to_png(pixels)))
    assert read.mode == {"u1": "L", "rgb": "RGB"}.get(kind, "I;16")
    np.testing.assert_array_equal(np.asarray(read), pixels.view("u2") if kind == "i2" else pixels)


def test_there_are_no_ancillary_chunks() -> None:
    found = chunks(picture_to_png(picture("u2", 40, 30)))
    assert [kind for kind, _ in found] == [b"IHDR", b"IDAT", b"IEND"]
    assert found[0][1] == struct.pack(">IIBBBBB", 30, 40, 16, 0, 0, 0, 0)


def test_smooth_images_become_small() -> None:
    row = np.arange(512, dtype="u2")
    pixels = np.ascontiguousarray(np.add.outer(row, row))
    assert len(picture_to_png(pixels)) < pixels.nbytes / 50


def filtered(pixels: np.ndarray, swapped: bool) -> bytes:
    """The twin of `filter_up`; the first row keeps its values."""
    rows = (pixels.byteswap() if swapped else pixels).view("u1")
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    kinds = np.full((len(rows), 1), 2, "u1")
    kinds[0] = 0
    return np.hstack([kinds, rows - above]).tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_filter_equals_its_twin(shape: tuple[int, int]) -> None:
    for kind in ("u1", "u2"):
        pixels = picture(kind, *shape)
        stride = shape[1] * pixels.itemsize
        out = bytearray(shape[0] * (stride + 1))
        wide = pixels.itemsize == 2
        filter_up(pixels.reshape(-1).view("u1"), shape[0], stride, wide, out)
        assert bytes(out) == filtered(pixels, wide)


def test_a_picture_without_pixels_is_refused() -> None:
    for shape in ((0, 5), (5, 0), (0, 0)):
        with pytest.raises(OrthancError):
            picture_to_png(np.empty(shape, "u1"))


def test_filter_refuses_sizes_that_do_not_fit() -> None:
    four = bytes(4)
    for rows, stride, swapped, size in (
        (2, 2, False, 5), (2, 3, False, 8), (0, 4, False, 0), (4, 1, True, 8), (-2, -2, False, 2)
    ):  # fmt: skip
        with pytest.raises(ValueError):
            filter_up(four, rows, stride, swapped, bytearray(size))
