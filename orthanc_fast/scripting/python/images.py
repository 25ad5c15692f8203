"""Images of scripts. Source: reference chapter 7, sections 3 and 4."""

from typing import Any, Final

import numpy as np

from orthanc_fast.errors import OrthancError
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.enumerations import MEMBERS
from orthanc_fast.scripting.python.exceptions import (
    NOT_IMPLEMENTED,
    PARAMETER_OUT_OF_RANGE,
    failure,
)

_FORMATS = MEMBERS["PixelFormat"]
# What a pixel is in memory: the type of a sample, and how many there are.
_LAYOUTS: Final = {
    _FORMATS["GRAYSCALE8"]: ("<u1", 1),
    _FORMATS["GRAYSCALE16"]: ("<u2", 1),
    _FORMATS["SIGNED_GRAYSCALE16"]: ("<i2", 1),
    _FORMATS["RGB24"]: ("<u1", 3),
    _FORMATS["RGBA32"]: ("<u1", 4),
    _FORMATS["RGB48"]: ("<u2", 3),
    _FORMATS["GRAYSCALE32"]: ("<u4", 1),
    _FORMATS["FLOAT32"]: ("<f4", 1),
    _FORMATS["BGRA32"]: ("<u1", 4),
    _FORMATS["GRAYSCALE64"]: ("<u8", 1),
}
_GRAY: Final = {
    np.dtype("u1"): _FORMATS["GRAYSCALE8"],
    np.dtype("u2"): _FORMATS["GRAYSCALE16"],
    np.dtype("i2"): _FORMATS["SIGNED_GRAYSCALE16"],
    np.dtype("u4"): _FORMATS["GRAYSCALE32"],
}
_COLOR: Final = {
    np.dtype("u1"): _FORMATS["RGB24"],
    np.dtype("u2"): _FORMATS["RGB48"],
}
_RGB24, _RGBA32, _BGRA32 = _FORMATS["RGB24"], _FORMATS["RGBA32"], _FORMATS["BGRA32"]
INCOMPATIBLE_FORMAT: Final = 23
INCOMPATIBLE_SIZE: Final = 24


class Image:
    """Pixels in memory: `pixels` is (rows, columns) or (rows, columns, samples)."""

    def __init__(self, pixel_format: int, pixels: np.ndarray) -> None:
        self._format = pixel_format
        self.pixels = np.ascontiguousarray(pixels)

    @takes()
    def GetImagePixelFormat(self) -> int:
        return self._format

    @takes()
    def GetImageWidth(self) -> int:
        return int(self.pixels.shape[1])

    @takes()
    def GetImageHeight(self) -> int:
        return int(self.pixels.shape[0])

    @takes()
    def GetImagePitch(self) -> int:
        return int(self.pixels.strides[0])

    @takes()
    def GetImageBuffer(self) -> bytes:
        return self.pixels.tobytes()

    @takes("i")
    def ConvertPixelFormat(self, wanted: int) -> "Image":
        return Image(wanted, _converted(self.pixels, self._format, wanted))

    @takes("isiiiii")
    def DrawText(
        self, font: int, text: str, x: int, y: int, red: int, green: int, blue: int
    ) -> None:
        raise failure(NOT_IMPLEMENTED, "DrawText: this server has no fonts")


def blank(pixel_format: int, width: int, height: int) -> Image:
    """Raises OrthancException 3 for an unknown format."""
    kind, samples = layout(pixel_format)
    if width < 0 or height < 0:
        raise failure(PARAMETER_OUT_OF_RANGE)
    shape = (height, width) if samples == 1 else (height, width, samples)
    return Image(pixel_format, np.zeros(shape, kind))


def from_buffer(pixel_format: int, width: int, height: int, pitch: int, data: bytes) -> np.ndarray:
    """The pixels in a buffer whose rows begin `pitch` bytes after each other. Raises TypeError for
    a buffer of another size."""
    kind, samples = layout(pixel_format)
    row = width * samples * np.dtype(kind).itemsize
    if width < 0 or height < 0 or pitch < row or len(data) != pitch * height:
        raise TypeError("The size of the memory buffer must match the product of height by pitch")
    rows = np.frombuffer(data, np.uint8).reshape(height, pitch)[:, :row]
    pixels = np.ascontiguousarray(rows).view(kind)
    return pixels.reshape((height, width) if samples == 1 else (height, width, samples))


def of_array(pixels: np.ndarray) -> Image:
    """Of what was decoded. Raises OrthancError 23 for what no format has."""
    table = _GRAY if pixels.ndim == 2 else _COLOR
    found = table.get(pixels.dtype.newbyteorder("="))
    if found is None:
        raise OrthancError("no pixel format of scripts has such pixels", code=INCOMPATIBLE_FORMAT)
    return Image(found, np.array(pixels))


def layout(pixel_format: int) -> tuple[str, int]:
    """Type and number of samples. Raises OrthancException 3."""
    found = _LAYOUTS.get(pixel_format)
    if found is None:
        raise failure(PARAMETER_OUT_OF_RANGE)
    return found


def to_picture(pixel_format: int, pixels: np.ndarray) -> np.ndarray:
    """As the encoders of pictures take it: grey of 8 or 16 bits, or RGB of 8. Raises
    OrthancException 23 for another format."""
    if pixel_format == _BGRA32:
        return np.ascontiguousarray(pixels[..., 2::-1])
    if pixel_format == _RGBA32:
        return np.ascontiguousarray(pixels[..., :3])
    if pixel_format in (_RGB24, *list(_GRAY.values())[:3]):
        return np.ascontiguousarray(pixels)
    raise failure(INCOMPATIBLE_FORMAT)


def _converted(pixels: np.ndarray, old: int, wanted: int) -> np.ndarray:
    kind, samples = layout(wanted)
    if old == wanted:
        return pixels.copy()
    has_color, wants_color = pixels.ndim == 3, samples > 1
    if has_color and wants_color:
        return _recolored(pixels, old, wanted, kind, samples)
    if has_color:
        red, green, blue = _rgb(pixels, old)
        # As measured on Orthanc: nearly ITU-R BT.709, with less blue.
        gray = (red * 2126 + green * 7152 + blue * 466) // 10000
        return _clamped(np.asarray(gray), kind)
    if wants_color:
        if old != _FORMATS["GRAYSCALE8"] and kind != "<u2":
            raise failure(NOT_IMPLEMENTED)
        return _colored([pixels] * 3, wanted, kind, samples)
    return _clamped(pixels, kind)


def _rgb(pixels: np.ndarray, pixel_format: int) -> list[np.ndarray]:
    order = (2, 1, 0) if pixel_format == _BGRA32 else (0, 1, 2)
    return [pixels[..., each].astype(np.float64) for each in order]


def _recolored(pixels: np.ndarray, old: int, wanted: int, kind: str, samples: int) -> np.ndarray:
    if pixels.dtype != np.dtype(kind):
        raise failure(NOT_IMPLEMENTED)
    return _colored(_rgb(pixels, old), wanted, kind, samples)


def _colored(planes: list[Any], wanted: int, kind: str, samples: int) -> np.ndarray:
    if wanted == _BGRA32:
        planes = planes[::-1]
    if samples == 4:
        planes = [*planes, np.full(planes[0].shape, 255)]
    return np.stack(planes, axis=-1).astype(kind)


def _clamped(pixels: np.ndarray, kind: str) -> np.ndarray:
    target = np.dtype(kind)
    if target.kind == "f":
        return pixels.astype(kind)
    limits = np.iinfo(target)
    if pixels.dtype.kind == "u" and np.iinfo(pixels.dtype).max <= limits.max:
        return pixels.astype(kind)
    clipped: np.ndarray = np.clip(pixels, limits.min, limits.max).astype(kind)
    return clipped
