"""Portable arbitrary map: a header of text, then the samples in big endian."""

import numpy as np

from orthanc_fast._ext.pam import swap_bytes


def picture_to_pam(picture: np.ndarray) -> bytes:
    """PAM of a (rows, columns) picture of 8 or 16 bits or (rows, columns, 3) of 8 bits; of one
    without pixels the header alone."""
    rows, columns = picture.shape[:2]
    depth, kind = (3, "RGB") if picture.ndim == 3 else (1, "GRAYSCALE")
    maximum = 65535 if picture.itemsize == 2 else 255
    header = (
        f"P7\nWIDTH {columns}\nHEIGHT {rows}\nDEPTH {depth}\nMAXVAL {maximum}\n"
        f"TUPLTYPE {kind}\nENDHDR\n"
    ).encode()
    samples = picture.reshape(-1).view(np.uint8)
    if picture.itemsize == 1:
        return header + samples.data
    swapped = bytearray(samples.size)
    swap_bytes(samples, swapped)
    return header + swapped
