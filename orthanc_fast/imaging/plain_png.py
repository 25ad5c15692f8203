"""The PNG files that nearly everybody writes, read in two fifths of the time of libpng: 8 or 16
bits, gray or RGB with or without alpha, not interlaced, undamaged. libpng has the last word on all
others. Source: PNG, third edition, sections 5, 9 and 11."""

import struct
import zlib
from typing import Final

import imagecodecs
import numpy as np
from isal import isal_zlib

from orthanc_fast._ext.png import undo_filters

_HEAD: Final = struct.Struct(">8s8sIIBBBBBI")
_CHUNK: Final = struct.Struct(">I4s")
_CHECKSUM: Final = struct.Struct(">I")
_FRAME: Final = _CHUNK.size + _CHECKSUM.size  # bytes of a chunk beside its content

_SAMPLES: Final = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type
_KEPT: Final = {0: 1, 2: 3, 4: 1, 6: 3}
_WIDE: Final = 16
_MAX_EDGE: Final = 0xFFFF  # far below what libpng admits
# They come before the image and do not change its samples.
_REMARKS: Final = frozenset(
    b"bKGD cHRM eXIf gAMA iCCP iTXt pHYs sBIT sRGB tEXt tIME tRNS zTXt".split()
)


def decode_plain_png(data: bytes) -> np.ndarray | None:
    """(rows, columns) or (rows, columns, 3) of uint8 or uint16 without transparency; None for a
    file of another kind and for a damaged one. The caller has looked at signature and size."""
    _, _, columns, rows, bits, color, method, filters, interlace, checksum = _HEAD.unpack_from(data)
    is_plain = bits in (8, _WIDE) and color in _SAMPLES and not (method or filters or interlace)
    if not is_plain or not 0 < rows <= _MAX_EDGE or not 0 < columns <= _MAX_EDGE:
        return None
    if isal_zlib.crc32(memoryview(data)[12:29]) != checksum:
        return None
    samples, kept, width = _SAMPLES[color], _KEPT[color], bits // 8
    size = rows * (columns * samples * width + 1)
    packed = _packed(data)
    if packed is None or not _has_window(packed, size):
        return None
    filtered = np.empty(size, np.uint8)
    pixels = np.empty((rows, columns, kept)[: 3 if kept > 1 else 2], f"<u{width}")
    try:
        unpacked = imagecodecs.deflate_decode(packed, out=filtered.data)
        if len(unpacked) != size:
            return None
        cells = pixels.reshape(-1).view(np.uint8)
        undo_filters(filtered, rows, columns, samples, kept, bits == _WIDE, cells)
    except (imagecodecs.DeflateError, ValueError):
        return None
    return pixels


def _packed(data: bytes) -> bytes | None:
    """The deflate stream, which is the content of consecutive IDAT chunks with right checksums."""
    view, parts, at = memoryview(data), [], _HEAD.size
    while at + _FRAME <= len(data):
        size, kind = _CHUNK.unpack_from(data, at)
        end = at + _FRAME + size
        if kind == b"IDAT" and end <= len(data):
            (checksum,) = _CHECKSUM.unpack_from(data, end - _CHECKSUM.size)
            if isal_zlib.crc32(view[at + 4 : end - _CHECKSUM.size]) != checksum:
                return None
            parts.append(view[at + _CHUNK.size : end - _CHECKSUM.size])
        elif parts:
            break
        elif kind not in _REMARKS:
            return None
        at = end
    return b"".join(parts) if parts else None


def _has_window(packed: bytes, size: int) -> bool:
    """Whether the announced window is one that no distance can exceed: libdeflate does not hold
    streams to it, zlib does."""
    window = 1 << (packed[0] >> 4) + 8 if packed else 0
    return window >= min(size, 1 << zlib.MAX_WBITS)
