"""JPEG 2000 by OpenJPEG. Source: DICOM PS3.5 8.2.4.

Two builds of it: that of imagecodecs for nearly all, that of pylibjpeg-openjpeg, which holds the
GIL, for components of unequal precision or with chroma of unusual steps.
"""

import math
from typing import Any

import imagecodecs
import numpy as np

from orthanc_fast.errors import BadFileFormat, NotImplementedYet
from orthanc_fast.imaging.cells import stored_values
from orthanc_fast.imaging.codecs.contract import Buffer, Parameters, check_expansion
from orthanc_fast.imaging.codecs.headers import Header, jpeg_2000_header
from orthanc_fast.imaging.color import rgb_from_ybr
from orthanc_fast.imaging.info import YBR, ImageInfo

# OpenJPEG undoes the transformations of codestreams, and makes RGB of samples with shared chroma.
# YBR_FULL stays what it is, so that it can be transcoded without loss.
RGB_FROM = YBR - {"YBR_FULL"}
_UNDONE = frozenset({"YBR_ICT", "YBR_RCT"})

# Both builds take it for certain that samples with such chroma are YCbCr, and make them RGB.
_MADE_RGB = frozenset({(2, 1), (2, 2)})

_OUTLIER = 8  # times the allowed error: what a single value may be off
_FINER = 6.0  # dB
_ATTEMPTS = 6

_HEAD = 1 << 16  # bytes in which the main header begins, behind boxes of JP2
MAX_EXPANSION = 1 << 14  # an empty tile takes few bytes


def describe(frame: bytes | memoryview) -> Header:
    """See `contract.Codec`."""
    return jpeg_2000_header(bytes(frame[:_HEAD]))


def decode(frame: Buffer, info: ImageInfo, out: np.ndarray | None = None) -> np.ndarray:
    """See `contract.Codec`; colour comes out as RGB."""
    codestream = bytes(frame)
    header = jpeg_2000_header(codestream)
    header.check(info)
    check_expansion(frame, info, MAX_EXPANSION)
    photometric = info.photometric_interpretation
    if photometric == "YBR_FULL" and header.chroma != (1, 1):
        raise BadFileFormat(
            "the codestream has less chroma than YBR_FULL, which the file announces"
        )
    numbers = _numbers(codestream)
    if not _is_ycbcr(header, info):
        return stored_values(numbers, header.precision, info, out)
    values = stored_values(numbers, header.precision, info, None)
    return rgb_from_ybr(values, photometric, info.bits_stored, out)


def _is_ycbcr(header: Header, info: ImageInfo) -> bool:
    """Whether what OpenJPEG gives has to be made RGB."""
    if info.samples_per_pixel != 3 or header.chroma in _MADE_RGB:
        return False
    return header.chroma != (1, 1) or info.photometric_interpretation in RGB_FROM - _UNDONE


def _numbers(codestream: bytes) -> np.ndarray:
    try:
        numbers: np.ndarray = imagecodecs.jpeg2k_decode(codestream)
    except NotImplementedError:
        return _second_decoder(codestream)
    except RuntimeError as error:
        raise BadFileFormat(f"damaged JPEG 2000 codestream: {error}") from error
    return numbers


def _second_decoder(codestream: bytes) -> np.ndarray:
    from openjpeg.utils import decode as openjpeg_decode  # slow to import, seldom needed

    try:
        return openjpeg_decode(codestream[codestream.find(b"\xff\x4f\xff\x51") :], 0)
    except RuntimeError as error:
        raise BadFileFormat(f"damaged JPEG 2000 codestream: {error}") from error


def encode(pixels: np.ndarray, parameters: Parameters) -> bytes:
    """Stored values of `bits` bits with their sign; lossless if there is no quality."""
    if parameters.quality is None:
        return _encoded(pixels, parameters, reversible=True)
    error = allowed_error(parameters.quality)
    signal_to_noise = 20 * math.log10(((1 << parameters.bits) - 1) / error)  # dB, for OpenJPEG
    for _ in range(_ATTEMPTS):
        codestream = _encoded(pixels, parameters, reversible=False, level=signal_to_noise)
        difference = imagecodecs.jpeg2k_decode(codestream).astype(np.int32) - pixels
        if np.abs(difference).max() <= _OUTLIER * error:
            break
        # Little detail on a plain ground, such as letters, hardly counts in the mean.
        signal_to_noise += _FINER
    return codestream


def allowed_error(quality: int) -> float:
    """The root mean square error in stored values that a quality of 1 to 100 stands for: about
    what JPEG makes of it, 1.4 at 90."""
    return 255 / 10 ** (min(max(quality, 1), 100) / 40)


def _encoded(pixels: np.ndarray, parameters: Parameters, **options: Any) -> bytes:
    try:
        codestream = imagecodecs.jpeg2k_encode(
            pixels,
            codecformat="j2k",
            bitspersample=parameters.bits,
            mct=parameters.is_transformed,
            **options,
        )
    except RuntimeError as error:
        raise NotImplementedYet(f"JPEG 2000 cannot hold the image: {error}") from error
    return bytes(codestream)
