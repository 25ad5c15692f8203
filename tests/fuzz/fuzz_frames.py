"""Fuzzes the run-length decoders and the search for frames: fuzz_frames.py FOLDER SECONDS.

FOLDER holds the instrumented extensions rle, cells and scan; they take the place of the package's
own.
"""

import sys
from contextlib import suppress

from guided import fuzz, use_instrumented

use_instrumented(sys.argv[1], "rle", "cells", "scan")

import numpy as np  # noqa: E402
from support.images import item  # noqa: E402

from orthanc_fast._ext import rle  # noqa: E402
from orthanc_fast.errors import OrthancError  # noqa: E402
from orthanc_fast.imaging.decode import decode_frame  # noqa: E402
from orthanc_fast.imaging.frames import Frames  # noqa: E402
from orthanc_fast.imaging.info import image_info  # noqa: E402
from orthanc_fast.model import PixelLayout  # noqa: E402
from orthanc_fast.transfer_syntaxes import EXPLICIT_BIG, EXPLICIT_LITTLE, RLE  # noqa: E402

HEAD = 8
SYNTAXES = (RLE, EXPLICIT_LITTLE, EXPLICIT_BIG)
BITS = (1, 8, 16, 24, 32)


def target(data: bytes) -> None:
    """The first bytes choose the attributes of the image, the rest are its pixel data."""
    if len(data) < HEAD:
        return
    syntax = SYNTAXES[data[0] % 3]
    rest = data[HEAD:]
    layout = PixelLayout(
        element_offset=0,
        value_offset=0,
        value_length=None if syntax == RLE else len(rest),
        vr="OW" if data[0] & 64 else "OB",
        rows=data[1] % 16,
        columns=data[2] % 200,
        samples_per_pixel=(1, 3)[data[3] % 2],
        bits_allocated=BITS[data[4] % 5],
        bits_stored=data[5] % 33,
        high_bit=data[6] % 33,
        pixel_representation=data[3] >> 1 & 1,
        planar_configuration=data[3] >> 2 & 1,
        photometric_interpretation=("MONOCHROME2", "YBR_FULL_422", "RGB")[data[3] >> 3 & 1],
        number_of_frames=str(data[7] % 5),
    )
    with suppress(OrthancError):
        info = image_info(layout, syntax)
        frames = Frames(rest, layout, info, lambda: (rest[:16], rest[16:32]))
        for index in range(info.number_of_frames):
            with suppress(OrthancError):
                pixels = decode_frame(frames.encoded(index), info)
                assert pixels.shape == info.frame_shape
    with suppress(rle.RleError):
        rle.decode_pmsct(rest, np.empty(2 * data[1], "u1"))


PIXELS = (np.arange(2 * 20) % 7).astype("u2")
GRAY = rle.encode(PIXELS.view("u1"), 2, 20, 1, 2)
COLOR = rle.encode(np.tile(PIXELS.view("u1"), 3), 2, 40, 3, 1)
TABLE = item((0).to_bytes(4, "little") + (len(GRAY) + 8).to_bytes(4, "little"))
SEEDS = [
    bytes([0, 2, 20, 0, 2, 12, 11, 1]) + item(b"") + item(GRAY),
    bytes([0, 2, 20, 2, 2, 12, 13, 2]) + TABLE + item(GRAY) + item(GRAY[:70]) + item(GRAY[70:]),
    bytes([0, 2, 20, 0, 2, 16, 15, 2]) + item(b"") + item(GRAY[:80]) + item(GRAY[80:]) * 2,
    bytes([0, 2, 40, 1, 1, 8, 7, 1]) + item(b"") + item(COLOR),
    bytes([1, 2, 20, 0, 2, 12, 11, 1]) + PIXELS.tobytes(),
    bytes([65, 3, 7, 0, 0, 1, 0, 3]) + bytes(range(10)),
    bytes([66, 2, 4, 9, 1, 8, 7, 1]) + bytes(range(24)),
    bytes([1, 20, 0, 0, 3, 20, 21, 1]) + b"\x5a\xe8\x03\xa5\x06\x01" + b"\xff" * 8,
]

if __name__ == "__main__":
    fuzz(target, SEEDS, float(sys.argv[2]))
