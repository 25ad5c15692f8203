"""PAM files, byte by byte."""

import numpy as np
import pytest

from orthanc_fast._ext.pam import swap_bytes
from orthanc_fast.imaging.picture_pam import picture_to_pam

HEADER = "P7\nWIDTH {}\nHEIGHT {}\nDEPTH {}\nMAXVAL {}\nTUPLTYPE {}\nENDHDR\n"


def test_gray_and_colour_of_8_bits() -> None:
    gray = np.arange(6, dtype="u1").reshape(2, 3)
    assert (
        picture_to_pam(gray) == HEADER.format(3, 2, 1, 255, "GRAYSCALE").encode() + gray.tobytes()
    )
    colour = np.arange(18, dtype="u1").reshape(2, 3, 3)
    assert picture_to_pam(colour) == HEADER.format(3, 2, 3, 255, "RGB").encode() + colour.tobytes()


def test_16_bits_are_big_endian_and_negative_ones_in_twos_complement() -> None:
    header = HEADER.format(5, 3, 1, 65535, "GRAYSCALE").encode()
    for kind in ("u2", "i2"):
        pixels = (np.arange(15) * 4369 - (32768 if kind == "i2" else 0)).astype(kind).reshape(3, 5)
        assert picture_to_pam(pixels) == header + pixels.astype(f">{kind}").tobytes()


def test_without_pixels_only_the_header_is_left() -> None:
    assert (
        picture_to_pam(np.empty((0, 7), "u1")) == HEADER.format(7, 0, 1, 255, "GRAYSCALE").encode()
    )


def test_swapping_refuses_sizes_that_do_not_fit() -> None:
    for samples, out in ((3, 3), (4, 2), (2, 4)):
        with pytest.raises(ValueError):
            swap_bytes(bytes(samples), bytearray(out))
