"""The window kernels against plain numpy, bit by bit."""

from collections.abc import Callable

import numpy as np
import pytest

from orthanc_fast._ext import window

KINDS = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")
INTEGERS = KINDS[:6]
SIZES = (1, 15, 1000, 70_001)


def pixels(kind: str, size: int, seed: int = 0) -> np.ndarray:
    """Values over the whole range of the kind, its ends included; floats with NaN and
    infinities."""
    rng = np.random.default_rng(seed)
    if kind[0] == "f":
        values = (rng.normal(0, 1000, size)).astype(kind)
        specials = np.array([np.nan, np.inf, -np.inf, 0.5, -0.0, 3e38], kind)
        values[: len(specials)] = specials[:size]
        return values
    info = np.iinfo(kind)
    values = rng.integers(info.min, info.max, size, dtype=kind, endpoint=True)
    values[0], values[-1] = info.min, info.max
    return values


def narrow(kind: str, size: int) -> np.ndarray:
    """Few different values, as images have them: these go by a table."""
    values = np.random.default_rng(1).integers(-100 if kind[0] != "u" else 3, 120, size)
    return values.astype(kind)


def raw(values: np.ndarray) -> np.ndarray:
    return values.view("u1")


def scaled(values: np.ndarray, a: float, b: float, nearest: bool, inverted: bool) -> np.ndarray:
    """The twin of `window.scale`."""
    with np.errstate(all="ignore"):
        found = np.float32(a) * values.astype("f4") + np.float32(b)
        assert found.dtype == np.float32
        found = np.clip(np.nan_to_num(found, nan=0), 0, 255).astype("f4")
    # Halves away from zero, in binary64 where the sum is exact.
    found = np.floor(found.astype("f8") + 0.5) if nearest else np.floor(found)
    out: np.ndarray = found.astype("u1")
    return 255 - out if inverted else out


def test_scale_equals_its_twin() -> None:
    for kind in KINDS:
        for size in SIZES:
            for values in (pixels(kind, size), narrow(kind, size)):
                for a, b in ((1, 0), (0.06227, 12.5), (-0.2, 255), (1e-9, 127.5), (300, -7)):
                    for nearest, inverted in ((True, False), (False, True)):
                        out = np.empty(size, "u1")
                        window.scale(raw(values), kind, out, a, b, nearest, inverted)
                        expected = scaled(values, a, b, nearest, inverted)
                        np.testing.assert_array_equal(out, expected, f"{kind} {size} {a} {b}")


def test_halves_are_rounded_away_from_zero_and_their_neighbours_are_not() -> None:
    halves = np.arange(256, dtype="f4") + np.float32(0.5)
    below, above = np.nextafter(halves, np.float32(0)), np.nextafter(halves, np.float32(300))
    for values, expected in ((halves, 1), (below, 0), (above, 1)):
        out = np.empty(256, "u1")
        window.scale(raw(values), "f4", out, 1, 0, True, False)
        np.testing.assert_array_equal(out, np.minimum(np.arange(256) + expected, 255))


def test_scale_by_what_is_no_number_gives_black() -> None:
    out = np.empty(64, "u1")
    for a, b in ((float("nan"), 0), (1, float("nan")), (0, float("-inf"))):
        window.scale(raw(pixels("u2", 64)), "u2", out, a, b, False, False)
        assert not out.any()


def test_extrema_equal_their_twin() -> None:
    for kind in KINDS:
        for size in (*SIZES, 3):
            values = pixels(kind, size, seed=size)
            finite = values[np.isfinite(values)] if kind[0] == "f" else values
            expected = (finite.min(), finite.max()) if finite.size else None
            assert window.extrema(raw(values), kind) == expected, (kind, size)
    assert window.extrema(b"", "u2") is None
    assert window.extrema(raw(np.array([np.nan, np.inf], "f8")), "f8") is None


def test_clip_equals_its_twin() -> None:
    for kind in INTEGERS:
        for target in ("u1", "u2", "i2"):
            for size in SIZES:
                values = pixels(kind, size)
                info = np.iinfo(target)
                expected = np.clip(values.astype("i8"), info.min, info.max).astype(target)
                out = np.empty(size, target)
                window.clip(raw(values), kind, raw(out), target)
                np.testing.assert_array_equal(out, expected, f"{kind} {target}")


def test_lookup_equals_its_twin() -> None:
    rng = np.random.default_rng(3)
    for kind, entries in (("u1", 256), ("i1", 256), ("u2", 65536), ("i2", 65536)):
        table = rng.integers(0, 256, entries).astype("u1")
        values = pixels(kind, 5000)
        out = np.empty(5000, "u1")
        window.lookup(raw(values), kind, out, table)
        np.testing.assert_array_equal(out, table[values.astype("i8") % entries])


def test_colour_kernels_equal_their_twins() -> None:
    colour = pixels("u2", 3 * 4001).reshape(-1, 3)
    colour[0] = 65535
    gray = np.empty(4001, "u2")
    window.luma(raw(colour.reshape(-1)), raw(gray))
    red, green, blue = colour.astype("u8").T
    np.testing.assert_array_equal(gray, (2126 * red + 7152 * green + 466 * blue) // 10000)
    high = np.empty(colour.size, "u1")
    window.high_bytes(raw(colour.reshape(-1)), high)
    np.testing.assert_array_equal(high, colour.reshape(-1) >> 8)
    inverted = high.copy()
    window.invert(inverted)
    np.testing.assert_array_equal(inverted, 255 - high)


def test_sizes_and_kinds_that_do_not_fit_are_refused() -> None:
    out = np.empty(4, "u1")
    five = np.zeros(5, "u1")
    calls: list[Callable[[], object]] = [
        lambda: window.scale(five, "u1", out, 1, 0, True, False),
        lambda: window.scale(five, "u2", out, 1, 0, True, False),
        lambda: window.scale(five, "c8", out, 1, 0, True, False),
        lambda: window.extrema(five, "i4"),
        lambda: window.clip(five, "u1", out, "u1"),
        lambda: window.clip(np.zeros(16, "u1"), "f4", out, "u1"),
        lambda: window.clip(out, "u1", np.zeros(16, "u1"), "i4"),
        lambda: window.clip(five, "u1", np.zeros(11, "u1"), "u2"),
        lambda: window.lookup(out, "u1", out, five),
        lambda: window.lookup(out, "f4", np.empty(1, "u1"), np.zeros(65536, "u1")),
        lambda: window.luma(np.zeros(12, "u1"), five),
        lambda: window.luma(np.zeros(11, "u1"), out),
        lambda: window.high_bytes(five, out),
    ]
    for call in calls:
        with pytest.raises(ValueError):
            call()


def test_nothing_is_done_with_nothing() -> None:
    empty = np.empty(0, "u1")
    window.scale(empty, "f8", empty, 1, 0, True, False)
    window.clip(empty, "i4", empty, "i2")
    window.lookup(empty, "u1", empty, np.zeros(256, "u1"))
    window.luma(empty, empty)
    window.high_bytes(empty, empty)
    window.invert(empty)
