"""Nearest neighbour and smoothing against plain numpy, bit by bit."""

from collections.abc import Callable

import numpy as np
import pytest

from orthanc_fast._ext import resize

SHAPES = [(1, 1), (1, 7), (2, 2), (3, 5), (4, 1), (17, 31), (64, 48), (5, 1), (2, 300)]


def picture(rows: int, columns: int, samples: int) -> np.ndarray:
    values = np.random.default_rng(rows * columns).integers(0, 256, (rows, columns, samples))
    return values.astype("u1")


def nearest(source: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The twin of `resize.nearest`."""

    def places(size: int, target: int) -> np.ndarray:
        ratio = np.float32(size) / np.float32(target)
        found = np.floor((np.arange(target, dtype="f4") + np.float32(0.5)) * ratio).astype(int)
        least: np.ndarray = np.minimum(found, size - 1)
        return least

    found: np.ndarray = source[places(source.shape[0], rows)][:, places(source.shape[1], columns)]
    return found


def smooth(source: np.ndarray) -> np.ndarray:
    """The twin of `resize.smooth`, in binary32 as the reference has it."""
    weights = np.array([1, 4, 6, 4, 1], "f4")
    rows, columns = source.shape[:2]
    wide = np.pad(source.astype("f4"), ((0, 0), (2, 2), (0, 0)), mode="edge")
    sums = sum(weights[k] * wide[:, k : k + columns] for k in range(5))
    high = np.pad(sums, ((2, 2), (0, 0), (0, 0)), mode="edge")
    sums = sum(weights[k] * high[k : k + rows] for k in range(5))
    found: np.ndarray = np.floor(sums * np.float32(1 / 256)).astype("u1")
    return found


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_nearest_equals_its_twin(shape: tuple[int, int], samples: int) -> None:
    source = picture(*shape, samples)
    for rows, columns in [*SHAPES, (100, 99), (511, 513)]:
        out = np.empty((rows, columns, samples), "u1")
        resize.nearest(source.reshape(-1), *shape, samples, out.reshape(-1), rows, columns)
        np.testing.assert_array_equal(out, nearest(source, rows, columns))


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_smooth_equals_its_twin(shape: tuple[int, int], samples: int) -> None:
    for source in (picture(*shape, samples), np.full((*shape, samples), 255, "u1")):
        out = np.empty_like(source)
        resize.smooth(source.reshape(-1), *shape, samples, out.reshape(-1))
        np.testing.assert_array_equal(out, smooth(source))


def test_sizes_that_do_not_fit_are_refused() -> None:
    four = np.zeros(4, "u1")
    calls: list[Callable[[], object]] = [
        lambda: resize.nearest(four, 2, 2, 1, four, 3, 2),
        lambda: resize.nearest(four, 2, 3, 1, four, 2, 2),
        lambda: resize.nearest(four, 2, 1, 2, four, 2, 2),
        lambda: resize.nearest(four, 2, 2, 1, four[:0], 0, 2),
        lambda: resize.nearest(four, -2, -2, 1, four, 2, 2),
        lambda: resize.smooth(four, 2, 2, 1, four[:3]),
        lambda: resize.smooth(four[:0], 0, 2, 1, four[:0]),
    ]
    for call in calls:
        with pytest.raises(ValueError):
            call()


@pytest.mark.parametrize("shape", [(5, 5), (7, 5), (64, 33), (30, 41, 3), (5, 5, 3)])
@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_average(shape: tuple[int, ...], factor: int) -> None:
    """The means of blocks; what is left over does not count."""
    rows, columns, samples = shape[0] // factor, shape[1] // factor, (*shape, 1)[2]
    picture = np.random.default_rng(factor).integers(0, 256, shape, np.uint8)
    out = np.empty(rows * columns * samples, np.uint8)
    resize.average(picture.reshape(-1), shape[0], shape[1], samples, factor, out)
    blocks = picture[: rows * factor, : columns * factor]
    means = blocks.reshape(rows, factor, columns, factor, samples).mean(axis=(1, 3))
    np.testing.assert_array_equal(out, np.floor(means + 0.5).astype(np.uint8).reshape(-1))


@pytest.mark.parametrize(
    ("factor", "size"), [(0, 64), (-1, 64), (9, 0), (5000, 64), (2, 15), (2, 17), (2, 64)]
)
def test_averages_that_do_not_fit(factor: int, size: int) -> None:
    with pytest.raises(ValueError, match=r"blocks|no picture"):
        resize.average(np.zeros(64, np.uint8), 8, 8, 1, factor, np.zeros(size, np.uint8))
