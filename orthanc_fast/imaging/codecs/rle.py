"""RLE Lossless. Source: DICOM PS3.5 Annex G."""

import numpy as np

from orthanc_fast._ext import rle
from orthanc_fast._ext.rle import RleError
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.cells import raw_bytes
from orthanc_fast.imaging.codecs import native
from orthanc_fast.imaging.codecs.contract import Buffer, Parameters, check_expansion
from orthanc_fast.imaging.info import ImageInfo

RGB_FROM = native.RGB_FROM

MAX_EXPANSION = 64  # a run of 128 equal values takes two bytes


def describe(frame: bytes | memoryview) -> None:
    """There is none that tells the shape: see `contract.Codec`."""


def decode(frame: Buffer, info: ImageInfo, out: np.ndarray | None = None) -> np.ndarray:
    """See `contract.Codec`. 1-bit cells are packed in bytes, as native ones are."""
    check_expansion(frame, info, MAX_EXPANSION)
    cells = np.empty((info.frame_bits + 7) // 8, np.uint8)
    samples, width = info.samples_per_pixel, max(info.bits_allocated // 8, 1)
    try:
        rle.decode(frame, cells, samples, width)
    except RleError as error:
        raise BadFileFormat(f"damaged RLE frame: {error}") from error
    # Segments are planes whatever PlanarConfiguration says, and have been interleaved.
    return native.decode_cells(cells, info, False, out)


def encode(pixels: np.ndarray, parameters: Parameters) -> bytes:
    """Whole cells, unsigned, of 8 to 32 bits."""
    rows, columns = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    return rle.encode(raw_bytes(pixels), rows, columns, samples, pixels.itemsize)
