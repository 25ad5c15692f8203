"""The kernels of cells, colour and RLE against plain numpy, bit by bit, and against pydicom."""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.pixels.decoders.rle import _rle_decode_frame

from orthanc_fast._ext import cells, color, rle

SIZES = (0, 1, 7, 64, 1003)
RNG = np.random.default_rng(5)


def numbers(kind: str, size: int) -> np.ndarray:
    info = np.iinfo(kind)
    return RNG.integers(info.min, info.max, size, dtype=kind, endpoint=True)


def raw(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1).view("u1")


@pytest.mark.parametrize("size", SIZES)
def test_unpack_bits(size: int) -> None:
    packed = numbers("u1", (size + 7) // 8)
    out = np.empty(size, "u1")
    for one in (1, 255):
        cells.unpack_bits(packed, out, one)
        expected = np.unpackbits(packed, bitorder="little", count=size) * np.uint8(one)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4"])
def test_extract(kind: str) -> None:
    width = np.dtype(kind).itemsize
    bits = 8 * width
    for size in SIZES:
        values = numbers(f"u{width}", size)
        for left, right in ((0, 0), (0, 4), (3, 3), (4, 5), (bits - 1, bits - 1), (0, bits - 1)):
            out = np.empty(size, kind)
            cells.extract(raw(values), raw(out), width, left, right, kind[0] == "i")
            shifted = (values << values.dtype.type(left)).view(kind)
            np.testing.assert_array_equal(out, shifted >> np.dtype(kind).type(right))
            inside = values.copy()
            cells.extract(raw(inside), raw(inside), width, left, right, kind[0] == "i")
            np.testing.assert_array_equal(inside.view(kind), out)


@pytest.mark.parametrize("size", SIZES)
def test_widen(size: int) -> None:
    packed = numbers("u1", 3 * size)
    out = np.empty(size, "u4")
    cells.widen(packed, raw(out))
    parts = packed.reshape(-1, 3).astype("u4")
    np.testing.assert_array_equal(out, parts @ np.array([1, 1 << 8, 1 << 16], "u4"))


@pytest.mark.parametrize("kind", ["u1", "u2", "u4"])
def test_interleave_and_share_chroma(kind: str) -> None:
    width = np.dtype(kind).itemsize
    for size in SIZES:
        planes = numbers(kind, 3 * size).reshape(3, size)
        out = np.empty((size, 3), kind)
        cells.interleave(raw(planes), raw(out), width)
        np.testing.assert_array_equal(out, planes.T)
        pairs = numbers(kind, 4 * size).reshape(size, 4)
        out = np.empty((size, 2, 3), kind)
        cells.share_chroma(raw(pairs), raw(out), width)
        np.testing.assert_array_equal(out, pairs[:, [[0, 2, 3], [1, 2, 3]]])


def ybr_twin(pixels: np.ndarray, bits: int, partial: bool) -> np.ndarray:
    one = np.float32
    y, b, r = (pixels[:, i].astype("f4") for i in range(3))
    y, b, r = y, b - one(1 << (bits - 1)), r - one(1 << (bits - 1))
    if partial:
        y = (y - one(16 * (1 << bits) / 256)) * one(255 / 219)
        b, r = b * one(255 / 224), r * one(255 / 224)
    planes = (
        y + one(1.402) * r,
        y - one(0.344136) * b - one(0.714136) * r,
        y + one(1.772) * b,
    )
    top = one((1 << bits) - 1)
    return np.stack([np.clip(plane, 0, top) for plane in planes], axis=1).astype(pixels.dtype)


@pytest.mark.parametrize("kind, bits", [("u1", 8), ("u1", 7), ("u2", 16), ("u2", 12), ("u2", 8)])
@pytest.mark.parametrize("partial", [False, True])
def test_rgb_from_ybr(kind: str, bits: int, partial: bool) -> None:
    for size in SIZES:
        pixels = (numbers(kind, 3 * size) & ((1 << bits) - 1)).astype(kind).reshape(-1, 3)
        out = np.empty_like(pixels)
        color.rgb_from_ybr(raw(pixels), raw(out), pixels.itemsize, bits, partial)
        np.testing.assert_array_equal(out, ybr_twin(pixels, bits, partial))


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("entry", ["u1", "u2"])
def test_apply_palette(kind: str, entry: str) -> None:
    width = np.dtype(kind).itemsize
    table = numbers(entry, 3 << (8 * width)).reshape(-1, 3)
    for size in SIZES:
        indices = numbers(kind, size)
        out = np.empty((size, 3), entry)
        color.apply_palette(raw(indices), width, raw(table), table.itemsize, raw(out))
        np.testing.assert_array_equal(out, table[indices])


def test_wrong_sizes_are_refused() -> None:
    small, large = np.zeros(4, "u1"), np.zeros(12, "u1")
    calls: list[Callable[[], object]] = [
        lambda: cells.unpack_bits(small, np.zeros(33, "u1"), 1),
        lambda: cells.extract(small, large, 1, 0, 0, False),
        lambda: cells.extract(small, small, 3, 0, 0, False),
        lambda: cells.extract(small, small, 1, 8, 0, False),
        lambda: cells.extract(small, small, 2, 0, -1, False),
        lambda: cells.widen(small, large),
        lambda: cells.interleave(small, small, 1),
        lambda: cells.interleave(large, small, 1),
        lambda: cells.share_chroma(large, large, 1),
        lambda: color.rgb_from_ybr(small, small, 1, 8, False),
        lambda: color.rgb_from_ybr(large, large, 4, 8, False),
        lambda: color.rgb_from_ybr(large, large, 1, 9, False),
        lambda: color.apply_palette(small, 1, small, 1, large),
        lambda: color.apply_palette(small, 1, np.zeros(768, "u1"), 1, small),
    ]
    for call in calls:
        with pytest.raises(ValueError):
            call()


# RLE

PIXELS = st.tuples(
    st.integers(1, 6), st.integers(1, 300), st.sampled_from([1, 3]), st.sampled_from([1, 2, 4])
)


@given(shape=PIXELS, levels=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_rle_as_pydicom_reads_it(shape: tuple[int, int, int, int], levels: int, seed: int) -> None:
    rows, columns, samples, width = shape
    rng = np.random.default_rng(seed)
    values = rng.integers(0, levels, rows * columns * samples).astype(f"u{width}")
    values *= np.uint64(0x01010101 & (1 << 8 * width) - 1).astype(values.dtype)
    frame = rle.encode(raw(values), rows, columns, samples, width)
    assert len(frame) % 2 == 0
    segments = samples * width
    most = segments * (rows * (columns + columns // 128 + 1) + 1)
    assert len(frame) <= 64 + most
    out = np.empty_like(values)
    rle.decode(frame, raw(out), samples, width)
    np.testing.assert_array_equal(out, values)
    theirs = _rle_decode_frame(frame, rows, columns, samples, 8 * width, segment_order="<")
    planes = np.frombuffer(bytes(theirs), f"<u{width}").reshape(samples, -1)
    np.testing.assert_array_equal(planes.T.reshape(-1), values)


@given(data=st.binary(max_size=300), samples=st.sampled_from([1, 3]), size=st.integers(0, 40))
@settings(max_examples=300, deadline=None)
def test_rle_of_anything(data: bytes, samples: int, size: int) -> None:
    """Behind a good header: an error or a full frame, and nothing written beyond it."""
    header = samples.to_bytes(4, "little") + b"".join(
        (64 + number * (len(data) // samples)).to_bytes(4, "little") for number in range(samples)
    )
    room = np.full(size * samples + 16, 0xEE, "u1")
    with suppress(rle.RleError):
        rle.decode(header.ljust(64, b"\0") + data, room[: size * samples], samples, 1)
    assert (room[size * samples :] == 0xEE).all()


@pytest.mark.parametrize(
    "frame, text",
    [
        (b"", "too few"),
        (bytes(63), "too few"),
        (bytes(64), "0 segments instead of 1"),
        (b"\x01\0\0\0\x3f\0\0\0".ljust(64, b"\0") + b"\xfd\x07", "goes from byte 63"),
        (b"\x01\0\0\0\xff\xff\xff\xff".ljust(64, b"\0"), "goes from byte 4294967295"),
        (b"\x01\0\0\0\x40\0\0\0".ljust(64, b"\0") + b"\xfe\x07", "3 values instead of 4"),
        (b"\x01\0\0\0\x40\0\0\0".ljust(64, b"\0") + b"\x03\x07", "0 values instead of 4"),
        (b"\x01\0\0\0\x40\0\0\0".ljust(64, b"\0") + b"\x80" * 9, "0 values instead of 4"),
    ],
)
def test_damaged_rle(frame: bytes, text: str) -> None:
    with pytest.raises(rle.RleError, match=text):
        rle.decode(frame, np.empty(4, "u1"), 1, 1)


def undo_pmsct(data: bytes) -> list[int]:
    """The two passes of the reference, one after the other."""
    first = bytearray()
    at = 0
    while at < len(data):
        if data[at] == 0xA5:
            first += bytes([data[at + 2]]) * (data[at + 1] + 1)
            at += 3
        else:
            first.append(data[at])
            at += 1
    values = []
    value = at = 0
    while at < len(first):
        if first[at] == 0x5A:
            value = first[at + 1] | first[at + 2] << 8
            at += 3
        else:
            value += first[at] - 256 if first[at] > 127 else first[at]
            at += 1
        values.append(value & 0xFFFF)
    return values


@given(
    parts=st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=1).filter(lambda b: b not in (b"\xa5", b"\x5a")),
            st.binary(min_size=2, max_size=2)
            .filter(lambda b: 0xA5 not in b)
            .map(lambda b: b"\x5a" + b),
            st.tuples(st.integers(0, 255), st.integers(0, 255).filter(lambda b: b != 0x5A)).map(
                lambda t: b"\xa5" + bytes(t)
            ),
        )
    )
)
def test_pmsct(parts: list[bytes]) -> None:
    data = b"".join(parts)
    expected = undo_pmsct(data)
    out = np.empty(len(expected), "<u2")
    rle.decode_pmsct(data, raw(out))
    assert out.tolist() == expected
    with pytest.raises(rle.RleError, match=f"make {len(expected)} pixels instead of"):
        rle.decode_pmsct(data, np.empty(2 * len(expected) + 2, "u1"))
