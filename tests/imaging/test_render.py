"""Pictures against plain numpy that spells the formulas of reference chapter 2, section 5.5."""

import numpy as np
import pytest

from orthanc_fast.errors import NotImplementedYet
from orthanc_fast.imaging import render

GRAYS = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")
F32 = np.float32


def frame(kind: str, seed: int = 1) -> np.ndarray:
    """Values as scanners give them: some hundred different ones."""
    rng = np.random.default_rng(seed)
    low, high = (3, 120) if kind[0] == "u" or kind == "i1" else (-700, 1200)
    values = rng.uniform(low, high, (31, 45)).astype(kind)
    values[0, :2] = low, high
    return values


def colour(kind: str) -> np.ndarray:
    top = np.iinfo(kind).max
    return np.random.default_rng(2).integers(0, top, (20, 30, 3), kind, endpoint=True)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("kind", GRAYS)
def test_preview_stretches_what_is_there(kind: str, inverted: bool) -> None:
    pixels = frame(kind)
    scale = F32(255) / F32(pixels.max().item() - pixels.min().item())
    stretched = scale * pixels.astype("f4") + F32(-pixels.min().item()) * scale
    expected = np.floor(np.clip(stretched, 0, 255).astype("f8") + 0.5).astype("u1")
    expected = 255 - expected if inverted else expected
    assert expected.min() == 0
    assert expected.max() == 255
    np.testing.assert_array_equal(render.preview(pixels, inverted=inverted), expected)


@pytest.mark.parametrize("kind", GRAYS)
def test_preview_of_one_value_is_black_or_white_if_inverted(kind: str) -> None:
    pixels = np.full((4, 5), 77, kind)
    assert not render.preview(pixels).any()
    assert (render.preview(pixels, inverted=True) == 255).all()


def test_preview_looks_at_finite_values_only() -> None:
    pixels = np.array([[np.nan, np.inf, -np.inf, 1, 2, 3]], "f4")
    np.testing.assert_array_equal(render.preview(pixels), [[0, 255, 0, 0, 128, 255]])
    assert not render.preview(pixels[:, :1]).any()


@pytest.mark.parametrize("target", ["u1", "u2", "i2"])
@pytest.mark.parametrize("kind", GRAYS)
def test_values_are_clipped(kind: str, target: str) -> None:
    pixels = frame(kind)
    info = np.iinfo(target)
    expected = np.clip(np.rint(pixels.astype("f8")), info.min, info.max).astype(target)
    found = render.gray(pixels, target)  # type: ignore[arg-type]
    assert found.dtype == target
    np.testing.assert_array_equal(found, expected)


def test_grey_of_colour_is_its_luma_for_16_bits_only() -> None:
    pixels = colour("u2")
    red, green, blue = pixels.astype("i8").transpose(2, 0, 1)
    luma = (2126 * red + 7152 * green + 466 * blue) // 10000
    np.testing.assert_array_equal(render.gray(pixels, "u2"), luma)
    np.testing.assert_array_equal(render.gray(pixels, "u1"), np.minimum(luma, 255))
    for kind in ("u1", "u2", "i2"):
        with pytest.raises(NotImplementedYet):
            render.gray(colour("u1"), kind)
    with pytest.raises(NotImplementedYet):
        render.gray(pixels, "i2")


@pytest.mark.parametrize(
    ("center", "width", "slope", "intercept"),
    [
        (40, 400, 1, -1024),
        (40, 400, 1, 0),
        (-100.5, 333.3, 0.5, 12),
        (50, 0, 1, 0),
        (50, -20, 1, 0),
        (50, 1, 1, 0),
        (60, 80, -1, 100),
        (1e-3, 3, 1e-5, 0),
        (0, 3, 0, 0),
        (0, 1e300, 1, 0),
    ],
)
@pytest.mark.parametrize("kind", GRAYS)
def test_window(kind: str, center: float, width: float, slope: float, intercept: float) -> None:
    pixels = frame(kind)
    wide = 1 if width <= 1 else width
    steep = 0.0001 if abs(slope) <= 0.0001 else slope
    with np.errstate(all="ignore"):
        scale = F32(255 * steep / wide)
        offset = F32((intercept - center + wide / 2) / steep)
        values = scale * pixels.astype("f4") + offset * scale
    assert values.dtype == np.float32
    expected = np.floor(np.clip(np.nan_to_num(values, nan=0), 0, 255)).astype("u1")
    found = render.windowed(pixels, center, width, slope, intercept)
    np.testing.assert_array_equal(found, expected)


def test_a_window_that_is_no_number_gives_black() -> None:
    for center, width in ((float("nan"), 10), (10, float("nan")), (10, float("inf"))):
        assert not render.windowed(frame("i2"), center, width).any()


def test_colour_of_16_bits_loses_its_low_bits() -> None:
    pixels = colour("u2")
    np.testing.assert_array_equal(render.eight_bits(pixels), pixels >> 8)
    np.testing.assert_array_equal(render.preview(pixels), pixels >> 8)
    wide = pixels.astype("u4") << 16
    np.testing.assert_array_equal(render.eight_bits(wide, 32), pixels >> 8)
    np.testing.assert_array_equal(render.gray(wide, "u2", color_bits=32), render.gray(pixels, "u2"))
    few = pixels >> 6
    np.testing.assert_array_equal(render.eight_bits(few, 10), few >> 2)
    np.testing.assert_array_equal(render.preview(colour("u1")), colour("u1"))


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [
        (0, 0, (31, 45)),
        (90, 0, (62, 90)),
        (0, 62, (62, 90)),
        (90, 31, (31, 45)),
        (10, 0, (7, 10)),
        (0, 1, (1, 1)),
        (1, 1000, (1, 1)),
        (1000, 40, (40, 58)),
    ],
)
def test_pictures_fit_the_box_and_keep_their_proportions(
    width: int, height: int, shape: tuple[int, int]
) -> None:
    for picture in (frame("u1"), np.stack([frame("u1")] * 3, axis=2)):
        for smooth in (False, True):
            assert render.fitted(picture, width, height, smooth).shape[:2] == shape


def test_only_what_shrinks_is_smoothed() -> None:
    picture = frame("u1")
    plain, smooth = (render.fitted(picture, 200, 0, each) for each in (False, True))
    np.testing.assert_array_equal(plain, smooth)
    plain, smooth = (render.fitted(picture, 20, 0, each) for each in (False, True))
    assert smooth.std() < plain.std()


def test_pictures_of_nothing_and_too_large_ones() -> None:
    empty = np.empty((0, 7), "u1")
    for picture in (
        render.fitted(empty, 10, 10, True),
        render.preview(empty),
        render.gray(empty, "u2"),
        render.windowed(empty, 1, 2),
    ):
        assert picture.shape == (0, 7)
    assert render.fitted(np.zeros((1, 100), "u1"), 20, 0, True).shape == (0, 20)
    with pytest.raises(NotImplementedYet):
        render.fitted(np.zeros((4, 4), "u1"), 100_000_000, 0, False)


def test_inversion_is_in_place() -> None:
    picture = frame("u1")
    inverted = picture.copy()
    render.invert(inverted)
    np.testing.assert_array_equal(inverted, 255 - picture)
