"""GIF: a picture, or several that follow each other, made one by one.

Grey values are kept; of colours there are 252 in steps of equal size (6 reds, 7 greens, 6 blues).
Source: GIF89a.
"""

import struct

import imagecodecs
import numpy as np

from orthanc_fast.errors import OrthancError

_REDS, _GREENS, _BLUES = 6, 7, 6
_MAX_SIZE = 0xFFFF
_SCREEN = 13  # bytes of the header and the logical screen
_COLORS = 256
_HEADS = 1 << 10  # bytes that suffice for all else but the cells
_HAS_GLOBAL_COLORS, _NO_COLORS_OF_ITS_OWN = 0xF7, 0x00
_DESCRIPTOR = b"\x2c"
_END = b"\x3b"
_FOREVER = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"


def gif_start(picture: np.ndarray, *, is_animated: bool) -> bytes:
    """What precedes the pictures, all of the size and kind of this one. Raises OrthancError for a
    size that GIF cannot have."""
    rows, columns = picture.shape[:2]
    if not 0 < rows <= _MAX_SIZE or not 0 < columns <= _MAX_SIZE:
        raise OrthancError(f"GIF cannot have {columns} x {rows} pixels", code=24)
    screen = struct.pack("<6sHHBBB", b"GIF89a", columns, rows, _HAS_GLOBAL_COLORS, 0, 0)
    colors = _COLOR_TABLE if picture.ndim == 3 else _GRAY_TABLE
    return b"".join((screen, colors, _FOREVER if is_animated else b""))


def gif_frame(picture: np.ndarray, seconds: float = 0.0) -> bytes:
    """One picture, (rows, columns) or (rows, columns, 3) of uint8, shown for so long."""
    cells = _indexes(picture) if picture.ndim == 3 else picture
    # Codes have up to 12 bits, which may be one for each cell, in blocks of 255 bytes; by itself
    # the encoder takes less room, and fails where noise needs it.
    room = _SCREEN + 3 * _COLORS + _HEADS + 2 * cells.size
    encoded = bytes(imagecodecs.gif_encode(np.ascontiguousarray(cells), out=room))
    # The encoder writes a file with one picture: its own screen and colours are left out.
    start = encoded.index(_DESCRIPTOR, _SCREEN + 3 * _COLORS)
    hundredths = min(max(round(100 * seconds), 0), 0xFFFF)
    return struct.pack("<2sBBHBB", b"\x21\xf9", 4, 0, hundredths, 0, 0) + encoded[start:-1]


def gif_end() -> bytes:
    """What follows the last picture."""
    return _END


def picture_to_gif(picture: np.ndarray) -> bytes:
    """GIF of one picture. Raises as `gif_start` does."""
    return gif_start(picture, is_animated=False) + gif_frame(picture) + _END


def _steps(count: int) -> np.ndarray:
    """The step that each value of 8 bits is nearest to."""
    found: np.ndarray = (np.arange(256) * (count - 1) + 127) // 255
    return found.astype(np.uint8)


def _color_table() -> bytes:
    levels = [[round(i * 255 / (n - 1)) for i in range(n)] for n in (_REDS, _GREENS, _BLUES)]
    colors = bytes(v for r in levels[0] for g in levels[1] for b in levels[2] for v in (r, g, b))
    return colors.ljust(3 * _COLORS, b"\0")


_GRAY_TABLE = bytes(v for v in range(_COLORS) for _ in range(3))
_COLOR_TABLE = _color_table()
_RED_STEPS = _steps(_REDS) * np.uint8(_GREENS * _BLUES)
_GREEN_STEPS = _steps(_GREENS) * np.uint8(_BLUES)
_BLUE_STEPS = _steps(_BLUES)


def _indexes(picture: np.ndarray) -> np.ndarray:
    """The places of the nearest colours in the table."""
    red, green, blue = (picture[..., at] for at in range(3))
    found: np.ndarray = _RED_STEPS[red] + _GREEN_STEPS[green] + _BLUE_STEPS[blue]
    return found
