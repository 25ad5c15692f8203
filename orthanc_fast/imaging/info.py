"""What the pixels of an image are: its attributes, completed, checked and put into terms of numpy.

Source: DICOM PS3.3 C.7.6.3, PS3.5 section 8; reference chapter 2, section 5.1.
"""

import msgspec
import numpy as np

from orthanc_fast.errors import BadFileFormat, NoPixelData, NotImplementedYet
from orthanc_fast.imaging.registry import CodecName, coding_of
from orthanc_fast.model import PixelLayout
from orthanc_fast.numerals import BLANKS, unsigned
from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE, SYNTAXES, TransferSyntax

FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00009

MAX_FRAME_BYTES = 1 << 32

PALETTE = "PALETTE COLOR"
YBR = frozenset(
    {"YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"}
)
SUBSAMPLED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})

_BITS = (1, 8, 16, 24, 32)
_UNSIGNED = {1: "u1", 8: "u1", 16: "u2", 24: "u4", 32: "u4"}
_SIGNED = {1: "u1", 8: "i1", 16: "i2", 24: "i4", 32: "i4"}


class ImageInfo(msgspec.Struct, frozen=True, gc=False):
    """The attributes of one image with all defaults filled in; consistent with each other, so that
    every frame has the shape and type given here.

    *Stored values* are what PS3.3 means by the word: numbers of `bits_stored` bits, right-aligned,
    with their sign. *Decoded* frames have grey values as they are stored, colour as RGB.
    """

    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    planar_configuration: int  # 0 for one sample
    photometric_interpretation: str  # in upper case; "" where it is missing
    number_of_frames: int
    syntax: TransferSyntax
    is_float: bool = False
    is_subsampled: bool = False  # native YBR_xxx_422 with two samples per pixel in the file
    has_wrong_fragments: bool = False  # of a syntax that has none
    may_be_wider: bool = False  # codestreams have more bits than `bits_stored`, all of the value

    @property
    def codec(self) -> CodecName | None:
        """What decodes the frames; None where nothing does."""
        return None if self.has_wrong_fragments else coding_of(self.syntax).codec

    @property
    def transfer_syntax(self) -> str:
        return self.syntax.uid

    @property
    def is_palette(self) -> bool:
        return self.photometric_interpretation == PALETTE and self.samples_per_pixel == 1

    @property
    def is_color(self) -> bool:
        """Whether decoded frames are RGB."""
        return self.samples_per_pixel == 3 or self.is_palette

    @property
    def is_inverted(self) -> bool:
        """Whether the lowest value is shown as white."""
        return self.photometric_interpretation == "MONOCHROME1"

    @property
    def stored_dtype(self) -> np.dtype[np.generic]:
        """Of stored values: what codecs give."""
        if self.is_float:
            return np.dtype("f8" if self.bits_allocated == 64 else "f4")
        return np.dtype((_SIGNED if self.is_signed else _UNSIGNED)[self.bits_allocated])

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Of stored values: what codecs give."""
        size = (self.rows, self.columns)
        return size if self.samples_per_pixel == 1 else (*size, self.samples_per_pixel)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of decoded frames, in native byte order: u1 i1 u2 i2 u4 i4 f4 f8; colour u1, u2 or u4."""
        if self.is_palette:
            return np.dtype("u1" if self.bits_stored <= 8 else "u2")
        return self.stored_dtype

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Of decoded frames: (rows, columns), or (rows, columns, 3) for colour."""
        return (self.rows, self.columns, 3) if self.is_color else (self.rows, self.columns)

    @property
    def frame_bits(self) -> int:
        """Bits that one frame takes in native pixel data."""
        samples = 2 if self.is_subsampled else self.samples_per_pixel
        return self.rows * self.columns * samples * self.bits_allocated

    def require_decodable(self) -> None:
        """Raises NotImplementedYet for an image that is none of those which `decode` knows."""
        if self.codec is None:
            reason = coding_of(self.syntax).reason or "its pixel data are in fragments"
            raise NotImplementedYet(f"{self.syntax.name}: {reason}")
        photometric, allocated = self.photometric_interpretation, self.bits_allocated
        if self.samples_per_pixel == 3:
            if photometric not in YBR and photometric != "RGB":
                raise NotImplementedYet(f"3 samples per pixel that are {photometric or 'unnamed'}")
            if self.is_signed or self.is_float or allocated not in (8, 16, 32):
                raise NotImplementedYet("colour other than of 8, 16 or 32 bits, unsigned")
        elif self.samples_per_pixel != 1:
            raise NotImplementedYet(f"SamplesPerPixel is {self.samples_per_pixel}")
        elif photometric == PALETTE and (self.is_signed or self.is_float or allocated > 16):
            raise NotImplementedYet("indices of a palette other than of up to 16 bits, unsigned")


def image_info(layout: PixelLayout | None, transfer_syntax: str | None) -> ImageInfo:
    """The checked attributes of an image. `transfer_syntax` is the instance's metadata, None where
    it is unknown.

    Raises NoPixelData, BadFileFormat where attributes contradict each other, and
    NotImplementedYet where Orthanc does: attributes are missing, BitsAllocated is unusual or less
    than BitsStored, SamplesPerPixel is 0, PlanarConfiguration unknown. An image that passes has
    frames (`OpenImage.raw`); whether they can be decoded is asked by `ImageInfo.require_decodable`.
    """
    if layout is None:
        raise NoPixelData("Cannot extract a frame from a DICOM file that does not have pixel data.")
    syntax = _syntax(layout, transfer_syntax)
    rows = _required(layout.rows, "Rows")
    columns = _required(layout.columns, "Columns")
    samples = 1 if layout.samples_per_pixel is None else layout.samples_per_pixel
    allocated, stored, high = _bits(layout)
    is_float = layout.element in (FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA)
    info = ImageInfo(
        rows=rows,
        columns=columns,
        samples_per_pixel=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        is_signed=is_float or (layout.pixel_representation == 1 and allocated > 1),
        is_float=is_float,
        planar_configuration=(layout.planar_configuration or 0) if samples > 1 else 0,
        photometric_interpretation=(layout.photometric_interpretation or "").strip().upper(),
        number_of_frames=1 if syntax.is_video else number_of_frames(layout.number_of_frames),
        syntax=syntax,
        has_wrong_fragments=layout.value_length is None and not syntax.is_encapsulated,
    )
    _check(info)
    if _is_subsampled(info, layout.value_length):
        return msgspec.structs.replace(info, is_subsampled=True)
    return info


def number_of_frames(text: str | None) -> int:
    """Of NumberOfFrames as written; absent or empty means 1. Raises BadFileFormat for anything but
    one number."""
    if text is None or not text.strip():
        return 1
    count = unsigned(text.strip(BLANKS))
    if count is None:
        raise BadFileFormat(f"Invalid number of frames: {text[:64]!r}")
    return count


def _syntax(layout: PixelLayout, uid: str | None) -> TransferSyntax:
    """That of the file, or what its pixel data are where they do not follow it."""
    row = SYNTAXES.get(uid or "")
    if layout.value_length is not None:
        # Whatever the header says, these are no fragments.
        return SYNTAXES[EXPLICIT_LITTLE] if row is None or row.is_encapsulated else row
    return TransferSyntax(uid or "", "An unknown transfer syntax") if row is None else row


def _required(value: int | None, name: str) -> int:
    if value is None:
        raise NotImplementedYet(f"the image has no usable {name}")
    if not 0 <= value <= 0xFFFF:
        raise BadFileFormat(f"{name} is {value}")
    return value


def _bits(layout: PixelLayout) -> tuple[int, int, int]:
    """BitsAllocated, BitsStored, HighBit."""
    if layout.element == FLOAT_PIXEL_DATA:
        return 32, 32, 31
    if layout.element == DOUBLE_FLOAT_PIXEL_DATA:
        return 64, 64, 63
    allocated = _required(layout.bits_allocated, "BitsAllocated")
    if allocated not in _BITS:
        raise NotImplementedYet(f"BitsAllocated is {allocated}; known are {_BITS}")
    stored = allocated if layout.bits_stored is None else layout.bits_stored
    if stored > allocated:
        raise NotImplementedYet(f"BitsStored is {stored}, with BitsAllocated {allocated}")
    if stored < 1:
        raise BadFileFormat(f"BitsStored is {stored}")
    high = stored - 1 if layout.high_bit is None else layout.high_bit
    if not stored - 1 <= high < allocated:
        high = stored - 1  # no bit can be where it says
    return allocated, stored, high


def _check(info: ImageInfo) -> None:
    if info.samples_per_pixel == 0:
        raise NotImplementedYet("SamplesPerPixel is 0")
    if info.number_of_frames == 0:
        raise BadFileFormat("Empty DICOM instance: NumberOfFrames is 0")
    if info.planar_configuration not in (0, 1):
        raise NotImplementedYet(f"PlanarConfiguration is {info.planar_configuration}")
    require_frame_size(info)


def require_frame_size(info: ImageInfo) -> None:
    """Raises BadFileFormat for frames that nobody holds in memory."""
    if info.frame_bits > 8 * MAX_FRAME_BYTES:
        raise BadFileFormat(f"a frame of {info.rows} x {info.columns} pixels exceeds 4 GiB")


def _is_subsampled(info: ImageInfo, length: int | None) -> bool:
    """Whether native YBR_xxx_422 has two samples per pixel, as it must; some files have three."""
    if info.photometric_interpretation not in SUBSAMPLED or length is None:
        return False
    if info.samples_per_pixel != 3 or info.planar_configuration or info.columns % 2:
        return False
    return length < info.number_of_frames * info.frame_bits // 8
