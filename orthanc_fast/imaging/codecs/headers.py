"""What a codestream says about itself, read before a decoder may take memory for it.

Sources: ITU-T T.81 Annex B, T.87 Annex C (JPEG, JPEG-LS); T.800 Annex A (JPEG 2000).
"""

import struct

import msgspec

from orthanc_fast.errors import BadFileFormat, NotImplementedYet
from orthanc_fast.imaging.info import ImageInfo

SOF_BASELINE, SOF_EXTENDED, SOF_PROGRESSIVE, SOF_LOSSLESS, SOF_LS = 0xC0, 0xC1, 0xC2, 0xC3, 0xF7

_SOI = b"\xff\xd8"
_EOI = b"\xff\xd9"
_SOS = 0xDA
_APP0, _APP14 = 0xE0, 0xEE
_JFIF, _ADOBE = b"JFIF\0", b"Adobe"
_ADOBE_TRANSFORM = 11  # offset of the byte that tells the transformation of colour
_NO_FRAME = frozenset({0xC4, 0xC8, 0xCC})  # DHT, JPG and DAC have numbers among those of SOF
_J2K_START = b"\xff\x4f\xff\x51"
_CHROMA_STEPS = frozenset({1, 2, 4})
_SIZ = struct.Struct(">HHIIIIIIIIH")


class Header(msgspec.Struct, frozen=True, gc=False):
    """`kind` is the SOF marker of JPEG and JPEG-LS, 0 for JPEG 2000. `chroma`: of how many columns
    and rows the second and third component have one sample (JPEG 2000 only). `precision` is that
    of the component which has most. `color` is what a marker of lossy JPEG says of three
    components: "RGB", "YCBCR", or "" where there is none."""

    kind: int
    precision: int
    rows: int
    columns: int
    components: int
    is_signed: bool = False
    chroma: tuple[int, int] = (1, 1)
    color: str = ""

    def check(self, info: ImageInfo) -> None:
        """Raises BadFileFormat if this is not a frame of the image."""
        found = (self.rows, self.columns, self.components)
        if found != (info.rows, info.columns, info.samples_per_pixel):
            expected = f"{info.rows} x {info.columns} of {info.samples_per_pixel}"
            raise BadFileFormat(
                f"the codestream has {self.rows} x {self.columns} pixels of {self.components} "
                f"samples, the file announces {expected}"
            )
        if not 1 <= self.precision <= info.bits_allocated or info.is_float:
            raise BadFileFormat(
                f"the codestream has {self.precision} bits per sample, the file announces "
                f"{info.bits_allocated}"
            )


def jpeg_header(codestream: bytes | memoryview) -> Header:
    """Of JPEG and JPEG-LS. Raises BadFileFormat for what is neither or has no frame header."""
    if codestream[:2] != _SOI:
        raise BadFileFormat("the frame is no JPEG codestream")
    at, size = 2, len(codestream)
    color = ""
    while at + 4 <= size:
        if codestream[at] != 0xFF:
            break
        marker = codestream[at + 1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(codestream[at + 2 : at + 4], "big")
        if marker == SOF_LS or (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME):
            if at + 10 > size:
                break
            precision, rows, columns, components = struct.unpack_from(">BHHB", codestream, at + 4)
            is_lossy = marker not in (SOF_LS, SOF_LOSSLESS) and components == 3
            color = color if is_lossy else ""
            return Header(marker, precision, rows, columns, components, color=color)
        if marker == _SOS or length < 2:
            break
        if marker in (_APP0, _APP14):
            color = _color_of(bytes(codestream[at + 4 : at + 2 + min(length, 16)])) or color
        at += 2 + length
    raise BadFileFormat("the JPEG codestream has no frame header")


def _color_of(segment: bytes) -> str:
    """What a JFIF (always YCbCr) or Adobe marker says of three components."""
    if segment.startswith(_JFIF):
        return "YCBCR"
    if segment.startswith(_ADOBE) and len(segment) > _ADOBE_TRANSFORM:
        return "YCBCR" if segment[_ADOBE_TRANSFORM] == 1 else "RGB"
    return ""


def require_end(codestream: bytes) -> None:
    """Raises BadFileFormat for JPEG that is cut off: decoders fill up what it lacks with grey,
    without a word."""
    if codestream.rfind(_EOI) < 0:
        raise BadFileFormat("the JPEG codestream is cut off: it has no end marker")


def jpeg_2000_header(codestream: bytes) -> Header:
    """Of JPEG 2000 and HTJ2K, bare or in a JP2 file. Raises BadFileFormat for what is none,
    NotImplementedYet for components that differ in other ways than colour does."""
    at = codestream.find(_J2K_START)
    start = at + 4
    if at < 0 or start + _SIZ.size > len(codestream):
        raise BadFileFormat("the frame is no JPEG 2000 codestream")
    _, _, right, bottom, left, top, _, _, _, _, components = _SIZ.unpack_from(codestream, start)
    parts = codestream[start + _SIZ.size : start + _SIZ.size + 3 * components]
    if not components or len(parts) < 3 * components or right <= left or bottom <= top:
        raise BadFileFormat("the JPEG 2000 codestream has an impossible size")
    depths, steps = parts[::3], list(zip(parts[1::3], parts[2::3], strict=True))
    chroma = steps[-1]
    signs = {depth >> 7 for depth in depths}
    is_known = steps == [(1, 1), *[chroma] * (components - 1)] and len(signs) == 1
    # Decoders take as many bytes for every sample as the first component needs.
    is_first_widest = (depths[0] & 0x7F) // 8 == (max(depths) & 0x7F) // 8
    if not is_known or not is_first_widest or not _CHROMA_STEPS.issuperset(chroma):
        raise NotImplementedYet("JPEG 2000 components of such different sizes, signs or precisions")
    precision = (max(depths) & 0x7F) + 1
    return Header(0, precision, bottom - top, right - left, components, 1 in signs, chroma)
