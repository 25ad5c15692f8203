"""Our encoder of JPEG lossless: what libjpeg-turbo reads of it is what was there."""

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from support import generated

from orthanc_fast._ext.jpeg_lossless import encode


def encoded(image: np.ndarray, selection: int) -> bytes:
    rows, columns = image.shape
    cells = np.ascontiguousarray(image).view(np.uint8).reshape(-1)
    return encode(cells, rows, columns, image.itemsize, selection)


def assert_kept(image: np.ndarray) -> None:
    for selection in (1, 6):
        found = imagecodecs.jpeg8_decode(encoded(image, selection))
        assert (found.reshape(image.shape) == image).all()


@settings(deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
    )
)
def test_any_image(image: np.ndarray) -> None:
    assert_kept(image)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_differences_of_every_length(kind: type) -> None:
    """Also that of 16 bits, which has no bits of its own."""
    half = (int(np.iinfo(kind).max) + 1) // 2
    steps = [0, *(1 << n for n in range(int(half).bit_length())), half, 2 * half - 1]
    row: np.ndarray = np.array([value for step in steps for value in (0, step)], kind)
    assert_kept(np.stack([row, row[::-1], row]))
    assert_kept(np.full((3, 5), half, kind))


def test_codes_that_would_be_too_long() -> None:
    """Frequencies as Fibonacci's numbers make the longest codes."""
    counts = [1, 1]
    while len(counts) < 17:
        counts.append(counts[-1] + counts[-2])
    steps = [step for n, count in enumerate(counts) for step in [(1 << n) >> 1] * count]
    image = (np.cumsum(steps) % 65536).astype(np.uint16).reshape(1, -1)
    assert_kept(image)


@pytest.mark.parametrize("selection", [1, 6])
def test_not_larger_than_what_libjpeg_makes(selection: int) -> None:
    image = generated.anatomy(256).astype(np.uint16)
    other = imagecodecs.jpeg8_encode(image, lossless=True, predictor=selection, bitspersample=16)
    assert len(encoded(image, selection)) <= len(other)


@pytest.mark.parametrize(
    ("cells", "rows", "columns", "size", "selection"),
    [
        (4, 2, 2, 1, 2),
        (4, 2, 2, 4, 1),
        (4, 2, 2, 2, 1),
        (0, 0, 2, 1, 1),
        (0, 2, 0, 1, 1),
        (4, -2, -2, 1, 1),
        (65536, 1, 65536, 1, 1),
    ],
)
def test_what_is_no_image(cells: int, rows: int, columns: int, size: int, selection: int) -> None:
    with pytest.raises(ValueError, match="cells"):
        encode(bytes(cells), rows, columns, size, selection)
