"""Lookup tables of every form that the standard has had, against pydicom where it reads them."""

import numpy as np
import pydicom
import pytest
from pydicom.pixels.processing import _expand_segmented_lut, apply_color_lut
from support.images import image_file, image_in

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.transfer_syntaxes import EXPLICIT_BIG, EXPLICIT_LITTLE

RNG = np.random.default_rng(9)
COLORS = ("Red", "Green", "Blue")


def palette_file(
    indices: np.ndarray,
    tables: list[bytes],
    descriptor: tuple[int, int, int],
    segmented: bool = False,
    syntax: str = EXPLICIT_LITTLE,
) -> bytes:
    prefix = "Segmented" if segmented else ""
    attributes: dict[str, object] = {}
    for color, table in zip(COLORS, tables, strict=True):
        attributes[f"{color}PaletteColorLookupTableDescriptor"] = list(descriptor)
        attributes[f"{prefix}{color}PaletteColorLookupTableData"] = table
    bits = 8 * indices.itemsize
    big = syntax == EXPLICIT_BIG
    return image_file(
        (indices.byteswap() if big else indices).tobytes(),
        syntax,
        "OB" if bits == 8 else "OW",
        Rows=indices.shape[0],
        Columns=indices.shape[1],
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
        PhotometricInterpretation="PALETTE COLOR",
        **attributes,
    )


def indices(kind: str = "u1", top: int = 256) -> np.ndarray:
    return RNG.integers(0, top, (8, 10)).astype(kind)


@pytest.mark.parametrize("syntax", [EXPLICIT_LITTLE, EXPLICIT_BIG])
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("count, first", [(256, 0), (100, 0), (100, 30), (1, 7)])
def test_words(count: int, first: int, bits: int, syntax: str) -> None:
    """Indices outside of a table mean its first and last entry."""
    tables = RNG.integers(0, 1 << bits, (3, count)).astype("u2")
    pixels = indices()
    raw = [(t.byteswap() if syntax == EXPLICIT_BIG else t).tobytes() for t in tables]
    found = image_in(palette_file(pixels, raw, (count, first, bits), syntax=syntax)).decode(0)
    places = np.clip(pixels.astype(int) - first, 0, count - 1)
    np.testing.assert_array_equal(found, (tables[:, places] >> (bits - 8)).transpose(1, 2, 0))
    assert found.dtype == np.uint8


@pytest.mark.parametrize("bits, scaled", [(8, 257), (12, 16), (16, 1)])
def test_indices_of_16_bits(bits: int, scaled: int) -> None:
    tables = RNG.integers(0, 1 << bits, (3, 1 << 16)).astype("u2")
    pixels = indices("u2", 1 << 16)
    data = palette_file(pixels, [t.tobytes() for t in tables], (0, 0, bits))
    found = image_in(data).decode(0)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, (tables[:, pixels] * np.uint16(scaled)).transpose(1, 2, 0))


def test_two_entries_in_a_word() -> None:
    tables = RNG.integers(0, 256, (3, 256)).astype("u1")
    pixels = indices()
    data = palette_file(pixels, [t.tobytes() for t in tables], (256, 0, 8))
    found = image_in(data).decode(0)
    np.testing.assert_array_equal(found, tables[:, pixels].transpose(1, 2, 0))
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(data))
    np.testing.assert_array_equal(found, apply_color_lut(dataset.pixel_array, dataset))


# Discrete 3, linear 100 to 9000, linear down 50, discrete 2, repeat the two linear ones, linear
WORDS = [0, 3, 10, 500, 900, 1, 100, 9000, 1, 50, 20, 0, 2, 7, 60000, 2, 2, 10, 0, 1, 9, 65535]
BYTES = [0, 3, 10, 50, 90, 1, 100, 250, 1, 50, 20, 0, 2, 7, 60, 2, 2, 5, 0, 0, 0, 1, 9, 255]


def test_segments_of_words() -> None:
    """The offset of an indirect segment counts bytes, for pydicom words."""
    count = 3 + 100 + 50 + 2 + 150 + 9
    for_pydicom = WORDS.copy()
    for_pydicom[17] = 5
    expected = np.array(_expand_segmented_lut(tuple(for_pydicom), "<H"))
    assert len(expected) == count
    raw = np.array(WORDS, "<u2").tobytes()
    pixels = np.arange(count, dtype="u2").reshape(2, -1)
    found = image_in(palette_file(pixels, [raw] * 3, (count, 0, 16), True)).decode(0)
    np.testing.assert_array_equal(found[..., 0].reshape(-1), expected)
    np.testing.assert_array_equal(found[..., 0], found[..., 2])


@pytest.mark.parametrize("syntax", [EXPLICIT_LITTLE, EXPLICIT_BIG])
def test_segments_of_bytes(syntax: str) -> None:
    expected = np.array(_expand_segmented_lut(tuple(BYTES), "<B"))
    raw = np.array(BYTES, "u1")
    if syntax == EXPLICIT_BIG:
        raw = raw.view("u2").byteswap().view("u1")
    pixels = np.arange(256, dtype="u1").reshape(2, -1)
    data = palette_file(pixels, [raw.tobytes()] * 3, (256, 0, 8), True, syntax)
    found = image_in(data).decode(0)[..., 1].reshape(-1)
    np.testing.assert_array_equal(found, expected[:256])


@pytest.mark.parametrize(
    "table, descriptor, segmented",
    [
        (bytes(510), (256, 0, 16), False),
        (bytes(254), (256, 0, 8), False),
        (bytes(512), (256, 0, 0), False),
        (bytes(512), (256, 0, 17), False),
        (bytes(512), (256, 0), False),
        (bytes(512), (0, 0, 8), False),
        (b"", (256, 0, 8), False),
        (bytes([0, 200]) + bytes(100), (256, 0, 8), True),  # discrete, cut off
        (bytes([1, 255, 9, 0]), (256, 0, 8), True),  # linear from nowhere
        (bytes([0, 0, 2, 255, 0, 0, 0, 0] * 999), (256, 0, 8), True),  # adds nothing, often
        (bytes([0, 2, 1, 1, 3, 9]), (256, 0, 8), True),  # no such segment
        (bytes([0, 2, 1, 1, 2, 9, 4, 0]), (256, 0, 8), True),  # indirect, cut off
        (bytes([0, 2, 1, 1, 2, 9, 4, 0, 0, 0]), (256, 0, 8), True),  # indirect to itself
        (bytes([0, 2, 1, 1, 1, 0, 9, 9]), (256, 0, 8), True),  # a line without length
    ],
)
def test_palettes_that_make_no_sense(
    table: bytes, descriptor: tuple[int, ...], segmented: bool
) -> None:
    data = palette_file(indices(), [table] * 3, descriptor, segmented)  # type: ignore[arg-type]
    with pytest.raises(BadFileFormat):
        image_in(data).decode(0)
