"""Uncompressed pixel data: cells of 1 to 64 bits, brought into little endian by `frames`.

Source: DICOM PS3.5 section 8.1.1 and 8.2, PS3.3 C.7.6.3.1.2 (chroma subsampling).
"""

import numpy as np

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.cells import interleaved, stored_values
from orthanc_fast.imaging.codecs.contract import Buffer
from orthanc_fast.imaging.info import ImageInfo

# Decompressed by someone who forgot to change the name.
RGB_FROM = frozenset({"YBR_ICT", "YBR_RCT"})


def decode(frame: Buffer, info: ImageInfo, out: np.ndarray | None = None) -> np.ndarray:
    """See `contract.Codec`. 1-bit cells give 0 and 255, those that are indices of a palette
    0 and 1."""
    needed = (info.frame_bits + 7) // 8
    if len(frame) < needed:
        raise BadFileFormat(f"the frame has {len(frame)} bytes instead of {needed}")
    raw = np.frombuffer(frame, np.uint8, needed)
    cells = _cells(raw, info)
    if info.is_subsampled:
        cells = _upsampled(cells, info)
    elif info.planar_configuration == 1:
        cells = interleaved(cells, info)
    values = stored_values(cells.reshape(info.stored_shape), info)
    if out is None:
        return values
    out[...] = values
    return out


def _cells(raw: np.ndarray, info: ImageInfo) -> np.ndarray:
    """One unsigned number (or float) for each sample, with all bits that are allocated."""
    bits = info.bits_allocated
    if bits == 1:
        cells = np.unpackbits(raw, count=info.rows * info.columns, bitorder="little")
        return cells if info.is_palette else cells * np.uint8(255)
    if info.is_float:
        return raw.view("<f4" if bits == 32 else "<f8")
    if bits == 24:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, :3] = raw.reshape(-1, 3)
        return wide.reshape(-1).view("<u4")
    return raw.view(f"<u{bits // 8}")


def _upsampled(cells: np.ndarray, info: ImageInfo) -> np.ndarray:
    """Y1 Y2 Cb Cr becomes two pixels with the same chroma."""
    pairs = cells.reshape(-1, 4)
    pixels = np.empty((len(pairs), 2, 3), cells.dtype)
    pixels[:, :, 0] = pairs[:, :2]
    pixels[:, :, 1:] = pairs[:, None, 2:]
    return pixels.reshape(info.stored_shape)
