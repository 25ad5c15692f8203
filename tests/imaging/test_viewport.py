"""Parts of frames in viewports: what the plugin draws is compared in tests/dicom_web."""

import numpy as np
import pytest

from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.imaging.viewport import Part, Viewport, rounded

FRAME = np.arange(24, dtype=np.uint8).reshape(4, 6)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Part(), FRAME),
        (Part(2, 1), FRAME[1:, 2:]),
        (Part(2, 1, 3, 2), FRAME[1:3, 2:5]),
        (Part(2, 1, 300, 200), FRAME[1:, 2:]),
        (Part(6, 0, 1, 1), FRAME[:1, 6:]),
        (Part(60, 40, 1, 1), FRAME[4:, 6:]),
        (Part(0, 0, 0, 2), FRAME[:2, :0]),
    ],
)
def test_parts(part: Part, expected: np.ndarray) -> None:
    found = part.of(FRAME)
    assert found.size == expected.size
    if expected.size:
        np.testing.assert_array_equal(found, expected)
    assert found.flags.c_contiguous


def test_the_rest_is_black() -> None:
    found = Viewport(10, 4).filled(FRAME, FRAME)
    np.testing.assert_array_equal(found[:, 2:8], FRAME)
    assert not found[:, :2].any()
    assert not found[:, 8:].any()


def test_nothing_is_black() -> None:
    part = Part(10, 10, 5, 5)
    found = Viewport(5, 3, part).filled(part.of(FRAME), FRAME)
    np.testing.assert_array_equal(found, np.zeros((3, 5)))


def test_without_a_size_it_is_the_frames() -> None:
    assert Viewport(None, None).filled(FRAME, FRAME) is not None
    part = Part(0, 0, 3, 2)
    assert Viewport(None, 10, part).filled(part.of(FRAME), FRAME).shape == (10, 6)


def test_mirrored_colour() -> None:
    frame = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    found = Viewport(6, 4, is_mirrored=True, is_upside_down=True).filled(frame, frame)
    np.testing.assert_array_equal(found, frame[::-1, ::-1])


def test_too_large() -> None:
    with pytest.raises(ParameterOutOfRange):
        Viewport(1 << 16, 1 << 16).filled(FRAME, FRAME)


@pytest.mark.parametrize(
    ("value", "pixels"), [(0.0, 0), (0.49, 0), (0.5, 1), (1.5, 2), (-1.5, 2), (-0.4, 0)]
)
def test_rounded(value: float, pixels: int) -> None:
    assert rounded(value) == pixels
