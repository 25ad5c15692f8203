"""The picture that stands for an image which cannot be shown: drawn here, 150 x 83 pixels."""

from functools import cache

import numpy as np

from orthanc_fast.imaging.picture_png import picture_to_png

_WIDTH, _HEIGHT = 150, 83
_PAPER, _INK, _EDGE = 238, 96, 176
_WORD = "UNSUPPORTED"
_SCALE = 2
_GLYPH_WIDTH, _GLYPH_HEIGHT = 5, 7

# Five columns per row of a letter, the leftmost one in the highest of five bits.
_GLYPHS = {
    "U": (0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110),
    "N": (0b10001, 0b11001, 0b10101, 0b10101, 0b10011, 0b10001, 0b10001),
    "S": (0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110),
    "P": (0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000),
    "O": (0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110),
    "R": (0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001),
    "T": (0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100),
    "E": (0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111),
    "D": (0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11110),
}


@cache
def unsupported_png() -> bytes:
    """The picture as PNG."""
    picture = np.full((_HEIGHT, _WIDTH), _PAPER, np.uint8)
    picture[[0, 1, -2, -1]] = _EDGE
    picture[:, [0, 1, -2, -1]] = _EDGE
    step = (_GLYPH_WIDTH + 1) * _SCALE
    left = (_WIDTH - step * len(_WORD) + _SCALE) // 2
    top = (_HEIGHT - _GLYPH_HEIGHT * _SCALE) // 2
    for place, letter in enumerate(_WORD):
        glyph = _bitmap(letter).repeat(_SCALE, 0).repeat(_SCALE, 1)
        x = left + place * step
        area = picture[top : top + glyph.shape[0], x : x + glyph.shape[1]]
        area[glyph] = _INK
    return picture_to_png(picture)


def _bitmap(letter: str) -> "np.ndarray":
    bits = [
        [row >> (_GLYPH_WIDTH - 1 - column) & 1 for column in range(_GLYPH_WIDTH)]
        for row in _GLYPHS[letter]
    ]
    return np.array(bits, bool)
