"""Images for the tests of rendered resources: each in a study of its own, found by its name."""

import io

import httpx
import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import UID
from support import window_cases
from support.dicom_web import DicomWebPair
from support.files import file_named

PNG, JPEG, GIF = "image/png", "image/jpeg", "image/gif"
ROOT = "1.2.826.0.1.3680043.10.1042.14"

# Of all kinds: grey with and without sign, colour, palettes, several frames, compressed.
STORED = (
    "CT_small.dcm",
    "MR_small_RLE.dcm",
    "SC_rgb.dcm",
    "SC_rgb_16bit.dcm",
    "OBXXXX1A.dcm",
    "examples_palette.dcm",
    "examples_ybr_color.dcm",
    "emri_small.dcm",
    "JPEG-lossy.dcm",
    "liver_1frame.dcm",
)


def cases() -> dict[str, bytes]:
    """The files by name."""
    stored = {name: file_named(name).read_bytes() for name in STORED}
    return stored | window_cases.files()


def renamed(data: bytes, study: str, series: str = "1", instance: str = "1") -> bytes:
    """The same file with other identifiers, below ROOT."""
    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    dataset.StudyInstanceUID = f"{ROOT}.{study}"
    dataset.SeriesInstanceUID = f"{ROOT}.{study}.{series}"
    dataset.SOPInstanceUID = f"{ROOT}.{study}.{series}.{instance}"
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    target = io.BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()


def path(study: str, series: str = "1", instance: str = "1") -> str:
    """Of an instance that `renamed` has made."""
    uid = f"{ROOT}.{study}"
    below = f"{uid}.{series}"
    return f"/dicom-web/studies/{uid}/series/{below}/instances/{below}.{instance}"


def stored(pair: DicomWebPair, files: dict[str, bytes]) -> dict[str, str]:
    """Stores files in both servers; their paths by name."""
    found = {}
    for number, (name, data) in enumerate(files.items(), start=1):
        pair.store(renamed(data, str(number)))
        found[name] = path(str(number))
    return found


def pixels(answer: httpx.Response) -> np.ndarray:
    """Of a picture, as numbers with a sign."""
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content))).astype(np.int64)


def assert_same_picture(ours: httpx.Response, theirs: httpx.Response, tolerance: int = 1) -> None:
    """Of the same size, with no pixel further apart than `tolerance`."""
    mine, other = pixels(ours), pixels(theirs)
    assert mine.shape == other.shape
    assert np.abs(mine - other).max(initial=0) <= tolerance
