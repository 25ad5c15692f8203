"""The kernels of volumes equal numpy, bit by bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from orthanc_fast._ext.volume import to_float32, to_int16

INTEGERS = ("u1", "i1", "u2", "i2", "u4", "i4")


def aligned(x: np.ndarray, left: int, right: int) -> np.ndarray:
    kind = x.dtype.type
    shifted = x.view(f"u{x.itemsize}") << x.view(f"u{x.itemsize}").dtype.type(left)
    result: np.ndarray = shifted.view(x.dtype) >> kind(right)
    return result


def rescaled(x: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    if (slope, intercept) == (1.0, 0.0):
        return x.astype("f4")
    with np.errstate(all="ignore"):
        result: np.ndarray = np.float32(slope) * x.astype("f4") + np.float32(intercept)
    return result


numbers = st.floats(-1e6, 1e6, width=32)


@settings(deadline=None)
@given(st.data(), st.sampled_from(INTEGERS), st.sampled_from([1.0, 2.5, -0.1]), numbers)
def test_integers(data: st.DataObject, kind: str, slope: float, intercept: float) -> None:
    x = data.draw(arrays.arrays(kind, st.integers(0, 70)))
    left = data.draw(st.integers(0, 8 * x.itemsize - 1))
    right = data.draw(st.integers(left, 8 * x.itemsize - 1))
    out = np.empty(len(x), "f4")
    expected = aligned(x, left, right)
    for a, b in ((slope, intercept), (1.0, 0.0)):
        to_float32(x.view("u1"), kind, out, left, right, a, b)
        np.testing.assert_array_equal(out, rescaled(expected, a, b))


@settings(deadline=None)
@given(st.sampled_from(["f4", "f8"]), st.sampled_from([1.0, 3.25]), numbers, st.data())
def test_floats(kind: str, slope: float, intercept: float, data: st.DataObject) -> None:
    x = data.draw(arrays.arrays(kind, st.integers(0, 70)))
    out = np.empty(len(x), "f4")
    to_float32(x.view("u1"), kind, out, 0, 0, slope, intercept)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(out, rescaled(x, slope, intercept))


@settings(deadline=None)
@given(arrays.arrays("f4", st.integers(0, 70)))
def test_rounding(values: np.ndarray) -> None:
    out = np.empty(len(values), "i2")
    to_int16(values, out)
    clipped = np.clip(np.nan_to_num(np.rint(values), nan=-32768), -32768, 32767)
    np.testing.assert_array_equal(out, clipped.astype("i2"))


def test_bounds_are_checked_at_the_door() -> None:
    raw, out = np.zeros(8, "u1"), np.zeros(4, "f4")
    wrong = [
        (raw[:7], "u2", out, 0, 0),
        (raw, "u2", out[:3], 0, 0),
        (raw, "u2", out, 16, 0),
        (raw, "u2", out, 0, -1),
        (raw, "x2", out, 0, 0),
    ]
    for arguments in wrong:
        with pytest.raises(ValueError):
            to_float32(*arguments, 1.0, 0.0)
    with pytest.raises(ValueError):
        to_int16(out, np.zeros(3, "i2"))
