"""Blanked pixels: inside the rectangle there is one colour, outside of it every decoded value is
what it was, whatever the encoding; compressed images are stored without loss."""

import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.files import file_named
from support.images import decoded_by_pydicom, image_file, image_files, image_in

from orthanc_fast import transfer_syntaxes as syntaxes
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import (
    BadFileFormat,
    BadParameterType,
    NotImplementedYet,
    OrthancError,
    ParameterOutOfRange,
)
from orthanc_fast.services.modification.masking import Masking
from orthanc_fast.services.modification.masks import read_masks
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.transfer_syntaxes import SYNTAXES

DICTIONARY = Dictionary()
_MOST_PIXELS = 1 << 20

Frames = list[np.ndarray]


def masking(*region: int, **filters: Any) -> Masking:
    return Masking(read_masks({"MaskPixels": [{"Region": list(region), **filters}]}), DICTIONARY)


def frames_of(data: bytes) -> Frames:
    with image_in(data) as image:
        return [np.array(image.decode(index)) for index in range(image.number_of_frames)]


def check(old: Frames, new: Frames, region: tuple[int, ...], pairs: bool = False) -> None:
    x1, y1, x2, y2 = region
    if pairs:  # two pixels share their colour
        x1, x2 = x1 // 2 * 2, x2 + x2 % 2
    assert len(new) == len(old)
    for before, after in zip(old, new, strict=True):
        assert after.shape == before.shape
        inside = np.zeros(before.shape[:2], bool)
        inside[y1:y2, x1:x2] = True
        np.testing.assert_array_equal(after[~inside], before[~inside])
        assert len(np.unique(after[inside].reshape(inside.sum(), -1), axis=0)) == 1


def one_of_each_kind() -> list[Path]:
    """Files that can be decoded, with other attributes each."""
    found: dict[str, Path] = {}
    for path in image_files():
        try:
            with image_in(path.read_bytes()) as image:
                info = image.info
                size = {"rows": 0, "columns": 0, "number_of_frames": min(info.number_of_frames, 2)}
                kind = repr(msgspec.structs.replace(info, **size))
                pixels = info.rows * info.columns * info.number_of_frames
                if kind in found or pixels > _MOST_PIXELS or min(info.rows, info.columns) < 4:
                    continue
                image.decode(0)
        except OrthancError:
            continue
        found[kind] = path
    return list(found.values())


def test_all_files_of_the_collections() -> None:
    """Every transfer syntax and pixel format that others have written."""
    seen = set()
    for path in one_of_each_kind():
        data = path.read_bytes()
        with image_in(data) as image:
            info = image.info
        region = (1, 1, info.columns // 2 + 1, info.rows // 3 + 2)
        try:
            result = masking(*region).masked(data)
            old = frames_of(data)
        except (NotImplementedYet, BadFileFormat):
            continue  # damaged, or of a kind that nobody encodes
        with image_in(result) as image:
            assert not image.info.syntax.is_lossy
        seen.add(info.transfer_syntax)
        check(old, frames_of(result), region, info.is_subsampled)
    assert len(seen) >= 11


@st.composite
def images(draw: st.DrawFn) -> tuple[bytes, tuple[int, int, int, int], bool]:
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    frames = draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["bits", "gray", "signed", "rgb", "planes", "ybr", "pairs"]))
    colour = kind in ("rgb", "planes", "ybr", "pairs")
    bits = 1 if kind == "bits" else 8 if colour else draw(st.sampled_from([8, 16, 32]))
    columns += columns % 2 if kind == "pairs" else 0
    samples = 2 if kind == "pairs" else 3 if colour else 1
    size = (rows * columns * samples * bits * frames + 7) // 8
    pixels = draw(st.binary(min_size=size, max_size=size))
    names = {"rgb": "RGB", "planes": "RGB", "ybr": "YBR_FULL", "pairs": "YBR_FULL_422"}
    gray = draw(st.sampled_from(["MONOCHROME1", "MONOCHROME2"]))
    data = image_file(
        pixels + bytes(size % 2),
        vr="OB" if bits <= 8 else "OW",
        Rows=rows,
        Columns=columns,
        NumberOfFrames=str(frames),
        SamplesPerPixel=3 if colour else 1,
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=int(kind == "signed"),
        PhotometricInterpretation=names.get(kind, gray),
        PlanarConfiguration=int(kind == "planes") if colour else None,
    )
    x1, y1 = draw(st.integers(0, columns - 1)), draw(st.integers(0, rows - 1))
    x2, y2 = draw(st.integers(x1 + 1, columns + 2)), draw(st.integers(y1 + 1, rows + 2))
    return data, (x1, y1, x2, y2), kind == "pairs"


TARGETS = (
    *(syntaxes.IMPLICIT_LITTLE, syntaxes.EXPLICIT_BIG, syntaxes.DEFLATED, syntaxes.RLE),
    *(syntaxes.JPEG_LOSSLESS_SV1, syntaxes.JPEG_LS_LOSSLESS, syntaxes.JPEG_2000_LOSSLESS),
)


@settings(max_examples=150, deadline=None)
@given(images(), st.sampled_from([syntaxes.EXPLICIT_LITTLE, *TARGETS]))
def test_any_image(made: tuple[bytes, tuple[int, int, int, int], bool], target: str) -> None:
    data, region, pairs = made
    if target != syntaxes.EXPLICIT_LITTLE:
        try:
            data = transcode(data, target, 90, DICTIONARY).data
        except NotImplementedYet:
            return  # this codec has no such pixels
    with image_in(data) as image:
        shares = image.info.is_subsampled
    result = masking(*region).masked(data)
    with image_in(result) as image:
        assert image.info.transfer_syntax == target or not SYNTAXES[target].is_encapsulated
    check(frames_of(data), frames_of(result), region, shares and pairs)


def test_lossy_ones_are_decoded_as_others_decode_them(tmp_path: Path) -> None:
    """pydicom reads what is outside of the rectangle as it reads it in the source."""
    source = file_named("JPEG2000.dcm")
    result = tmp_path / "masked.dcm"
    result.write_bytes(masking(10, 20, 300, 101).masked(source.read_bytes()))
    assert pydicom.dcmread(result).file_meta.TransferSyntaxUID == syntaxes.JPEG_2000_LOSSLESS
    check(decoded_by_pydicom(source), decoded_by_pydicom(result), (10, 20, 300, 101))


def test_what_is_black() -> None:
    def corner(**attributes: Any) -> list[int]:
        samples = attributes.get("SamplesPerPixel", 1)
        data = image_file(bytes([77] * 24 * samples), **attributes)
        result = pydicom.dcmread(io.BytesIO(masking(0, 0, 2, 2).masked(data)))
        return list(result.PixelData[:samples])

    assert corner() == [0]
    assert corner(PhotometricInterpretation="MONOCHROME1") == [255]
    assert corner(PhotometricInterpretation="MONOCHROME1", BitsStored=7, HighBit=6) == [127]
    three: dict[str, Any] = {"SamplesPerPixel": 3, "PlanarConfiguration": 0}
    assert corner(PhotometricInterpretation="RGB", **three) == [0, 0, 0]
    assert corner(PhotometricInterpretation="YBR_FULL", **three) == [0, 128, 128]
    palette: dict[str, Any] = {
        name: value
        for number in (1, 2, 3)
        for name, value in (
            (f"{('Red', 'Green', 'Blue')[number - 1]}PaletteColorLookupTableDescriptor", [4, 0, 8]),
            (
                f"{('Red', 'Green', 'Blue')[number - 1]}PaletteColorLookupTableData",
                b"\x99\x50\x01\x70",
            ),
        )
    }
    assert corner(PhotometricInterpretation="PALETTE COLOR", PixelRepresentation=0, **palette) == [
        2
    ]


def test_the_data_set_says_so() -> None:
    data = image_file(bytes(24), BurnedInAnnotation="YES", IconImageSequence=[])
    found = pydicom.dcmread(io.BytesIO(masking(0, 0, 1, 1).masked(data)))
    assert found.DeidentificationMethodCodeSequence[0].CodeValue == "113101"


def test_filters() -> None:
    data = image_file(bytes(24), Manufacturer="ACME ", Modality="US")
    for filters, applies in (
        ({"Manufacturer": "ACME", "Rows": 4, "Columns": 6}, True),
        ({"FilterSopClass": "1.2.840.10008.5.1.4.1.1.7"}, True),
        ({"Manufacturer": "ACM"}, False),
        ({"Manufacturer": "ACME", "Rows": 5}, False),
        ({"StationName": ""}, False),
    ):
        assert masking(0, 0, 1, 1, **filters).applies(data) is applies
    assert not masking(0, 0, 1, 1).applies(image_file(b"")[:-12])


def test_a_rectangle_outside_of_the_image_is_an_error() -> None:
    with pytest.raises(ParameterOutOfRange, match="outside of the image of 6 x 4"):
        masking(6, 0, 8, 2).masked(image_file(bytes(24)))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, BadParameterType),
        ({"Region": [1, 2, 3]}, BadParameterType),
        ({"Region": [1, 2, 3, "4"]}, BadParameterType),
        ({"Region": [1, 2, 3, True]}, BadParameterType),
        ({"Region": "1,2,3,4"}, BadParameterType),
        ({"Region": [-1, 2, 3, 4]}, ParameterOutOfRange),
        ({"Region": [3, 2, 3, 4]}, ParameterOutOfRange),
        ({"Region": [1, 5, 3, 4]}, ParameterOutOfRange),
        ({"Region": [0, 0, 1, 1], "Nothing": ""}, ParameterOutOfRange),
        ({"Region": [0, 0, 1, 1], "Rows": "4"}, BadParameterType),
        ({"Region": [0, 0, 1, 1], "Modality": 4}, BadParameterType),
    ],
)
def test_wrong_requests(fields: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        read_masks({"MaskPixels": [fields]})
