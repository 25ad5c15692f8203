"""Image files that clients send -> pixels: PNG, JPEG and PAM.

Sources: PNG, third edition; ITU-T T.81; the man page of PAM (netpbm).
"""

import re
import struct
from typing import Final

import imagecodecs
import numpy as np

from orthanc_fast.errors import BadFileFormat, NotImplementedYet
from orthanc_fast.imaging.codecs.contract import MAX_UNQUESTIONED
from orthanc_fast.imaging.codecs.headers import Header, jpeg_header, require_end
from orthanc_fast.imaging.codecs.jpeg_family import MAX_EXPANSION as JPEG_EXPANSION
from orthanc_fast.imaging.plain_png import decode_plain_png

_PNG_HEAD = re.compile(rb"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
_PNG_EXPANSION: Final = 1100  # what deflate makes of a plain area, at most
_PNG_SAMPLES: Final = {0: 1, 2: 3, 3: 4, 4: 2, 6: 4}  # by colour type; palettes become RGBA
_MAX_BYTES: Final = 0xFFFFFFFE  # of pixel data with a defined length

_PAM_HEAD = re.compile(rb"P7\n((?:[^\n]*\n)*?)ENDHDR\n")
_PAM_DEPTHS: Final = {"GRAYSCALE": 1, "GRAYSCALE_ALPHA": 2, "RGB": 3, "RGB_ALPHA": 4}
_MAX_PAM_HEAD: Final = 4096

_COLOR = 3  # samples
_CMYK = 4


def decode_png(data: bytes) -> np.ndarray:
    """(rows, columns) or (rows, columns, 3) of uint8 or uint16: palettes and fewer than 8 bits
    are expanded, transparency is left out. Raises BadFileFormat."""
    if _PNG_HEAD.match(data) is None or len(data) < 33:
        raise BadFileFormat("the content is no PNG image")
    columns, rows, bits, color = struct.unpack_from(">IIBB", data, 16)
    samples = _PNG_SAMPLES.get(color)
    if samples is None:
        raise BadFileFormat("the PNG image has an unknown type of colour")
    _check_size(rows * columns * samples * (2 if bits == 16 else 1), data, _PNG_EXPANSION)
    pixels = decode_plain_png(data)
    if pixels is not None:
        return pixels
    try:
        return without_alpha(imagecodecs.png_decode(data))
    except (RuntimeError, ValueError) as error:
        raise BadFileFormat(f"damaged PNG image: {error}") from error


def decode_jpeg(data: bytes) -> np.ndarray:
    """(rows, columns) or (rows, columns, 3) of uint8; CMYK becomes RGB. Raises BadFileFormat, also
    for more than 8 bits."""
    header = jpeg_file_header(data)
    require_end(data)
    _check_size(header.rows * header.columns * header.components, data, JPEG_EXPANSION)
    try:
        pixels: np.ndarray = imagecodecs.jpeg8_decode(data)
    except RuntimeError as error:
        raise BadFileFormat(f"damaged JPEG image: {error}") from error
    if header.components == _CMYK:
        return _rgb_of_inverted_cmyk(pixels)
    return pixels


def jpeg_file_header(data: bytes) -> Header:
    """Of JPEG with 8 bits. Raises BadFileFormat."""
    header = jpeg_header(data)
    if header.precision != 8 or header.components not in (1, _COLOR, _CMYK):
        raise BadFileFormat(
            f"a JPEG image of {header.components} samples with {header.precision} bits each: send "
            "it with 8 bits and 1, 3 or 4 samples, or more bits as PNG"
        )
    return header


def decode_pam(data: bytes) -> np.ndarray:
    """(rows, columns) or (rows, columns, 3) of uint8 or uint16, transparency is left out. Raises
    BadFileFormat, NotImplementedYet for other kinds of maps."""
    head = _PAM_HEAD.match(data, 0, _MAX_PAM_HEAD)
    if head is None:
        raise BadFileFormat("the content is no portable arbitrary map")
    fields = _pam_fields(head[1].decode("latin-1"))
    try:
        columns, rows, depth, most = (
            int(fields[name]) for name in ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL")
        )
        kind = fields["TUPLTYPE"]
    except (KeyError, ValueError) as error:
        raise BadFileFormat(f"damaged portable arbitrary map: {error}") from error
    if most not in (255, 65535) or _PAM_DEPTHS.get(kind) != depth:
        raise NotImplementedYet(f"a portable arbitrary map of {kind}, {depth} x {most}")
    cell = np.dtype(">u2") if most > 255 else np.dtype("u1")
    if columns < 1 or rows < 1 or len(data) - head.end() != rows * columns * depth * cell.itemsize:
        raise BadFileFormat("the portable arbitrary map has another size than it announces")
    samples = np.frombuffer(data, cell, offset=head.end())
    return without_alpha(samples.reshape(rows, columns, depth).astype(cell.newbyteorder("<")))


def without_alpha(pixels: np.ndarray) -> np.ndarray:
    """(rows, columns) of what has one or two samples, (rows, columns, 3) of what has more."""
    if pixels.ndim == 2:
        return pixels
    return pixels[..., 0] if pixels.shape[2] < _COLOR else pixels[..., :_COLOR]


def _pam_fields(text: str) -> dict[str, str]:
    lines = (line.split(None, 1) for line in text.splitlines() if not line.startswith("#"))
    return {line[0]: line[1].strip() for line in lines if len(line) == 2}


def _check_size(size: int, data: bytes, expansion: int) -> None:
    """What a header of a few bytes announces is not believed."""
    if size < 1 or size > _MAX_BYTES or (size > MAX_UNQUESTIONED and size > expansion * len(data)):
        raise BadFileFormat(f"{len(data)} bytes cannot be an image of {size} bytes")


def _rgb_of_inverted_cmyk(pixels: np.ndarray) -> np.ndarray:
    """As Adobe writes them, and everybody else: 255 is no ink."""
    black = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :_COLOR] * black + 127) // 255).astype(np.uint8)
