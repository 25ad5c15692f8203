"""Grey values to display values as the DICOM standard has it: PS3.3 C.11.1 (modality LUT), C.11.2
(VOI LUT). What Orthanc does by default is in `render`; this is what `voi=` asks for."""

from functools import lru_cache
from typing import Literal

import msgspec
import numpy as np

from orthanc_fast.imaging.render import Frame, Picture, translated

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

_CHUNK = 1 << 16  # values computed at once, in binary64


class Lut(msgspec.Struct, frozen=True):
    """A lookup table: `entries` of up to `bits` bits; the first is for the value `first` and all
    below it, the last for all above."""

    entries: np.ndarray
    first: int
    bits: int

    def __call__(self, values: np.ndarray) -> np.ndarray:
        places = np.clip(values - self.first, 0, len(self.entries) - 1)
        found: np.ndarray = self.entries[places.astype(np.intp)].astype(np.float64)
        return found

    @property
    def white(self) -> int:
        """The entry that is shown as white: the greatest that its bits can hold, of a table whose
        entries all need fewer bits than it announces its own greatest."""
        greatest = int(self.entries.max())
        return greatest if greatest.bit_length() < self.bits else (1 << self.bits) - 1


class Rescale(msgspec.Struct, frozen=True):
    """RescaleSlope and RescaleIntercept."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        return values * self.slope + self.intercept


class Window(msgspec.Struct, frozen=True):
    """WindowCenter, WindowWidth and VOILUTFunction."""

    center: float
    width: float
    function: Function = "LINEAR"

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Numbers from 0 to 1."""
        with np.errstate(over="ignore"):
            if self.function == "SIGMOID":
                return 1 / (1 + np.exp(-4 * (values - self.center) / _positive(self.width)))
            if self.function == "LINEAR_EXACT":
                return np.clip((values - self.center) / _positive(self.width) + 0.5, 0, 1)
        if self.width <= 1:  # a threshold: C.11.2.1.2.1
            return (values > self.center - 0.5).astype(np.float64)
        return np.clip((values - (self.center - 0.5)) / (self.width - 1) + 0.5, 0, 1)


class Display(msgspec.Struct, frozen=True):
    """The steps from a stored value to what is shown."""

    modality: Rescale | Lut
    voi: Window | Lut

    def __call__(self, frame: Frame) -> Picture:
        """The picture of a grey frame. Values of 8 and 16 bits go by a table of all of them."""
        if frame.dtype.kind in "ui" and frame.itemsize <= 2:
            is_small = isinstance(self.modality, Rescale) and isinstance(self.voi, Window)
            table = _remembered if is_small else _table
            return translated(frame, table(self, frame.dtype))
        out = np.empty(frame.size, np.uint8)
        values = frame.reshape(-1)
        for start in range(0, frame.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            out[part] = self.shown(values[part])
        return out.reshape(frame.shape)

    def shown(self, values: np.ndarray) -> np.ndarray:
        """What is shown of some values, one by one."""
        rescaled = self.modality(values.astype(np.float64))
        shown = self.voi(rescaled)
        if isinstance(self.voi, Lut):
            shown = shown / max(self.voi.white, 1)
        levels = np.floor(np.clip(np.nan_to_num(shown), 0, 1) * 255 + 0.5)
        found: np.ndarray = levels.astype(np.uint8)
        return found


def _table(display: Display, dtype: np.dtype[np.generic]) -> np.ndarray:
    """What is shown of every pattern of bits of that type."""
    patterns = np.arange(1 << 8 * dtype.itemsize, dtype=f"u{dtype.itemsize}")
    return display.shown(patterns.view(dtype))


# Making one takes ten times as long as using it, and who scrolls through a series asks for the
# same again and again.
_remembered = lru_cache(32)(_table)


def _positive(width: float) -> float:
    return width if width > 0 else np.finfo(np.float64).tiny
