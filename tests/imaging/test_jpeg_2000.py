"""JPEG 2000 whose components differ: precision, or chroma of fewer samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.images import image_file, image_in, item
from support.jpeg_2000 import joined

from orthanc_fast.errors import BadFileFormat, NotImplementedYet
from orthanc_fast.transfer_syntaxes import JPEG_2000, JPEG_2000_LOSSLESS

ROWS, COLUMNS = 131, 141
RNG = np.random.default_rng(3)
FULL = (1, 1)


def plane(bits: int = 8, step: tuple[int, int] = FULL) -> np.ndarray:
    """Noise in broad strokes, which stays clear of what is clamped."""
    size = (-(-ROWS // step[1]), -(-COLUMNS // step[0]))
    quarter = 1 << (bits - 2)
    return RNG.integers(quarter, 2 * quarter, size).astype("u1" if bits <= 8 else "u2")


def decode(stream: bytes, photometric: str = "RGB", allocated: int = 8) -> np.ndarray:
    stream += b"\0" * (len(stream) % 2)
    data = image_file(
        item(b"") + item(stream),
        JPEG_2000_LOSSLESS if photometric == "RGB" else JPEG_2000,
        "OB",
        Rows=ROWS,
        Columns=COLUMNS,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation=photometric,
        BitsAllocated=allocated,
        BitsStored=allocated,
        HighBit=allocated - 1,
        PixelRepresentation=0,
    )
    with image_in(data) as image:
        return image.decode(0)


@pytest.mark.parametrize("bits", [(8, 7, 8), (5, 8, 6), (12, 9, 16)])
def test_unequal_precision(bits: tuple[int, ...]) -> None:
    planes = [plane(depth) for depth in bits]
    found = decode(joined(planes, [FULL] * 3, list(bits)), allocated=8 if bits[0] <= 8 else 16)
    np.testing.assert_array_equal(found, np.stack(planes, axis=2))


def rgb_of(y: np.ndarray, blue: np.ndarray, red: np.ndarray) -> np.ndarray:
    """PS3.3 C.7.6.3.1.2, the other way round, as real numbers."""
    y, blue, red = y.astype("f8"), blue - 128.0, red - 128.0
    return np.stack(
        [y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue], axis=2
    ).clip(0, 255)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422", "YBR_ICT"])
@pytest.mark.parametrize("step", [(2, 1), (2, 2), (1, 2), (4, 1)])
def test_chroma_of_fewer_samples(step: tuple[int, int], photometric: str) -> None:
    y, blue, red = plane(), plane(step=step), plane(step=step)
    found = decode(joined([y, blue, red], [FULL, step, step], [8, 8, 8]), photometric)
    wide = [half.repeat(step[1], 0).repeat(step[0], 1)[:ROWS, :COLUMNS] for half in (blue, red)]
    # OpenJPEG cuts each product and the sum down to whole numbers.
    assert np.abs(found - rgb_of(y, *wide)).max() < 2


@pytest.mark.parametrize(
    "steps, bits, photometric, error",
    [
        ([FULL, (2, 1), (2, 2)], [8, 8, 8], "RGB", NotImplementedYet),
        ([FULL, (3, 1), (3, 1)], [8, 8, 8], "RGB", NotImplementedYet),
        ([FULL] * 3, [8, 12, 8], "RGB", NotImplementedYet),
        ([FULL, (2, 1), (2, 1)], [8, 8, 8], "YBR_FULL", BadFileFormat),
    ],
)
def test_what_no_decoder_can_take(
    steps: list[tuple[int, int]], bits: list[int], photometric: str, error: type[Exception]
) -> None:
    planes = [plane(depth, step) for depth, step in zip(bits, steps, strict=True)]
    with pytest.raises(error):
        decode(joined(planes, steps, bits), photometric, 16)


UNEVEN = [
    joined([plane(8), plane(7), plane(8)], [FULL] * 3, [8, 7, 8]),
    joined([plane(), *(plane(step=(1, 2)) for _ in "BR")], [FULL, (1, 2), (1, 2)], [8, 8, 8]),
    joined([plane(), *(plane(step=(2, 2)) for _ in "BR")], [FULL, (2, 2), (2, 2)], [8, 8, 8]),
]


@given(
    stream=st.sampled_from(UNEVEN),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    is_early=st.booleans(),
    cut=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_mutations(
    stream: bytes, changes: list[tuple[float, int]], is_early: bool, cut: float
) -> None:
    """A frame or one of our errors."""
    damaged = bytearray(stream)
    room = 160 if is_early else len(damaged) - 1
    for place, value in changes:
        damaged[int(place * room)] = value
    del damaged[int(len(damaged) * max(cut, 0.5)) :]
    try:
        frame = decode(bytes(damaged))
    except (BadFileFormat, NotImplementedYet):
        return
    assert frame.shape == (ROWS, COLUMNS, 3)
