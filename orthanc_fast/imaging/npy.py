"""The header of numpy's file format, byte for byte as Orthanc writes it. Source: reference chapter
2, section 6; numpy.lib.format, version 1.0."""

import numpy as np

MAGIC = b"\x93NUMPY\x01\x00"
ALIGNMENT = 64


def npy_header(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> bytes:
    """`shape` is (frames, rows, columns, channels), or (rows, columns, channels) of one frame."""
    *depth, rows, columns, channels = shape
    texts = [f"{number}, " for number in depth]
    name = f"<{dtype.kind}{dtype.itemsize}"
    text = (
        f"{{'descr': '{name}', 'fortran_order': False, "
        f"'shape': ({''.join(texts)}{rows},{columns},{channels}), }}"
    ).encode()
    length = len(MAGIC) + 2 + len(text) + 1
    padding = -length % ALIGNMENT
    text += b" " * padding + b"\n"
    return MAGIC + len(text).to_bytes(2, "little") + text
