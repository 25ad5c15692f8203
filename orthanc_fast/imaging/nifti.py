"""The header of a NIfTI-1 file (`.nii`, single file). Source: nifti1.h of the NIfTI-1.1 standard,
https://nifti.nimh.nih.gov/nifti-1."""

import struct

import numpy as np

from orthanc_fast.errors import ParameterOutOfRange

LENGTH = 352  # the header, and four bytes that announce no extension
MAX_SIZE = 32767

RGB24 = 128
CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768}
MILLIMETRES = 2
SCANNER = 1  # coordinates of the scanner, for want of a code for patients

# NIfTI's x grows to the right and y to the front of the patient, DICOM's to the left and the back.
RAS_OF_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def nifti_header(
    size: tuple[int, int, int], dtype: np.dtype[np.generic], is_color: bool, affine: np.ndarray
) -> bytes:
    """`size` is (columns, rows, slices), `affine` takes these to LPS mm.

    Raises ParameterOutOfRange for types and sizes that NIfTI-1 does not have.
    """
    kind = f"{dtype.kind}{dtype.itemsize}"
    code = (RGB24 if kind == "u1" else None) if is_color else CODES.get(kind)
    if code is None:
        what = "colour of 16 bits" if is_color else dtype.name
        raise ParameterOutOfRange(f"NIfTI-1 has no {what}: ask for another dtype, or for numpy")
    if max(size) > MAX_SIZE:
        raise ParameterOutOfRange(f"{max(size)} pixels or slices: NIfTI-1 ends at {MAX_SIZE}")
    matrix = RAS_OF_LPS @ affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    bits = 24 if is_color else 8 * dtype.itemsize
    header = struct.pack("<i", 348).ljust(39, b"\0") + b"\0"
    header += struct.pack("<8h", 3, *size, 1, 1, 1, 1)
    header += struct.pack("<3f4h", 0, 0, 0, 0, code, bits, 0)
    header += struct.pack("<8f", 1, *spacing, 0, 0, 0, 0)
    header += struct.pack("<3f", LENGTH, 1, 0)  # the data begin here; slope and intercept
    header += struct.pack("<hBB", 0, 0, MILLIMETRES)
    header = header.ljust(252, b"\0")
    header += struct.pack("<2h6f", 0, SCANNER, 0, 0, 0, 0, 0, 0)
    header += struct.pack("<12f", *matrix[:3].reshape(-1).tolist())
    header = header.ljust(344, b"\0") + b"n+1\0"
    return header.ljust(LENGTH, b"\0")
