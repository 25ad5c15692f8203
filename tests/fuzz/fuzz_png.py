"""Fuzzes the reader of plain PNG files: fuzz_png.py FOLDER SECONDS.

FOLDER holds the instrumented extension png; it takes the place of the package's own.
"""

import sys

from guided import fuzz, use_instrumented

use_instrumented(sys.argv[1], "png")

from support.png_files import SAMPLES, png_of_rows  # noqa: E402

from orthanc_fast.imaging.plain_png import decode_plain_png  # noqa: E402

HEAD = 4


def target(data: bytes) -> None:
    """The first bytes choose what the header says, the rest are the filtered rows: chunks and
    stream around them are right, so that the kernels get to see them."""
    if len(data) < HEAD:
        return
    bits, color = (8, 16)[data[0] & 1], sorted(SAMPLES)[data[1] % 4]
    rows, columns = data[2] % 16 + 1, data[3] % 64 + 1
    stride = columns * SAMPLES[color] * bits // 8 + 1
    lines = data[HEAD:].ljust(rows * stride, b"\0")[: rows * stride]
    lines = b"".join(
        bytes([lines[at] % 6]) + lines[at + 1 : at + stride] for at in range(0, len(lines), stride)
    )
    pixels = decode_plain_png(png_of_rows(columns, rows, bits, color, lines))
    if pixels is None:
        assert 5 in lines[::stride]
    else:
        assert pixels.shape[:2] == (rows, columns)


SEEDS = [
    bytes([bits, color, 5, 9]) + bytes(range(256)) * 3 for bits in (0, 1) for color in range(4)
]

if __name__ == "__main__":
    fuzz(target, SEEDS, float(sys.argv[2]))
