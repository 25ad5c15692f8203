"""Uncompressed pixel data: cells of 1 to 64 bits, brought into little endian by `frames`.

Source: DICOM PS3.5 section 8.1.1 and 8.2, PS3.3 C.7.6.3.1.2 (shared chroma).
"""

import numpy as np

from orthanc_fast._ext.cells import interleave, share_chroma, unpack_bits, widen
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.cells import has_padding, raw_bytes, strip_padding
from orthanc_fast.imaging.codecs.contract import Buffer, Parameters
from orthanc_fast.imaging.info import ImageInfo

# Decompressed by someone who forgot to change the name.
RGB_FROM = frozenset({"YBR_ICT", "YBR_RCT"})

MAX_EXPANSION = 8  # single bits become bytes


def describe(frame: bytes | memoryview) -> None:
    """There is none that tells the shape: see `contract.Codec`."""


def decode(frame: Buffer, info: ImageInfo, out: np.ndarray | None = None) -> np.ndarray:
    """See `contract.Codec`. 1-bit cells give 0 and 255, those that are indices of a palette
    0 and 1."""
    needed = (info.frame_bits + 7) // 8
    if len(frame) < needed:
        raise BadFileFormat(f"the frame has {len(frame)} bytes instead of {needed}")
    is_planar = info.planar_configuration == 1 and info.samples_per_pixel == 3
    return decode_cells(np.frombuffer(frame, np.uint8, needed), info, is_planar, out)


def decode_cells(
    raw: np.ndarray, info: ImageInfo, is_planar: bool, out: np.ndarray | None
) -> np.ndarray:
    """Stored values of the bytes of a frame; a view of `raw` where nothing has to be done."""
    arranged = _arrange(raw, info, is_planar, out)
    if arranged is None:
        return _plain(raw, info, out)
    if has_padding(info):
        strip_padding(raw_bytes(arranged), arranged, info)
    return arranged


def _arrange(
    raw: np.ndarray, info: ImageInfo, is_planar: bool, out: np.ndarray | None
) -> np.ndarray | None:
    """The cells in the order and width of stored values, None where they have that already."""
    width = info.bits_allocated // 8
    if not (width in (0, 3) or info.is_subsampled or is_planar):
        return None
    if out is None:
        out = np.empty(info.stored_shape, info.stored_dtype)
    target = raw_bytes(out)
    if width == 0:
        unpack_bits(raw, target, 1 if info.is_palette else 255)
    elif width == 3:
        widen(raw, target)
    elif info.is_subsampled:
        share_chroma(raw, target, width)
    else:
        interleave(raw, target, width)
    return out


def _plain(raw: np.ndarray, info: ImageInfo, out: np.ndarray | None) -> np.ndarray:
    if has_padding(info):
        if out is None:
            out = np.empty(info.stored_shape, info.stored_dtype)
        strip_padding(raw, out, info)
        return out
    values = raw.view(info.stored_dtype).reshape(info.stored_shape)
    if out is not None:
        out[...] = values
        return out
    return values if values.flags.aligned else values.copy()


def encode(pixels: np.ndarray, parameters: Parameters) -> bytes:
    """Whole cells in little endian."""
    return pixels.tobytes()
