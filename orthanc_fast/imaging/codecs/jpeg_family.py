"""All processes of JPEG with Huffman coding, by libjpeg-turbo: it finds out itself which one it
has, and so it does not matter when a file names the wrong one.

Source: DICOM PS3.5 8.2.1; reference chapter 2, section 5.4 (colour).
"""

from typing import Any

import imagecodecs
import numpy as np

from orthanc_fast.errors import BadFileFormat, NotImplementedYet
from orthanc_fast.imaging.cells import stored_values
from orthanc_fast.imaging.codecs.contract import Buffer, check_expansion
from orthanc_fast.imaging.codecs.headers import (
    SOF_BASELINE,
    SOF_EXTENDED,
    SOF_LOSSLESS,
    SOF_PROGRESSIVE,
    jpeg_header,
    require_end,
)
from orthanc_fast.imaging.color import rgb_from_ybr
from orthanc_fast.imaging.info import YBR, ImageInfo

# Colour that codestreams hold as YCbCr. What a marker of theirs says has become the photometric
# interpretation: see `imaging.reconcile`.
_YCBCR = YBR - {"YBR_ICT", "YBR_RCT"}
RGB_FROM = YBR

_KINDS = frozenset({SOF_BASELINE, SOF_EXTENDED, SOF_PROGRESSIVE, SOF_LOSSLESS})
# A block of 64 samples takes two bits; with one of four chroma blocks left out, or all
# coefficients but one in a run over the whole image, less.
MAX_EXPANSION = 1100


describe = jpeg_header


def decode(frame: Buffer, info: ImageInfo, out: np.ndarray | None = None) -> np.ndarray:
    """See `contract.Codec`; colour comes out as RGB."""
    codestream = bytes(frame)
    header = jpeg_header(codestream)
    require_end(codestream)
    if header.kind not in _KINDS:
        raise NotImplementedYet(f"a JPEG process with arithmetic coding or hierarchy, {header}")
    header.check(info)
    check_expansion(frame, info, MAX_EXPANSION)
    is_ycbcr = info.samples_per_pixel == 3 and info.photometric_interpretation in _YCBCR
    is_lossless = header.kind == SOF_LOSSLESS
    source = target = None
    if info.samples_per_pixel == 3:
        source, target = ("YCBCR" if is_ycbcr and not is_lossless else "RGB"), "RGB"
    try:
        numbers = imagecodecs.jpeg8_decode(codestream, colorspace=source, outcolorspace=target)
    except RuntimeError as error:
        raise BadFileFormat(f"damaged JPEG codestream: {error}") from error
    if is_ycbcr and is_lossless:
        numbers = rgb_from_ybr(numbers, info.photometric_interpretation, info.bits_stored)
    return stored_values(numbers, header.precision, info, out)


def encoded(pixels: np.ndarray, **options: Any) -> bytes:
    """What libjpeg-turbo makes of it. Raises NotImplementedYet."""
    try:
        return bytes(imagecodecs.jpeg8_encode(pixels, **options))
    except RuntimeError as error:
        raise NotImplementedYet(f"JPEG cannot hold the image: {error}") from error
