"""Headers of files against their codestreams: what is encoded is what is shown, and transcoding
loses nothing of it."""

import imagecodecs
import numpy as np
import pytest
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import dcmread
from support.images import image_file, image_in, item

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import BadFileFormat, NotImplementedYet
from orthanc_fast.imaging.codecs import codec_of
from orthanc_fast.imaging.codecs.contract import Parameters
from orthanc_fast.services.pixels.pixels import OpenImage, open_image
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.transfer_syntaxes import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    HTJ2K_LOSSLESS,
    IMPLICIT_LITTLE,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    RLE,
    SYNTAXES,
)

RAMP = (np.arange(64 * 48) * 2520 // (64 * 48 - 1)).reshape(64, 48).astype("u2")
LOSSLESS = (
    EXPLICIT_LITTLE,
    EXPLICIT_BIG,
    IMPLICIT_LITTLE,
    RLE,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    JPEG_2000_LOSSLESS,
    HTJ2K_LOSSLESS,
)


def encoded(syntax: str, pixels: np.ndarray, bits: int = 16, quality: int | None = None) -> bytes:
    return codec_of(SYNTAXES[syntax]).encode(pixels, Parameters(syntax, bits, quality))


def compressed(codestream: bytes, syntax: str, **attributes: object) -> bytes:
    content = item(b"") + item(codestream + b"\0" * (len(codestream) % 2))
    given: dict[str, object] = {
        "Rows": 64,
        "Columns": 48,
        "BitsAllocated": 16,
        "BitsStored": 10,
        "HighBit": 9,
        "PixelRepresentation": 0,
    }
    return image_file(content, syntax, "OB", **{**given, **attributes})


def twelve_bits(syntax: str) -> bytes:
    """The ramp, which needs 12 bits, as a codestream that knows that."""
    if syntax in (JPEG_2000, JPEG_2000_LOSSLESS):
        return encoded(JPEG_2000_LOSSLESS, RAMP, 12)
    if syntax == HTJ2K_LOSSLESS:
        return encoded(HTJ2K_LOSSLESS, RAMP, 12)
    return bytes(imagecodecs.jpeg8_encode(RAMP, lossless=True, predictor=1, bitspersample=12))


def whole_cells(syntax: str) -> bytes:
    """The same as one of 16 bits."""
    if syntax == JPEG_LS_LOSSLESS:
        return encoded(JPEG_LS_LOSSLESS, RAMP)
    if syntax == JPEG_LOSSLESS_SV1:
        return encoded(JPEG_LOSSLESS_SV1, RAMP)
    return encoded(JPEG_2000_LOSSLESS, RAMP)


WIDER = [
    *((syntax, twelve_bits) for syntax in (JPEG_2000_LOSSLESS, JPEG_2000, HTJ2K_LOSSLESS)),
    (JPEG_LOSSLESS_SV1, twelve_bits),
    *((s, whole_cells) for s in (JPEG_LS_LOSSLESS, JPEG_LOSSLESS_SV1, JPEG_2000_LOSSLESS)),
]


@pytest.mark.parametrize("syntax, encode", WIDER)
def test_more_bits_than_announced(syntax: str, encode: object) -> None:
    assert callable(encode)
    data = compressed(encode(syntax), syntax)
    np.testing.assert_array_equal(image_in(data).decode(0), RAMP)
    for target in LOSSLESS:
        if target == syntax:
            continue
        made = transcode(data, target, 90, Dictionary()).data
        found = image_in(made)
        np.testing.assert_array_equal(found.decode(0), RAMP, target)
        dataset = dcmread(DicomBytesIO(made))
        assert dataset.BitsStored in (12, 16)
        assert dataset.HighBit == dataset.BitsStored - 1


def test_signed_cells_that_are_wider_than_announced() -> None:
    values = (RAMP.astype("i4") - 1260).astype("i2")
    codestream = encoded(JPEG_LS_LOSSLESS, values.view("u2"))
    data = compressed(codestream, JPEG_LS_LOSSLESS, PixelRepresentation=1)
    np.testing.assert_array_equal(image_in(data).decode(0), values)
    made = transcode(data, EXPLICIT_LITTLE, 90, Dictionary()).data
    np.testing.assert_array_equal(image_in(made).decode(0), values)


def test_cells_with_zeros_above_a_sign_are_not_wider() -> None:
    values = (RAMP.astype("i4") - 1260).astype("i2")
    codestream = encoded(JPEG_LS_LOSSLESS, values.view("u2") & 0x0FFF)
    data = compressed(
        codestream, JPEG_LS_LOSSLESS, PixelRepresentation=1, BitsStored=12, HighBit=11
    )
    image = image_in(data)
    np.testing.assert_array_equal(image.decode(0), values)
    assert image.info.bits_stored == 12


def test_overlays_in_cells_are_no_values() -> None:
    overlay = np.zeros(RAMP.shape, "u2")
    overlay[10:20] = 1 << 15
    codestream = encoded(JPEG_LS_LOSSLESS, RAMP | overlay)
    given = {"BitsStored": 12, "HighBit": 11}
    data = compressed(codestream, JPEG_LS_LOSSLESS, **given)
    dataset = dcmread(DicomBytesIO(data))
    dataset.add_new(0x60000100, "US", 16)
    dataset.add_new(0x60000102, "US", 15)
    buffer = DicomBytesIO()
    dataset.save_as(buffer)
    np.testing.assert_array_equal(image_in(buffer.getvalue()).decode(0), RAMP)


def warned(data: bytes) -> tuple[OpenImage, list[str]]:
    texts: list[str] = []
    header = dcmread(DicomBytesIO(data)).file_meta.TransferSyntaxUID
    return open_image(data, None, header, texts.append), texts


@pytest.mark.parametrize("rows, columns", [(48, 64), (32, 24), (100, 200)])
@pytest.mark.parametrize("syntax", [JPEG_LS_LOSSLESS, JPEG_LOSSLESS_SV1, JPEG_2000_LOSSLESS])
def test_the_shape_of_the_codestream(syntax: str, rows: int, columns: int) -> None:
    given = {"BitsStored": 16, "HighBit": 15, "Rows": rows, "Columns": columns}
    data = compressed(whole_cells(syntax), syntax, **given)
    image, texts = warned(data)
    assert image.info.frame_shape == RAMP.shape
    np.testing.assert_array_equal(image.decode(0), RAMP)
    assert texts == [f"rows 64 instead of {rows}, columns 48 instead of {columns}"]
    made = transcode(data, EXPLICIT_LITTLE, 90, Dictionary()).data
    dataset = dcmread(DicomBytesIO(made))
    assert (dataset.Rows, dataset.Columns) == RAMP.shape
    np.testing.assert_array_equal(dataset.pixel_array, RAMP)


def test_grey_announced_as_colour() -> None:
    grey = (RAMP >> 4).astype("u1")
    codestream = bytes(imagecodecs.jpeg8_encode(grey, lossless=True, predictor=1))
    attributes = {
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0,
    }
    image, texts = warned(compressed(codestream, JPEG_LOSSLESS_SV1, **attributes))
    np.testing.assert_array_equal(image.decode(0), grey)
    assert len(texts) == 1
    made = transcode(
        compressed(codestream, JPEG_LOSSLESS_SV1, **attributes), EXPLICIT_LITTLE, 90, Dictionary()
    )
    dataset = dcmread(DicomBytesIO(made.data))
    assert (dataset.SamplesPerPixel, dataset.PhotometricInterpretation) == (1, "MONOCHROME2")
    np.testing.assert_array_equal(dataset.pixel_array, grey)


def test_colour_announced_as_grey() -> None:
    colour = np.full((64, 48, 3), (200, 30, 60), "u1")
    codestream = bytes(imagecodecs.jpeg8_encode(colour, level=98))
    data = compressed(codestream, JPEG_BASELINE, BitsAllocated=8, BitsStored=8, HighBit=7)
    found = image_in(data).decode(0)
    assert np.abs(found.astype(int) - colour).max() <= 2


ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"


def marked(colour: np.ndarray, transform: int | None, jfif: bool, ycbcr: bool) -> bytes:
    """Lossy JPEG of RGB, or of YCbCr made of it, with the markers that are wanted only."""
    codestream = bytes(
        imagecodecs.jpeg8_encode(
            colour, level=98, colorspace="RGB", outcolorspace="YCBCR" if ycbcr else "RGB"
        )
    )
    at = 2
    while codestream[at + 1] in (0xE0, 0xEE):
        at += 2 + int.from_bytes(codestream[at + 2 : at + 4], "big")
    head = b"\xff\xd8"
    if jfif:
        head += b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    if transform is not None:
        head += ADOBE + bytes([transform])
    return head + codestream[at:]


@pytest.mark.parametrize(
    "transform, jfif, ycbcr, announced",
    [
        (None, True, True, "RGB"),
        (None, True, True, "YBR_FULL_422"),
        (1, False, True, "RGB"),
        (0, False, False, "YBR_FULL_422"),
        (0, False, False, "RGB"),
        (None, False, True, "YBR_FULL"),
        (None, False, False, "RGB"),
        (0, True, False, "YBR_FULL_422"),
    ],
)
def test_a_marker_decides_what_the_colour_is(
    transform: int | None, jfif: bool, ycbcr: bool, announced: str
) -> None:
    colour = np.full((64, 48, 3), (200, 30, 60), "u1")
    data = compressed(
        marked(colour, transform, jfif, ycbcr),
        JPEG_BASELINE,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation=announced,
    )
    found = image_in(data).decode(0)
    assert np.abs(found.astype(int) - colour).max() <= 2


def test_12_bits_announced_as_8() -> None:
    codestream = encoded(JPEG_EXTENDED, RAMP, 12, 100)
    data = compressed(codestream, JPEG_EXTENDED, BitsAllocated=8, BitsStored=8, HighBit=7)
    image = image_in(data)
    assert image.info.dtype == "u2"
    assert np.abs(image.decode(0).astype(int) - RAMP).max() <= 4


def test_what_makes_no_image_stays_refused() -> None:
    codestream = encoded(JPEG_2000_LOSSLESS, RAMP, 12)
    data = compressed(codestream, JPEG_2000_LOSSLESS, SamplesPerPixel=2)
    with pytest.raises((BadFileFormat, NotImplementedYet)):
        image_in(data).decode(0)
