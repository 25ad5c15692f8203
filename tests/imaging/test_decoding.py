"""Every file of pydicom's and pydicom-data's collections against pydicom's own decoders."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut
from support.files import dicom_files

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import BadFileFormat, InexistentTag
from orthanc_fast.imaging.syntaxes import SYNTAXES
from orthanc_fast.model import Header
from orthanc_fast.services.pixels import open_image

DICTIONARY = Dictionary()
MAIN_TAGS = MainTags(DICTIONARY, {})


def header_of(path: Path) -> Header | None:
    try:
        return read_header(path.read_bytes(), MAIN_TAGS, DICTIONARY)
    except (BadFileFormat, InexistentTag):
        return None  # what the server does not store


IMAGES = {
    path: header
    for path in dicom_files()
    if (header := header_of(path)) is not None and header.pixels is not None
}
NATIVE = [
    path
    for path, header in IMAGES.items()
    if not SYNTAXES[header.transfer_syntax or ""].is_encapsulated
]


def ours(path: Path) -> list[np.ndarray]:
    header = IMAGES[path]
    with open_image(path.read_bytes(), header.pixels, header.transfer_syntax) as image:
        frames = [image.decode(index) for index in range(image.number_of_frames)]
        for index, frame in enumerate(frames):
            assert frame.shape == image.info.frame_shape
            assert frame.dtype == image.info.dtype
            out = np.empty(image.info.frame_shape, image.info.dtype)
            assert image.decode(index, out) is out
            np.testing.assert_array_equal(out, frame)
    return frames


def theirs(path: Path) -> list[np.ndarray]:
    """pydicom's frames; colour as RGB; of 8-bit indices the upper 8 bits, as Orthanc shows them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        pixels = dataset.pixel_array
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, dataset)
            # Of big endian files it takes the lower byte of the words for the upper one.
            if dataset.BitsAllocated == 8 and pixels.max() > 255:
                pixels = pixels >> 8
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    return [pixels] if frames == 1 else list(pixels)


# What differs on purpose, by how much and why.
ONE_BIT = (254, "0 and 255 here, as Orthanc shows them, 0 and 1 there")
ROUNDED_DOWN = (1, "YBR to RGB is rounded down, as Orthanc does, not to nearest")
DEVIATIONS = {
    "liver.dcm": ONE_BIT,
    "liver_1frame.dcm": ONE_BIT,
    "liver_expb.dcm": ONE_BIT,
    "liver_expb_1frame.dcm": ONE_BIT,
    "SC_ybr_full_uncompressed.dcm": ROUNDED_DOWN,
    "SC_ybr_full_422_uncompressed.dcm": ROUNDED_DOWN,
}


@pytest.mark.parametrize("path", NATIVE, ids=lambda path: path.name)
def test_native(path: Path) -> None:
    if path.name == "badVR.dcm":
        with pytest.raises(BadFileFormat, match="Invalid number of frames: '1A'"):
            ours(path)
        return
    found, expected = ours(path), theirs(path)
    assert len(found) == len(expected)
    tolerance, _ = DEVIATIONS.get(path.name, (0, ""))
    for mine, other in zip(found, expected, strict=True):
        assert mine.shape == other.shape
        np.testing.assert_allclose(mine.astype("f8"), other.astype("f8"), rtol=0, atol=tolerance)
        if tolerance:
            assert not np.array_equal(mine, other)
