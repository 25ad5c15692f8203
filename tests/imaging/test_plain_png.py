"""Our reader of plain PNG files against libpng and Pillow: the same pixels, and nothing that libpng
refuses."""

import io
import warnings
import zlib
from contextlib import suppress

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.png_files import (
    END,
    SAMPLES,
    chunk,
    filtered,
    header,
    png_of,
    png_of_rows,
)

from orthanc_fast._ext.png import undo_filters
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.image_files import decode_png, without_alpha
from orthanc_fast.imaging.plain_png import decode_plain_png

SIZES = [(1, 1), (1, 7), (9, 1), (33, 64), (5, 300)]
GRAY = header(8, 4, 8, 0)
ROWS = b"".join(b"\x01" + bytes(range(row, row + 8)) for row in range(4))
PACKED = zlib.compress(ROWS)
WIDE_HEADER = header(640, 64, 8, 0)
WIDE_ROWS = (b"\0" + bytes(range(250)) * 3)[:641] * 64


def raw_rows(rows: int, columns: int, bits: int, color: int) -> np.ndarray:
    """Bytes of smooth and of noisy places, big endian."""
    shape = rows, columns * SAMPLES[color] * bits // 8
    rng = np.random.default_rng(rows * columns + bits + color)
    smooth = np.add.outer(np.arange(rows), np.arange(shape[1])) % 256
    return np.where(rng.random(shape) < 0.5, smooth, rng.integers(0, 256, shape)).astype("u1")


def pixels_of(raw: np.ndarray, columns: int, bits: int, color: int) -> np.ndarray:
    cells = raw.reshape(-1).view(">u2" if bits == 16 else "u1")
    return without_alpha(cells.reshape(len(raw), columns, SAMPLES[color]))


def libpng(data: bytes) -> np.ndarray | None:
    # It makes a text of its message, which quotes what is damaged.
    with suppress(RuntimeError, ValueError):
        return without_alpha(imagecodecs.png_decode(data))
    return None


def is_same_or_left_to_libpng(data: bytes) -> bool:
    """True if ours has read it. Fails where it differs."""
    ours = decode_plain_png(data)
    if ours is None:
        return False
    theirs = libpng(data)
    assert theirs is not None
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype
    return True


@pytest.mark.parametrize("kinds", [[0], [1], [2], [3], [4], [4, 1, 3, 2, 0]])
@pytest.mark.parametrize("color", SAMPLES)
@pytest.mark.parametrize("bits", [8, 16])
def test_all_filters_and_types(bits: int, color: int, kinds: list[int]) -> None:
    for rows, columns in SIZES:
        raw = raw_rows(rows, columns, bits, color)
        size = SAMPLES[color] * bits // 8
        png = png_of_rows(columns, rows, bits, color, filtered(raw, size, kinds))
        assert is_same_or_left_to_libpng(png)
        ours = decode_plain_png(png)
        assert ours is not None
        np.testing.assert_array_equal(ours, pixels_of(raw, columns, bits, color))
        if bits == 8:
            seen = np.asarray(Image.open(io.BytesIO(png)))
            np.testing.assert_array_equal(ours, without_alpha(seen))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_files_of_pillow(mode: str) -> None:
    image = Image.effect_noise((37, 21), 60).convert(mode)
    for options in ({}, {"optimize": True}, {"dpi": (300, 300)}, {"compress_level": 0}):
        into = io.BytesIO()
        image.save(into, "PNG", **options)
        assert is_same_or_left_to_libpng(into.getvalue())


def test_several_parts_and_remarks() -> None:
    remarks = [(b"gAMA", bytes(4)), (b"tEXt", b"a\0b"), (b"tRNS", b"\0\3")]
    parts = [(b"IDAT", part) for part in (b"", PACKED[:1], PACKED[1:9], PACKED[9:], b"")]
    assert is_same_or_left_to_libpng(png_of((b"IHDR", GRAY), *remarks, *parts, END))


OTHERS = {
    "1 bit": png_of_rows(8, 4, 1, 0, b"\0\xa5" * 4),
    "palette": png_of(
        (b"IHDR", header(8, 4, 8, 3)), (b"PLTE", bytes(range(60))), (b"IDAT", PACKED), END
    ),
    "palette beside RGB": png_of(
        (b"IHDR", header(1, 1, 8, 2)), (b"PLTE", b"aaa"), (b"IDAT", zlib.compress(b"\0abc")), END
    ),
    "animated": png_of((b"IHDR", GRAY), (b"acTL", bytes(8)), (b"IDAT", PACKED), END),
    "more rows than announced": png_of_rows(8, 4, 8, 0, ROWS + ROWS),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_those_of_libpng(name: str) -> None:
    theirs = libpng(OTHERS[name])
    assert decode_plain_png(OTHERS[name]) is None
    assert theirs is not None
    np.testing.assert_array_equal(decode_png(OTHERS[name]), theirs)


def test_interlaced_files_are_those_of_libpng() -> None:
    data = png_of((b"IHDR", header(1, 1, 8, 0, interlace=1)), (b"IDAT", zlib.compress(b"\0a")), END)
    assert decode_plain_png(data) is None
    assert decode_png(data).tolist() == [[ord("a")]]


def small_window(distant: bytes) -> bytes:
    """A stream that refers further back than the window of 256 bytes that it announces."""
    packed = bytearray(zlib.compress(distant))
    packed[0] = 0x08
    packed[1] = 31 - (packed[0] << 8) % 31
    return bytes(packed)


BAD = {
    "filter": png_of_rows(8, 4, 8, 0, ROWS[:27] + b"\5" + ROWS[28:]),
    "missing row": png_of_rows(8, 4, 8, 0, ROWS[:-9]),
    "missing byte": png_of_rows(8, 4, 8, 0, ROWS[:-1]),
    "Adler-32": png_of((b"IHDR", GRAY), (b"IDAT", PACKED[:-1] + b"\0"), END),
    "no Adler-32": png_of((b"IHDR", GRAY), (b"IDAT", PACKED[:-4]), END),
    "interrupted": png_of(
        (b"IHDR", GRAY), (b"IDAT", PACKED[:9]), (b"tEXt", b"a\0b"), (b"IDAT", PACKED[9:]), END
    ),
    "checksum of the header": png_of((b"IHDR", GRAY), (b"IDAT", PACKED), END).replace(
        chunk(b"IHDR", GRAY), chunk(b"IHDR", GRAY)[:-1] + b"\0"
    ),
    "checksum of the image": png_of((b"IHDR", GRAY), (b"IDAT", PACKED), END).replace(
        chunk(b"IDAT", PACKED), chunk(b"IDAT", PACKED)[:-1] + b"\0"
    ),
    "unknown necessary chunk": png_of((b"IHDR", GRAY), (b"ABCD", b""), (b"IDAT", PACKED), END),
    "no image": png_of((b"IHDR", GRAY), END),
    "width 0": png_of((b"IHDR", header(0, 4, 8, 0)), (b"IDAT", PACKED), END),
    "compression method": png_of((b"IHDR", GRAY[:10] + b"\1\0\0"), (b"IDAT", PACKED), END),
    "filter method": png_of((b"IHDR", GRAY[:11] + b"\1\0"), (b"IDAT", PACKED), END),
    "bits": png_of((b"IHDR", header(8, 4, 7, 0)), (b"IDAT", PACKED), END),
    "window": png_of((b"IHDR", WIDE_HEADER), (b"IDAT", small_window(WIDE_ROWS)), END),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused(name: str) -> None:
    assert libpng(BAD[name]) is None
    with pytest.raises(BadFileFormat):
        decode_png(BAD[name])


def test_a_file_that_ends_early() -> None:
    data = png_of((b"IHDR", GRAY), (b"IDAT", PACKED[:9]), (b"IDAT", PACKED[9:]), END)
    read = [end for end in range(33, len(data) + 1) if is_same_or_left_to_libpng(data[:end])]
    assert read == list(range(len(data) - 12, len(data) + 1))  # all that is behind is the end


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_nothing_that_libpng_refuses_is_read(data: st.DataObject) -> None:
    """Damage anywhere: in the rows, in the stream (with right checksums of the chunks), in the
    file."""
    bits = data.draw(st.sampled_from([8, 16]))
    color = data.draw(st.sampled_from(sorted(SAMPLES)))
    columns = data.draw(st.integers(1, 9))
    stride = columns * SAMPLES[color] * bits // 8 + 1
    rows = data.draw(st.binary(min_size=stride, max_size=6 * stride))
    announced = data.draw(st.integers(1, 6))
    packed = bytearray(
        zlib.compress(bytes(c % 5 if i % stride == 0 else c for i, c in enumerate(rows)))
    )
    for at, mask in data.draw(st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=2)):
        packed[at % len(packed)] ^= mask
    png = bytearray(
        png_of((b"IHDR", header(columns, announced, bits, color)), (b"IDAT", bytes(packed)), END)
    )
    for at, mask in data.draw(st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=1)):
        png[16 + at % (len(png) - 16)] ^= mask
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        is_same_or_left_to_libpng(bytes(png[: max(33, len(png) - data.draw(st.integers(0, 30)))]))


def test_sizes_are_checked_at_the_door() -> None:
    good = bytes(2 * 5), 2, 4, 1, 1, False
    undo_filters(*good, bytearray(8))
    for wrong in (
        (bytes(9), *good[1:]),
        (bytes(10), 1, 4, 1, 1, False),
        (bytes(10), 2, 4, 1, 2, False),
        (bytes(10), 2, 4, 1, 0, False),
        (bytes(10), 2, 4, 5, 1, False),
        (bytes(10), 2, 4, 1, 1, True),
        (bytes(10), 0, 4, 1, 1, False),
        (bytes(10), -2, -6, 1, 1, False),
        (bytes(10), 1 << 62, 4, 1, 1, False),
        (bytes(10), 2, 1 << 62, 1, 1, False),
    ):
        with pytest.raises(ValueError, match="rows of"):
            undo_filters(*wrong, bytearray(8))
    with pytest.raises(ValueError, match="rows of"):
        undo_filters(*good, bytearray(7))
    with pytest.raises(ValueError, match="unknown filter"):
        undo_filters(bytes(5) + b"\5" + bytes(4), *good[1:], bytearray(8))
