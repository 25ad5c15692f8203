"""Frames of one transfer syntax into frames of another: what has to become of the pixels, and the
doing of it.

Sources: DICOM PS3.5 section 8.2 (what each encoding can hold), PS3.3 C.7.6.3; reference chapter 2,
section 8.2.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec
import numpy as np

from orthanc_fast.errors import NotImplementedYet
from orthanc_fast.imaging.cells import exceeds
from orthanc_fast.imaging.codecs import codec_of
from orthanc_fast.imaging.codecs.contract import Buffer, Parameters
from orthanc_fast.imaging.info import SUBSAMPLED, ImageInfo
from orthanc_fast.imaging.registry import Target, coding_of
from orthanc_fast.transfer_syntaxes import (
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LS_NEAR_LOSSLESS,
    SYNTAXES,
    TransferSyntax,
)

# Lossless codecs that keep whole cells; the others know nothing but stored values.
_WHOLE = frozenset({"native", "rle", "jpeg_lossless", "jpeg_ls"})
_RANGE_OF_VIDEO = frozenset({"YBR_PARTIAL_422", "YBR_PARTIAL_420"})


_JPEG = frozenset({JPEG_BASELINE, JPEG_EXTENDED})
# Codestreams whose samples cannot be negative, or would jump where the sign changes.
_UNSIGNED_ONLY = _JPEG | {JPEG_LS_NEAR_LOSSLESS}


class Recoding(msgspec.Struct, frozen=True, gc=False):
    """What the image is after it; `offset` has been added to its stored values."""

    syntax: TransferSyntax
    target: Target
    samples_per_pixel: int
    photometric_interpretation: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    offset: int = 0

    @property
    def is_lossy(self) -> bool:
        return bool(self.target.method)

    @property
    def keeps_cells(self) -> bool:
        """Whether unused bits, and overlays in them, survive."""
        return self.target.material == "cells"


class Wider(Exception):
    """Whole cells hold more than BitsStored says: see `ImageInfo.may_be_wider`."""


class Image(Protocol):
    """What is needed of `services.pixels.OpenImage`."""

    @property
    def info(self) -> ImageInfo: ...
    def encoded(self, index: int) -> bytes | memoryview: ...
    def decode(self, index: int) -> np.ndarray: ...


def can_encode(syntax: TransferSyntax) -> bool:
    """Whether images can be brought into this transfer syntax at all."""
    return coding_of(syntax).target is not None


def plan(info: ImageInfo, uid: str) -> Recoding:
    """How images like this one become the transfer syntax `uid`.

    Raises NotImplementedYet, with the reason, where they cannot.
    """
    syntax = SYNTAXES[uid]
    target = coding_of(syntax).target
    if target is None:
        raise NotImplementedYet(f"no image can be transcoded to {syntax.name}")
    info.require_decodable()
    if info.is_float or info.bits_allocated not in (8, 16, 32):
        kind = "floating-point" if info.is_float else f"{info.bits_allocated}-bit"
        raise NotImplementedYet(f"{kind} images cannot be transcoded to {syntax.name}")
    bits = info.bits_stored if target.material != "cells" else info.bits_allocated
    if bits > target.max_bits:
        raise NotImplementedYet(
            f"{syntax.name} holds up to {target.max_bits} bits per sample, the image has {bits}"
        )
    if syntax.is_encapsulated and info.bits_allocated == 32 and target.max_bits < 32:
        raise NotImplementedYet(f"{syntax.name} holds no samples of 32 bits")
    if info.rows == 0 or info.columns == 0:
        raise NotImplementedYet(f"images without pixels cannot be transcoded to {syntax.name}")
    if target.material == "shown":
        return _plan_shown(info, syntax, target)
    high = info.high_bit
    if target.material == "values" or not _has_whole_cells(info):
        high = info.bits_stored - 1
    photometric = _kept_photometric(info)
    return Recoding(
        syntax=syntax,
        target=target,
        samples_per_pixel=info.samples_per_pixel,
        photometric_interpretation=target.color if photometric == "RGB" else photometric,
        bits_allocated=info.bits_allocated,
        bits_stored=info.bits_stored,
        high_bit=high,
        is_signed=info.is_signed,
    )


def _plan_shown(info: ImageInfo, syntax: TransferSyntax, target: Target) -> Recoding:
    """Lossy: grey values shifted where the codestream has no sign, colour as RGB."""
    bits = max(info.bits_stored, 8 * info.dtype.itemsize) if info.is_palette else info.bits_stored
    if syntax.uid in _JPEG:
        bits = 8 if bits <= 8 else 12 if bits <= 12 else bits
    if bits > target.max_bits:
        raise NotImplementedYet(f"the colours of the palette have more bits than {syntax.name}")
    allocated = 8 * info.dtype.itemsize
    if syntax.uid in _JPEG:
        allocated = 8 if bits == 8 else 16
    if syntax.uid == JPEG_LS_NEAR_LOSSLESS:
        bits = allocated  # what is added by the loss must not run over
    must_shift = info.is_signed and syntax.uid in _UNSIGNED_ONLY
    photometric = info.photometric_interpretation
    return Recoding(
        syntax=syntax,
        target=target,
        samples_per_pixel=3 if info.is_color else 1,
        photometric_interpretation=target.color if info.is_color else photometric,
        bits_allocated=allocated,
        bits_stored=bits,
        high_bit=bits - 1,
        is_signed=info.is_signed and not must_shift,
        offset=1 << (info.bits_stored - 1) if must_shift else 0,
    )


def recode(image: Image, index: int, recoding: Recoding, quality: int) -> bytes:
    """One frame in the target's encoding; native ones in little endian.

    Raises BadFileFormat for a damaged frame, NotImplementedYet, Wider for one that needs another
    plan.
    """
    info = image.info
    material = recoding.target.material
    if material == "shown":
        array = image.decode(index)
    elif material == "values":
        array = _decoder(info)(image.encoded(index), _neutral(info))
    else:
        array = whole_cells(image, index)
    if info.may_be_wider and exceeds(array, info):
        raise Wider
    if recoding.offset:
        array = (array.astype(np.int32) + recoding.offset).astype(
            f"u{recoding.bits_allocated // 8}"
        )
    elif 8 * array.itemsize != recoding.bits_allocated:
        array = array.astype(f"u{recoding.bits_allocated // 8}")
    return _encode(np.ascontiguousarray(array), recoding, quality)


def whole_cells(image: Image, index: int) -> np.ndarray:
    """One frame with all bits of its cells, unsigned, samples interleaved. Where a codec knows
    stored values only, they are extended with their sign."""
    info = _neutral(image.info)
    if not _has_whole_cells(info):
        values = _decoder(info)(image.encoded(index), info)
        return values.view(f"u{values.itemsize}")
    bits = info.bits_allocated
    whole = msgspec.structs.replace(info, bits_stored=bits, high_bit=bits - 1, is_signed=False)
    return _decoder(info)(image.encoded(index), whole)


def _has_whole_cells(info: ImageInfo) -> bool:
    return info.codec in _WHOLE and not info.syntax.is_lossy


def _decoder(info: ImageInfo) -> Callable[[Buffer, ImageInfo], np.ndarray]:
    return codec_of(info.syntax).decode


def _neutral(info: ImageInfo) -> ImageInfo:
    """Lossless JPEG of YBR_FULL is decoded without the conversion to RGB, which rounds."""
    if info.codec == "jpeg_lossless" and info.photometric_interpretation == "YBR_FULL":
        return msgspec.structs.replace(info, photometric_interpretation="RGB")
    return info


def _kept_photometric(info: ImageInfo) -> str:
    """Of the frames that the codec gives, in terms of a lossless image."""
    photometric = info.photometric_interpretation
    if info.samples_per_pixel == 1 or _neutral(info) is not info:
        return photometric
    if photometric in codec_of(info.syntax).RGB_FROM:
        return "RGB"
    if photometric in _RANGE_OF_VIDEO:
        raise NotImplementedYet(f"{photometric} without subsampling has no name in DICOM")
    return "YBR_FULL" if photometric in SUBSAMPLED else photometric


def _encode(array: np.ndarray, recoding: Recoding, quality: int) -> bytes:
    parameters = Parameters(
        recoding.syntax.uid,
        recoding.bits_stored,
        quality if recoding.is_lossy else None,
        recoding.photometric_interpretation == recoding.target.color != "RGB",
    )
    return codec_of(recoding.syntax).encode(array, parameters)
