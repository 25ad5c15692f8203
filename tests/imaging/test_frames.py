"""Which bytes are a frame, and which pixels they are, for every kind of layout."""

import struct
from typing import Any

import numpy as np
import pytest
from support.images import image_file, image_in, item

from orthanc_fast._ext import rle
from orthanc_fast.errors import BadFileFormat, NotImplementedYet, OrthancError, ParameterOutOfRange
from orthanc_fast.imaging.info import MAX_FRAME_BYTES
from orthanc_fast.services.pixels.pixels import open_image
from orthanc_fast.transfer_syntaxes import EXPLICIT_BIG, IMPLICIT_LITTLE, JPEG_BASELINE, RLE

RNG = np.random.default_rng(3)
MPEG2 = "1.2.840.10008.1.2.4.100"


def frames_of(data: bytes) -> list[bytes]:
    image = image_in(data)
    return [bytes(image.encoded(index)) for index in range(image.number_of_frames)]


# Fragments

A, B, C, D = (bytes([number]) * 6 for number in range(1, 5))
JPEG_A, JPEG_B = b"\xff\xd8\xffA..", b"\xff\xd8\xffB.."


def compressed(table: bytes, fragments: list[bytes], frames: int, **more: object) -> bytes:
    content = item(table) + b"".join(map(item, fragments))
    return image_file(content, JPEG_BASELINE, "OB", NumberOfFrames=frames, **more)


def offsets(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


@pytest.mark.parametrize(
    "table, fragments, expected",
    [
        (b"", [A], [A]),
        (b"", [A, B, C], [A + B + C]),
        (offsets(0), [A, B], [A + B]),
        (offsets(0, 0, 7), [A, B], [A, B]),  # one fragment each: the table does not matter
        (b"", [A, B, C], [A, B, C]),
        (offsets(0, 14, 28), [A, B, C], [A, B, C]),
        (offsets(0, 28), [A, B, C], [A + B, C]),
        (offsets(0, 14), [A, B, C], [A, B + C]),
        (offsets(0, 14, 42), [A, B, C, D], [A, B + C, D]),
        (b"", [JPEG_A, B, JPEG_B, C], [JPEG_A + B, JPEG_B + C]),
    ],
)
def test_fragments(table: bytes, fragments: list[bytes], expected: list[bytes]) -> None:
    assert frames_of(compressed(table, fragments, len(expected))) == expected


@pytest.mark.parametrize(
    "table, fragments, frames, text",
    [
        (b"", [], 1, "no fragment"),
        (b"", [A, B, C], 2, "nothing tells"),
        (b"", [JPEG_A, B], 3, "nothing tells"),  # A may go on in B, or B be damaged
        (offsets(0), [A, B, C], 2, "not one entry for each"),
        (offsets(0, 14, 28), [A, B, C], 2, "not one entry for each"),
        (offsets(0, 13), [A, B, C], 2, "no fragment begins"),
        (offsets(14, 28), [A, B, C], 2, "ascending"),
        (offsets(0, 0), [A, B, C], 2, "ascending"),
        (b"\0" * 6, [A, B, C], 2, "not one entry for each"),
    ],
)
def test_fragments_that_do_not_add_up(
    table: bytes, fragments: list[bytes], frames: int, text: str
) -> None:
    image = image_in(compressed(table, fragments, frames))
    for index in range(frames):
        with pytest.raises(BadFileFormat, match=text):
            image.encoded(index)


@pytest.mark.parametrize(
    "table, fragments, frames, expected",
    [
        (b"", [A], 2, [A]),
        (b"", [JPEG_A, JPEG_B], 3, [JPEG_A, JPEG_B]),
        (offsets(0, 14, 28), [A, B], 3, [A, B]),
        (offsets(0, 28, 56), [A, B, C, D], 3, [A + B, C + D]),
        (offsets(0, 0xFFFFFFFF), [A, B, C], 2, [A + B + C]),
    ],
)
def test_frames_that_are_missing_hide_no_others(
    table: bytes, fragments: list[bytes], frames: int, expected: list[bytes]
) -> None:
    image = image_in(compressed(table, fragments, frames))
    assert [bytes(image.encoded(index)) for index in range(len(expected))] == expected
    for index in range(len(expected), frames):
        with pytest.raises(BadFileFormat, match="missing"):
            image.encoded(index)
    with pytest.raises(ParameterOutOfRange):
        image.encoded(frames)


@pytest.mark.parametrize("table", [b"", offsets(0, 14, 28)])
def test_a_file_that_is_cut_off_has_the_frames_before(table: bytes) -> None:
    whole = compressed(table, [A, B, C], 3)
    image = image_in(whole)
    for kept in (3, 9, 11):  # of the 14 bytes of the last item
        data = whole[: whole.find(item(C)) + kept]
        cut = open_image(data, image.layout, JPEG_BASELINE)
        assert [bytes(cut.encoded(0)), bytes(cut.encoded(1))] == [A, B]
        with pytest.raises(BadFileFormat):
            cut.encoded(2)


def test_native_frames_that_are_missing_hide_no_others() -> None:
    pixels = bytes(range(48))
    image = image_in(image_file(pixels, NumberOfFrames=3))
    assert bytes(image.raw(0)) + bytes(image.raw(1)) == pixels
    np.testing.assert_array_equal(image.decode(1).reshape(-1), np.arange(24, 48))
    with pytest.raises(BadFileFormat, match="frame 2"):
        image.raw(2)


def test_extended_offset_table() -> None:
    def extended(*starts: int) -> bytes:
        return compressed(
            b"",
            [A, B, C],
            2,
            ExtendedOffsetTable=struct.pack(f"<{len(starts)}Q", *starts),
            ExtendedOffsetTableLengths=struct.pack("<2Q", 6, 12),
        )

    assert frames_of(extended(0, 14)) == [A, B + C]
    for starts in ((0, 13), (0,), (14, 0)):
        with pytest.raises(BadFileFormat, match="table"):
            frames_of(extended(*starts))


def test_only_the_frame_asked_for_is_read() -> None:
    """By its offset table: rubbish where another frame should be does not matter."""
    data = bytearray(compressed(offsets(0, 28, 56), [A, B, C, D, A, B], 3))
    at = data.find(item(A)) + 28
    data[at : at + 4] = b"junk"
    layout = image_in(compressed(offsets(0, 28, 56), [A, B, C, D, A, B], 3)).layout
    image = open_image(bytes(data), layout, JPEG_BASELINE)
    assert bytes(image.encoded(0)) == A + B
    assert bytes(image.encoded(2)) == A + B
    with pytest.raises(BadFileFormat):
        image.encoded(1)


def test_video_is_one_frame_that_is_not_decoded() -> None:
    content = item(b"") + item(A) + item(B)
    image = image_in(image_file(content, MPEG2, "OB", NumberOfFrames=100))
    assert image.number_of_frames == 1
    assert bytes(image.raw(0)) == A + B
    with pytest.raises(NotImplementedYet, match="video"):
        image.decode(0)


# Native cells

KINDS = [
    (allocated, stored, high, signed)
    for allocated, stored, high in (
        (8, 8, 7),
        (8, 5, 4),
        (8, 5, 6),
        (8, 1, 0),
        (16, 16, 15),
        (16, 12, 11),
        (16, 12, 15),
        (16, 8, 7),
        (24, 24, 23),
        (24, 20, 21),
        (32, 32, 31),
        (32, 25, 30),
    )
    for signed in (False, True)
]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("allocated, stored, high, signed", KINDS)
def test_stored_values(allocated: int, stored: int, high: int, signed: bool, big: bool) -> None:
    """Bits around the value are noise: overlays and what else old files keep there."""
    count, size = 2 * 3 * 5, allocated // 8
    noise = RNG.integers(0, 1 << allocated, count, dtype="u8")
    values = RNG.integers(0, 1 << stored, count, dtype="i8")
    shift = high + 1 - stored
    mask = ((1 << stored) - 1) << shift
    words = (noise & ~np.uint64(mask)) | (values.astype("u8") << np.uint64(shift))
    order = "big" if big else "little"
    raw = b"".join(int(word).to_bytes(size, order) for word in words)  # type: ignore[arg-type]
    if signed:
        values = np.where(values >= 1 << (stored - 1), values - (1 << stored), values)
    image = image_in(
        image_file(
            raw,
            EXPLICIT_BIG if big else IMPLICIT_LITTLE,
            "OB" if big and allocated != 16 else "OW",
            Rows=3,
            Columns=5,
            NumberOfFrames=2,
            BitsAllocated=allocated,
            BitsStored=stored,
            HighBit=high,
            PixelRepresentation=int(signed),
        )
    )
    little = b"".join(int(word).to_bytes(size, "little") for word in words)
    assert bytes(image.raw(0)) + bytes(image.raw(1)) == little
    found = np.stack([image.decode(0), image.decode(1)])
    assert found.dtype == f"{'i' if signed else 'u'}{size if size < 3 else 4}"
    np.testing.assert_array_equal(found, values.reshape(2, 3, 5))


@pytest.mark.parametrize("big", [False, True])
def test_single_bits_run_on_from_frame_to_frame(big: bool) -> None:
    pixels = RNG.integers(0, 2, (3, 3, 7), dtype="u1")
    raw = np.packbits(pixels.reshape(-1), bitorder="little").tobytes()
    if big:
        raw = np.frombuffer(raw, "u2").byteswap().tobytes()
    image = image_in(
        image_file(
            raw,
            EXPLICIT_BIG if big else IMPLICIT_LITTLE,
            Rows=3,
            Columns=7,
            NumberOfFrames=3,
            BitsAllocated=1,
            BitsStored=1,
            HighBit=0,
        )
    )
    for index in range(3):
        np.testing.assert_array_equal(image.decode(index), pixels[index] * 255)
        expected = np.packbits(pixels[index].reshape(-1), bitorder="little").tobytes()
        first = np.unpackbits(np.frombuffer(image.raw(index), "u1"), bitorder="little", count=21)
        again = np.packbits(first, bitorder="little").tobytes()
        assert again == expected


@pytest.mark.parametrize("kind, element", [("<f4", 0x7FE00008), ("<f8", 0x7FE00009)])
def test_floats(kind: str, element: int) -> None:
    values = RNG.normal(size=(4, 6)).astype(kind)
    values[0, :3] = np.nan, np.inf, -0.0
    vr = b"OF" if kind == "<f4" else b"OD"
    data = bytearray(image_file(values.tobytes(), BitsAllocated=32, BitsStored=32))
    at = data.rfind(b"\xe0\x7f\x10\x00OW")
    data[at : at + 6] = b"\xe0\x7f" + (element & 0xFFFF).to_bytes(2, "little") + vr
    image = image_in(bytes(data))
    assert image.decode(0).dtype == kind
    np.testing.assert_array_equal(image.decode(0), values)


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("planar", [0, 1])
def test_color_planes(bits: int, planar: int) -> None:
    pixels = RNG.integers(0, 1 << bits, (2, 4, 6, 3), dtype=f"u{bits // 8}", endpoint=False)
    stored = pixels.transpose(0, 3, 1, 2) if planar else pixels
    image = image_in(
        image_file(
            stored.tobytes(),
            NumberOfFrames=2,
            SamplesPerPixel=3,
            BitsAllocated=bits,
            PlanarConfiguration=planar,
            PhotometricInterpretation="RGB",
        )
    )
    for index in range(2):
        np.testing.assert_array_equal(image.decode(index), pixels[index])


@pytest.mark.parametrize("planar", [0, 1])
def test_rle_is_planar_whatever_the_file_says(planar: int) -> None:
    pixels = RNG.integers(0, 1 << 12, (4, 6, 3), dtype="u2")
    frame = rle.encode(pixels.reshape(-1).view("u1"), 4, 6, 3, 2)
    image = image_in(
        image_file(
            item(b"") + item(frame),
            RLE,
            "OB",
            SamplesPerPixel=3,
            BitsAllocated=16,
            BitsStored=12,
            HighBit=11,
            PlanarConfiguration=planar,
            PhotometricInterpretation="RGB",
        )
    )
    np.testing.assert_array_equal(image.decode(0), pixels)


def test_rle_of_single_bits() -> None:
    pixels = RNG.integers(0, 2, (4, 6), dtype="u1")
    packed = np.packbits(pixels.reshape(-1), bitorder="little")
    frame = rle.encode(packed, 1, 3, 1, 1)
    data = image_file(item(b"") + item(frame), RLE, "OB", BitsAllocated=1, BitsStored=1, HighBit=0)
    np.testing.assert_array_equal(image_in(data).decode(0), pixels * 255)


def test_pmsct() -> None:
    """The example of the reference: runs of differences and absolute values."""
    packed = b"\x5a\xe8\x03" + b"\xa5\x06\x01" + b"\xff" * 8 + b"\x5a\x00\x80" + b"\xa5\x06\x00"
    expected = [1000, *range(1001, 1008), *range(1006, 998, -1), 0x8000, *[0x8000] * 7]
    data = image_file(b"", BitsAllocated=16, BitsStored=16, HighBit=15, PixelRepresentation=0)
    at = data.rfind(b"\xe0\x7f\x10\x00")
    element = b"\xa1\x07\x0a\x10OB\0\0" + len(packed + b"\0").to_bytes(4, "little") + packed + b"\0"
    data = data[:at] + element + b"\xa1\x07\x11\x10CS\x0a\x00PMSCT_RLE1"
    image = image_in(data)
    assert image.decode(0).reshape(-1).tolist() == expected
    assert bytes(image.raw(0)) == np.array(expected, "<u2").tobytes()
    for length in (0, 3, len(packed) - 1):
        short = data.replace(element, element[:8] + struct.pack("<I", length) + packed[:length])
        with pytest.raises(BadFileFormat):
            image_in(short).decode(0)


# Refusals


@pytest.mark.parametrize(
    "change, error",
    [
        ({"Rows": None}, NotImplementedYet),
        ({"Columns": None}, NotImplementedYet),
        ({"BitsAllocated": None}, NotImplementedYet),
        ({"BitsAllocated": 12}, NotImplementedYet),
        ({"BitsAllocated": 64}, NotImplementedYet),
        ({"BitsStored": 9}, NotImplementedYet),
        ({"BitsStored": 0}, BadFileFormat),
        ({"SamplesPerPixel": 0}, NotImplementedYet),
        ({"SamplesPerPixel": 2}, NotImplementedYet),
        ({"SamplesPerPixel": 4, "PhotometricInterpretation": "CMYK"}, NotImplementedYet),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "HSV"}, NotImplementedYet),
        ({"SamplesPerPixel": 3, "PlanarConfiguration": 2}, NotImplementedYet),
        ({"NumberOfFrames": 0}, BadFileFormat),
        ({"NumberOfFrames": ["2", "3"]}, BadFileFormat),
        ({"Rows": 65535, "Columns": 65535}, BadFileFormat),
        ({"Rows": 65535, "Columns": 65535, "BitsAllocated": 32}, BadFileFormat),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, BadFileFormat),
    ],
)
def test_attributes_that_make_no_image(change: dict[str, Any], error: type[OrthancError]) -> None:
    with pytest.raises(error):
        image_in(image_file(bytes(24), **change)).decode(0)


@pytest.mark.parametrize("bits, fits", [(8, True), (16, False)])
def test_frames_of_more_than_4_gib_are_none(bits: int, fits: bool) -> None:
    """65,535 x 65,535 bytes are less; what the file holds is not asked yet."""
    data = image_file(bytes(24), Rows=65535, Columns=65535, BitsAllocated=bits)
    if fits:
        assert image_in(data).info.frame_bits // 8 == 65535**2 < MAX_FRAME_BYTES
    else:
        with pytest.raises(BadFileFormat, match="a frame of 65535 x 65535 pixels exceeds 4 GiB"):
            image_in(data)


def test_frames_that_are_none() -> None:
    image = image_in(image_file(bytes(24)))
    for index in (-1, 1, 1 << 40):
        for method in (image.encoded, image.raw, image.decode):
            with pytest.raises(ParameterOutOfRange):
                method(index)


def test_a_file_without_pixels() -> None:
    data = image_file(bytes(24))
    with pytest.raises(BadFileFormat, match="does not have pixel data"):
        image_in(data[: data.rfind(b"\xe0\x7f\x10\x00")])


@pytest.mark.parametrize("change", [{"HighBit": 15}, {"HighBit": 2}, {"HighBit": None}])
def test_an_impossible_high_bit_is_not_believed(change: dict[str, Any]) -> None:
    raw = bytes(range(24))
    image = image_in(image_file(raw, BitsStored=8, **change))
    assert image.decode(0).tobytes() == raw
