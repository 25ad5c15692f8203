"""Decoding files in tests: by this project, and by others."""

import subprocess
import warnings
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import UID
from support.files import dicom_files

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import BadFileFormat, InexistentTag
from orthanc_fast.model import Header
from orthanc_fast.services.pixels.pixels import OpenImage, open_image
from orthanc_fast.transfer_syntaxes import SYNTAXES

_DICTIONARY = Dictionary()
_MAIN_TAGS = MainTags(_DICTIONARY, {})


def header_of(data: bytes) -> Header:
    return read_header(data, _MAIN_TAGS, _DICTIONARY)


def image_in(data: bytes) -> OpenImage:
    header = header_of(data)
    return open_image(data, header.pixels, header.transfer_syntax)


@cache
def image_files() -> tuple[Path, ...]:
    """The files of both collections that the server stores and that have pixel data."""
    found = []
    for path in dicom_files():
        try:
            header = header_of(path.read_bytes())
        except (BadFileFormat, InexistentTag):
            continue
        if header.pixels is not None:
            found.append(path)
    return tuple(found)


def decoded(path: Path) -> list[np.ndarray]:
    """All frames, decoded twice: into a new array and into a given one."""
    frames = []
    with image_in(path.read_bytes()) as image:
        for index in range(image.number_of_frames):
            frame = image.decode(index)
            assert frame.shape == image.info.frame_shape
            assert frame.dtype == image.info.dtype
            out = np.empty(image.info.frame_shape, image.info.dtype)
            assert image.decode(index, out) is out
            np.testing.assert_array_equal(out, frame)
            frames.append(frame)
    return frames


def decoded_by_pydicom(path: Path) -> list[np.ndarray]:
    """Colour as RGB; of palettes for 8-bit indices the upper 8 bits, as Orthanc shows them."""
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


def tool(target: Path, *command: str | Path) -> Path:
    """Runs one of DCMTK's converters, which writes `target`."""
    done = subprocess.run([*map(str, command), str(target)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def greatest_difference(some: list[np.ndarray], others: list[np.ndarray]) -> float:
    """Between two lists of frames; NaN equals NaN."""
    assert len(some) == len(others)
    greatest = 0.0
    for one, other in zip(some, others, strict=True):
        assert one.shape == other.shape
        difference = np.abs(one.astype("f8") - other.astype("f8"))
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
        greatest = max(greatest, float(np.nan_to_num(difference).max()))
    return greatest


def image_file(
    pixels: bytes, syntax: str = "1.2.840.10008.1.2.1", vr: str = "OW", **attributes: object
) -> bytes:
    """A DICOM file with this value of the pixel data, 8-bit grey of 4 x 6 pixels where the
    attributes (by keyword) do not say otherwise; None removes one. Of compressed syntaxes
    `pixels` holds the items."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    dataset = FileDataset(
        "made",
        {},
        file_meta=meta,
        preamble=bytes(128),
        is_implicit_VR=SYNTAXES[syntax].is_implicit,
        is_little_endian=not SYNTAXES[syntax].is_big_endian,
    )
    given: dict[str, object] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7",
        "SOPInstanceUID": "1.2.3.4",
        "StudyInstanceUID": "1.2.3.5",
        "SeriesInstanceUID": "1.2.3.6",
        "Rows": 4,
        "Columns": 6,
        "SamplesPerPixel": 1,
        "BitsAllocated": 8,
        "PhotometricInterpretation": "MONOCHROME2",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, value in {**given, **attributes}.items():
            if value is not None:
                setattr(dataset, name, value)
        element = DataElement(0x7FE00010, vr, pixels, already_converted=True)
        element.is_undefined_length = SYNTAXES[syntax].is_encapsulated
        dataset[0x7FE00010] = element
        target = BytesIO()
        dataset.save_as(target, enforce_file_format=False)
    return target.getvalue()


def item(content: bytes) -> bytes:
    """One fragment."""
    return b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content
