"""A part of a picture, in a frame of given size: the viewport of PS3.18.

Source: PS3.18, section 8.3.5.1.3; reference chapter 5, section 7.
"""

import math

import msgspec
import numpy as np

from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.imaging.render import MAX_PIXELS, Frame, Picture, fitted


class Part(msgspec.Struct, frozen=True):
    """A rectangle of a frame, in its pixels; None is up to the end."""

    left: int = 0
    top: int = 0
    width: int | None = None
    height: int | None = None

    def of(self, frame: Frame) -> Frame:
        """That part, as far as the frame reaches; it may be empty."""
        rows, columns = frame.shape[:2]
        right = columns if self.width is None else min(self.left + self.width, columns)
        bottom = rows if self.height is None else min(self.top + self.height, rows)
        if (self.left, self.top, right, bottom) == (0, 0, columns, rows):
            return frame
        return np.ascontiguousarray(frame[self.top : bottom, self.left : right])


class Viewport(msgspec.Struct, frozen=True):
    """`columns` x `rows` pixels (None: as many as the frame has), with a part of the frame in the
    middle, as large as it fits, on black."""

    columns: int | None = None
    rows: int | None = None
    part: Part = Part()
    is_mirrored: bool = False  # left and right
    is_upside_down: bool = False

    def filled(self, picture: Picture, frame: Frame) -> Picture:
        """The viewport with the picture of `part` of this frame in it. Raises ParameterOutOfRange
        for one that nobody looks at."""
        rows = frame.shape[0] if self.rows is None else self.rows
        columns = frame.shape[1] if self.columns is None else self.columns
        if rows * columns > max(MAX_PIXELS, frame.shape[0] * frame.shape[1]):
            raise ParameterOutOfRange(f"a viewport of {columns} x {rows} pixels is too large")
        # Turned before it is scaled, as the plugin does: what lies between two pixels tells.
        if self.is_mirrored:
            picture = picture[:, ::-1]
        if self.is_upside_down:
            picture = picture[::-1]
        picture = np.ascontiguousarray(picture)
        if picture.size:
            picture = fitted(picture, columns, rows, smooth=False)[:rows, :columns]
        if picture.shape[:2] == (rows, columns):
            return picture
        out = np.zeros((rows, columns, *picture.shape[2:]), np.uint8)
        top, left = (rows - picture.shape[0]) // 2, (columns - picture.shape[1]) // 2
        out[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        return out


def rounded(value: float) -> int:
    """The whole number of pixels, without its sign, that a decimal number stands for."""
    return math.floor(abs(value) + 0.5)
