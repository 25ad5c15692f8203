"""Damaged and lying codestreams: one of our errors or a full frame, and no memory for what is not
there."""

import tracemalloc

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.images import image_file, image_in, item

from orthanc_fast._ext import rle
from orthanc_fast.errors import BadFileFormat, NotImplementedYet
from orthanc_fast.imaging.codecs import codec_of
from orthanc_fast.imaging.info import ImageInfo
from orthanc_fast.transfer_syntaxes import (
    HTJ2K_LOSSLESS,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LS_LOSSLESS,
    RLE,
    SYNTAXES,
)

ROWS, COLUMNS = 24, 40
RNG = np.random.default_rng(1)
GRAY = (np.add.outer(np.arange(ROWS), np.arange(COLUMNS)) * 40 + RNG.integers(0, 99)).astype("u2")
GRAY8 = (GRAY >> 4).astype("u1")


def encoded(uid: str) -> tuple[bytes, int]:
    """A grey frame and its BitsAllocated."""
    if uid == RLE:
        return rle.encode(GRAY.reshape(-1).view("u1"), ROWS, COLUMNS, 1, 2), 16
    if uid == JPEG_BASELINE:
        return bytes(imagecodecs.jpeg8_encode(GRAY8)), 8
    if uid == JPEG_EXTENDED:
        return bytes(imagecodecs.jpeg8_encode(GRAY, bitspersample=12)), 16
    if uid == JPEG_LOSSLESS:
        return bytes(imagecodecs.ljpeg_encode(GRAY, bitspersample=16)), 16
    if uid == JPEG_LS_LOSSLESS:
        return bytes(imagecodecs.jpegls_encode(GRAY)), 16
    if uid == JPEG_2000_LOSSLESS:
        return bytes(imagecodecs.jpeg2k_encode(GRAY, level=0, codecformat="j2k")), 16
    return bytes(imagecodecs.htj2k_encode(GRAY)), 16


SYNTAX_IDS = (
    RLE,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LS_LOSSLESS,
    JPEG_2000_LOSSLESS,
    HTJ2K_LOSSLESS,
)
STREAMS = {uid: encoded(uid) for uid in SYNTAX_IDS}


def info(uid: str, rows: int = ROWS, columns: int = COLUMNS, bits: int | None = None) -> ImageInfo:
    bits = bits or STREAMS[uid][1]
    return ImageInfo(
        rows=rows,
        columns=columns,
        samples_per_pixel=1,
        bits_allocated=bits,
        bits_stored=bits,
        high_bit=bits - 1,
        is_signed=False,
        planar_configuration=0,
        photometric_interpretation="MONOCHROME2",
        number_of_frames=1,
        syntax=SYNTAXES[uid],
    )


def decode(uid: str, frame: bytes, **change: int) -> np.ndarray:
    return codec_of(SYNTAXES[uid]).decode(frame, info(uid, **change))


@pytest.mark.parametrize("uid", SYNTAX_IDS)
def test_the_good_one(uid: str) -> None:
    expected = GRAY8 if STREAMS[uid][1] == 8 else GRAY
    difference = np.abs(decode(uid, STREAMS[uid][0]).astype(int) - expected)
    assert difference.max() <= (60 if SYNTAXES[uid].is_lossy else 0)


@pytest.mark.parametrize("uid", SYNTAX_IDS)
def test_truncated(uid: str) -> None:
    """Anywhere, and to nothing. The last few bytes may be padding."""
    frame = STREAMS[uid][0]
    for cut in (0, 1, 3, 20, 60, len(frame) // 2, -5):
        with pytest.raises(BadFileFormat):
            decode(uid, frame[:cut])


@pytest.mark.parametrize("uid", SYNTAX_IDS)
def test_another_size_than_announced(uid: str) -> None:
    frame = STREAMS[uid][0]
    for change in (
        {"rows": ROWS + 1},
        {"columns": COLUMNS + 1},
        {"rows": 65535, "columns": 65535},
        {"bits": 8 if STREAMS[uid][1] == 16 else 1},
    ):
        if uid == RLE and change == {"rows": ROWS + 1}:
            continue  # RLE knows no rows
        with pytest.raises((BadFileFormat, NotImplementedYet)):
            decode(uid, frame, **change)
    if uid != RLE:
        for change in ({"rows": ROWS - 1}, {"columns": COLUMNS - 1}):
            with pytest.raises(BadFileFormat):
                decode(uid, frame, **change)


def header_claims(uid: str, rows: int, columns: int) -> bytes:
    """The same codestream with another size in its header."""
    frame = bytearray(STREAMS[uid][0])
    if uid in (JPEG_2000_LOSSLESS, HTJ2K_LOSSLESS):
        at = frame.find(b"\xff\x51") + 6
        frame[at : at + 8] = columns.to_bytes(4, "big") + rows.to_bytes(4, "big")
    else:
        at = frame.find(ROWS.to_bytes(2, "big") + COLUMNS.to_bytes(2, "big"))
        frame[at : at + 4] = rows.to_bytes(2, "big") + columns.to_bytes(2, "big")
    assert bytes(frame) != STREAMS[uid][0]
    return bytes(frame)


@pytest.mark.parametrize("uid", SYNTAX_IDS)
def test_no_memory_for_what_a_few_bytes_announce(uid: str) -> None:
    """File and codestream agree on 8 GB."""
    frame = STREAMS[uid][0] if uid == RLE else header_claims(uid, 65000, 65000)
    tracemalloc.start()
    try:
        with pytest.raises(BadFileFormat, match="cannot be a frame of 65000 x 65000"):
            decode(uid, frame, rows=65000, columns=65000)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("uid", SYNTAX_IDS)
def test_rubbish(uid: str) -> None:
    for frame in (b"", b"\0" * 100, b"\xff" * 100, RNG.bytes(1000), b"\xff\xd8\xff\xd9"):
        with pytest.raises(BadFileFormat):
            decode(uid, frame)


@given(
    uid=st.sampled_from(SYNTAX_IDS),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.floats(0.5, 1),
)
@settings(max_examples=400, deadline=None)
def test_mutations(uid: str, changes: list[tuple[float, int]], cut: float) -> None:
    frame = bytearray(STREAMS[uid][0])
    for place, value in changes:
        frame[int(place * len(frame))] = value
    try:
        found = decode(uid, bytes(frame[: int(cut * len(frame))]))
    except (BadFileFormat, NotImplementedYet):
        return
    assert found.shape == (ROWS, COLUMNS)
    assert found.dtype == info(uid).dtype


@pytest.mark.parametrize("uid", SYNTAX_IDS)
def test_through_a_whole_file(uid: str) -> None:
    """Frame 0 is good, frame 1 damaged: each gets what it deserves."""
    frame, bits = STREAMS[uid]
    if len(frame) % 2:
        frame += b"\0"
    content = item(b"") + item(frame) + item(frame[:20])
    data = image_file(
        content,
        uid,
        "OB",
        Rows=ROWS,
        Columns=COLUMNS,
        NumberOfFrames=2,
        BitsAllocated=bits,
    )
    image = image_in(data)
    np.testing.assert_array_equal(image.decode(0), decode(uid, frame))
    with pytest.raises(BadFileFormat):
        image.decode(1)
