"""Calls that give pixels as arrays of numbers."""

import io
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from orthanc_fast.client.answers import Geometry, Level
from orthanc_fast.client.call import Call, get
from orthanc_fast.client.errors import ServerError
from orthanc_fast.client.resources import address

DType = Literal["float32", "float16", "int16", "uint8"]
Window = tuple[float, float]

# Magic string, version and length of the header of .npy, which is text.
_MAGIC = 10


class NpyBody:
    """A .npy, read into its place; an axis of one channel is left out."""

    blocks = False

    def __init__(self) -> None:
        self._head = bytearray(_MAGIC)
        self._array: np.ndarray | None = None
        self._room = memoryview(self._head)

    def room(self) -> memoryview:
        return self._room

    def filled(self, count: int) -> None:
        self._room = self._room[count:]
        if self._room or self._array is not None:
            return
        if len(self._head) == _MAGIC:
            if np.lib.format.read_magic(io.BytesIO(self._head)) != (1, 0):
                raise ServerError(0, "the answer is a .npy of an unknown version")
            length = int.from_bytes(self._head[8:], "little")
            self._head = self._head + bytes(length)
            self._room = memoryview(self._head)[_MAGIC:]
        else:
            header = io.BytesIO(self._head[8:])
            shape, _, dtype = np.lib.format.read_array_header_1_0(header)
            self._array = np.empty(shape, dtype)
            if self._array.size:
                self._room = self._array.data.cast("B")

    def done(self) -> np.ndarray:
        if self._array is None or self._room:
            raise ServerError(0, f"the array broke off: {len(self._room)} bytes are missing")
        return self._array[..., 0] if self._array.shape[-1] == 1 else self._array

    def close(self) -> None:
        return


def numbers(
    rescale: bool, dtype: DType | None, window: Window | None, **chosen: str | None
) -> dict[str, Any]:
    """The arguments of the routes of arrays."""
    found: dict[str, Any] = {} if rescale else {"rescale": "0"}
    if window is not None:
        found["window-center"], found["window-width"] = window
    return found | {"dtype": dtype, **chosen}


def volume(
    series: str,
    *,
    rescale: bool = True,
    dtype: DType | None = None,
    window: Window | None = None,
    slices: str | None = None,
) -> Call[np.ndarray]:
    """A series as (slices, rows, columns), or (slices, rows, columns, 3) in colour.

    float32 after rescale, else the stored type. `dtype`, `window` (center and width, for uint8)
    and `slices` ("10:20") are not known to Orthanc, which gives a ServerError then.
    """
    return _array("Series", series, numbers(rescale, dtype, window, slices=slices))


def instance(
    instance: str,
    *,
    rescale: bool = True,
    dtype: DType | None = None,
    window: Window | None = None,
    frames: str | None = None,
) -> Call[np.ndarray]:
    """The frames of an instance; see `volume`."""
    return _array("Instance", instance, numbers(rescale, dtype, window, frames=frames))


def _array(level: Level, name: str, arguments: dict[str, Any]) -> Call[np.ndarray]:
    only_ours = any(arguments[key] is not None for key in arguments if key != "rescale")

    def receive(status: int, headers: Mapping[str, str]) -> NpyBody:
        if only_ours and "accept-ranges" not in headers:
            raise ServerError(0, "the server is no orthanc_fast: it only knows rescale")
        return NpyBody()

    return Call("GET", address(level, name, "numpy"), arguments=arguments, receive=receive)


def geometry(series: str) -> Call[Geometry]:
    """Where a volume lies in the patient: see docs/volumes.md. Not known to Orthanc."""
    return get(address("Series", series, "geometry"), Geometry)
