"""Arrays -> codestreams, one function for each way to encode that this server writes.

Arrays are (rows, columns) or (rows, columns, 3), C contiguous. Functions release the GIL while
they work. Sources: DICOM PS3.5 section 8.2 and Annex G.
"""

import math
import struct

import imagecodecs
import numpy as np

from orthanc_fast._ext import rle
from orthanc_fast.errors import NotImplementedYet
from orthanc_fast.imaging.cells import raw_bytes

NEAR = 2  # of JPEG-LS, as in Orthanc: no stored value changes by more

_SOF_BASELINE, _SOF_EXTENDED = b"\xff\xc0", b"\xff\xc1"
_CSIZ = 40  # offset of the number of components; their precision follows
_SMALLEST = 64  # pixels: no resolution of an HTJ2K codestream needs to be smaller
_LEVELS = 5

_OUTLIER = 8  # times the allowed error: what a single value may be off in JPEG 2000
_FINER = 6.0  # dB
_ATTEMPTS = 6


def encode_rle(cells: np.ndarray) -> bytes:
    """Whole cells, unsigned, of 8 to 32 bits."""
    rows, columns = cells.shape[:2]
    samples = 1 if cells.ndim == 2 else cells.shape[2]
    return rle.encode(raw_bytes(cells), rows, columns, samples, cells.itemsize)


def encode_jpeg_lossless(cells: np.ndarray, selection_value: int) -> bytes:
    """Whole cells of 8 or 16 bits, all of which the codestream keeps."""
    # Whatever the three samples are, as "RGB" they are left alone.
    space = None if cells.ndim == 2 else "RGB"
    return _jpeg(
        cells,
        lossless=True,
        predictor=selection_value,
        bitspersample=8 * cells.itemsize,
        colorspace=space,
        outcolorspace=space,
        subsampling="444",
    )


def encode_jpeg(values: np.ndarray, bits: int, quality: int, is_extended: bool) -> bytes:
    """Unsigned stored values of 8 or 12 bits; RGB becomes YCbCr with half the chroma."""
    codestream = _jpeg(
        values,
        level=min(max(quality, 1), 100),
        bitspersample=bits,
        subsampling=None if values.ndim == 2 else "422",
    )
    if is_extended and bits == 8:
        return codestream.replace(_SOF_BASELINE, _SOF_EXTENDED, 1)
    return codestream


def _jpeg(array: np.ndarray, **options: object) -> bytes:
    try:
        return bytes(imagecodecs.jpeg8_encode(array, **options))  # type: ignore[arg-type]
    except RuntimeError as error:
        raise NotImplementedYet(f"JPEG cannot hold the image: {error}") from error


def encode_jpeg_ls(cells: np.ndarray, near: int) -> bytes:
    """Whole cells of 8 or 16 bits; no one changes by more than `near`."""
    try:
        return bytes(imagecodecs.jpegls_encode(cells, near))
    except RuntimeError as error:
        raise NotImplementedYet(f"JPEG-LS cannot hold the image: {error}") from error


def encode_jpeg_2000(
    values: np.ndarray, bits: int, quality: int | None, is_transformed: bool
) -> bytes:
    """Stored values of `bits` bits with their sign; lossless if `quality` is None.

    `is_transformed`: colour is RGB and goes through the component transformation.
    """
    if quality is None:
        return _jpeg_2000(values, bits, is_transformed, reversible=True)
    error = allowed_error(quality)
    signal_to_noise = 20 * math.log10(((1 << bits) - 1) / error)  # dB, what OpenJPEG is told
    for _ in range(_ATTEMPTS):
        codestream = _jpeg_2000(
            values, bits, is_transformed, reversible=False, level=signal_to_noise
        )
        difference = imagecodecs.jpeg2k_decode(codestream).astype(np.int32) - values
        if np.abs(difference).max() <= _OUTLIER * error:
            break
        # Little detail on a plain ground, such as letters, hardly counts in the mean.
        signal_to_noise += _FINER
    return codestream


def _jpeg_2000(values: np.ndarray, bits: int, is_transformed: bool, **options: object) -> bytes:
    try:
        codestream = imagecodecs.jpeg2k_encode(
            values,
            codecformat="j2k",
            bitspersample=bits,
            mct=is_transformed,
            **options,  # type: ignore[arg-type]
        )
    except RuntimeError as error:
        raise NotImplementedYet(f"JPEG 2000 cannot hold the image: {error}") from error
    return bytes(codestream)


def encode_htj2k(values: np.ndarray, bits: int, quality: int | None, is_transformed: bool) -> bytes:
    """Like JPEG 2000, in the order resolution, position, component, layer (RPCL) with tile-part
    lengths (TLM), which serves all three transfer syntaxes.

    The encoder knows types only, not bits: a smaller precision is entered afterwards, which is
    sound because unsigned values have been made signed, and so no level shift depends on it.
    """
    is_signed = values.dtype.kind == "i"
    width = 8 * values.itemsize
    work = values if is_signed else _centred(values, bits)
    loss: dict[str, object] = {"reversible": True}
    if quality is not None:
        # Steps are relative to the full scale, so values have to fill the type.
        work = work << (width - bits)
        step = allowed_error(quality) * math.sqrt(12) / (1 << bits)
        loss = {"reversible": False, "level": step}
    longest = max(values.shape[:2])
    levels = max(_LEVELS, math.ceil(math.log2(max(longest / _SMALLEST, 1))))
    if values.ndim == 3 and not is_transformed:
        work = np.ascontiguousarray(np.moveaxis(work, 2, 0))
    try:
        codestream = imagecodecs.htj2k_encode(
            work,
            rgb=values.ndim == 3 and is_transformed,
            planar=values.ndim == 3 and not is_transformed,
            resolutions=levels,
            tlm=True,
            **loss,  # type: ignore[arg-type]
        )
    except RuntimeError as error:
        raise NotImplementedYet(f"HTJ2K cannot hold the image: {error}") from error
    return _with_precision(codestream, bits, is_signed)


def _centred(values: np.ndarray, bits: int) -> np.ndarray:
    """v - 2**(bits - 1), signed: what the level shift of the decoder undoes."""
    half = values.dtype.type(1 << (bits - 1))
    centred: np.ndarray = (values - half).view(f"i{values.itemsize}")
    return centred


def _with_precision(codestream: bytes | bytearray, bits: int, is_signed: bool) -> bytes:
    out = bytearray(codestream)
    (components,) = struct.unpack_from(">H", out, _CSIZ)
    for number in range(components):
        out[_CSIZ + 2 + 3 * number] = bits - 1 | (0x80 if is_signed else 0)
    return bytes(out)


def allowed_error(quality: int) -> float:
    """The root mean square error in stored values that a quality of 1 to 100 stands for: about
    what JPEG makes of it, 1.4 at 90."""
    return 255 / 10 ** (min(max(quality, 1), 100) / 40)
