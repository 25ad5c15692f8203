"""Rectangles of native pixel data made black, in place.

Sources: DICOM PS3.5 section 8.1.1 and 8.2 (cells), PS3.3 C.7.6.3.1.2 (photometric interpretation,
shared chroma), C.7.6.3.1.3 (planar configuration).
"""

from collections.abc import Sequence

import numpy as np

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.info import YBR, ImageInfo

# From (x1, y1) to what stands before (x2, y2): columns and rows, from 0 on.
Region = tuple[int, int, int, int]

_PARTIAL = frozenset({"YBR_PARTIAL_422", "YBR_PARTIAL_420"})


def blank(
    pixels: np.ndarray, info: ImageInfo, regions: Sequence[Region], black: int | None = None
) -> None:
    """Makes the regions black in every frame of `pixels`, the bytes of native pixel data in little
    endian. Whole cells are changed, with overlays in unused bits; where two pixels share their
    chroma, both. Of an image with a palette `black` is the index to write.

    Raises BadFileFormat where the pixel data are shorter than their frames.
    """
    bits = info.frame_bits
    needed = (bits * info.number_of_frames + 7) // 8
    if len(pixels) < needed:
        raise BadFileFormat(f"the pixel data have {len(pixels)} bytes instead of {needed}")
    values = _black(info) if black is None else [black]
    if info.bits_allocated == 1:
        _blank_bits(pixels[:needed], info, regions, values[0])
        return
    width = info.bits_allocated // 8
    frames = pixels[:needed].reshape(info.number_of_frames, -1)
    cells = [np.frombuffer(value.to_bytes(width, "little"), np.uint8) for value in values]
    for x1, y1, x2, y2 in regions:
        if info.is_subsampled:
            # Two pixels are Y1 Y2 Cb Cr.
            pairs = frames.reshape(-1, info.rows, info.columns // 2, 4, width)
            pairs[:, y1:y2, x1 // 2 : (x2 + 1) // 2] = np.stack(
                [cells[0], cells[0], cells[1], cells[2]]
            )
        elif info.planar_configuration and info.samples_per_pixel > 1:
            planes = frames.reshape(-1, info.samples_per_pixel, info.rows, info.columns, width)
            for number, cell in enumerate(cells):
                planes[:, number, y1:y2, x1:x2] = cell
        else:
            shape = (-1, info.rows, info.columns, info.samples_per_pixel, width)
            frames.reshape(shape)[:, y1:y2, x1:x2] = np.stack(cells)


def _black(info: ImageInfo) -> list[int]:
    """The samples of a black pixel; 0 for signed values, whose scale nobody knows."""
    if info.samples_per_pixel == 3 and info.photometric_interpretation in YBR:
        unit = 1 << max(info.bits_stored - 8, 0)
        dark = 16 * unit if info.photometric_interpretation in _PARTIAL else 0
        return [dark, 128 * unit, 128 * unit]
    if info.is_inverted and not info.is_signed and not info.is_float:
        brightest = (1 << info.bits_stored) - 1
        return [brightest << (info.high_bit + 1 - info.bits_stored)]
    return [0] * info.samples_per_pixel


def _blank_bits(pixels: np.ndarray, info: ImageInfo, regions: Sequence[Region], bit: int) -> None:
    """Single bits: frames follow each other without padding."""
    count = info.rows * info.columns * info.samples_per_pixel
    total = count * info.number_of_frames
    cells = np.unpackbits(pixels, bitorder="little")
    frames = cells[:total].reshape(-1, info.rows, info.columns, info.samples_per_pixel)
    for x1, y1, x2, y2 in regions:
        frames[:, y1:y2, x1:x2] = bit
    pixels[:] = np.packbits(cells, bitorder="little")
