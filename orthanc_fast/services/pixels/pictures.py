"""Frames of stored instances as pictures, raw bytes and text: opened, decoded, drawn and encoded in
one go on one thread, of which there are few, so that memory does not follow the number of requests.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec
import numpy as np
from isal import igzip

from orthanc_fast._ext.ids import to_text
from orthanc_fast.errors import (
    BadFileFormat,
    BadRequest,
    NoPixelData,
    NotImplementedYet,
    OrthancError,
    ParameterOutOfRange,
)
from orthanc_fast.imaging import render
from orthanc_fast.imaging.accept import PictureFormat
from orthanc_fast.imaging.buffers import keep_freed_memory
from orthanc_fast.imaging.matlab import matlab_text
from orthanc_fast.imaging.picture import encode
from orthanc_fast.imaging.render import Frame, GrayKind, Picture
from orthanc_fast.imaging.voi import Function
from orthanc_fast.model import Resource
from orthanc_fast.services.pixels.display import (
    declared_window,
    default_window,
    rescale,
    standard_display,
)
from orthanc_fast.services.pixels.pixels import OpenImage, Pixels

Result = TypeVar("Result")

# The code of the error of an encoder whose format cannot hold the picture.
_BAD_IMAGE_SIZE = 24

_GZIP_LEVEL = 1

# A raw frame of this size, such as a video, does not have to be in memory at once.
STREAMED = 4 << 20


class NoPicture(Exception):
    """The instance is no image, has no such frame, or cannot be decoded or drawn this way."""


class Shown(msgspec.Struct, frozen=True):
    """A decoded frame and where it comes from."""

    instance: Resource
    image: OpenImage
    index: int
    frame: Frame

    @property
    def color_bits(self) -> int:
        info = self.image.info
        return 16 if info.is_palette else info.bits_stored


Draw = Callable[[Shown], Picture]


class Rendering(msgspec.Struct, frozen=True):
    """What `/rendered` can be asked for. `standard` draws as PS3.3 has it instead of as Orthanc
    does; `function` replaces the file's VOI LUT function and implies `standard`."""

    center: float | None = None
    width: float | None = None
    columns: int = 0
    rows: int = 0
    smooth: bool = False
    standard: bool = False
    function: Function | None = None

    def draw(self, shown: Shown) -> Picture:
        frame = shown.frame
        is_gray = frame.ndim == 2
        picture = self._gray(shown) if is_gray else render.eight_bits(frame, shown.color_bits)
        picture = render.fitted(picture, self.columns, self.rows, self.smooth)
        if is_gray and shown.image.info.is_inverted:
            render.invert(picture)
        return picture

    def _gray(self, shown: Shown) -> Picture:
        image, index, frame = shown.image, shown.index, shown.frame
        if self.standard:
            display = standard_display(
                image,
                index,
                frame,
                function=self.function,
                center=self.center,
                width=self.width,
            )
            return display(frame)
        declared = declared_window(image, index)
        unbounded = image.info.is_float or image.info.bits_stored >= 32
        if declared is None and unbounded and self.center is None and self.width is None:
            return render.preview(frame)  # a window over all values would show nothing
        center, width = declared or default_window(image)
        slope, intercept = rescale(shown.instance, image, index)
        return render.windowed(
            frame,
            center if self.center is None else self.center,
            width if self.width is None else self.width,
            slope,
            intercept,
        )


def draw_preview(shown: Shown) -> Picture:
    """`/preview`"""
    inverted = shown.image.info.is_inverted
    return render.preview(shown.frame, inverted=inverted, color_bits=shown.color_bits)


def draw_gray(kind: GrayKind) -> Draw:
    """`/image-uint8` and its like."""
    return lambda shown: render.gray(shown.frame, kind, color_bits=shown.color_bits)


class Pictures:
    """One per process. The instances that it is given have been looked up for a caller, who is not
    asked for again. The methods raise OrthancError 2006, CorruptedFile or UnknownResource where the
    file of the instance is missing or damaged."""

    def __init__(self, pixels: Pixels, processes: int, warn: Callable[[str, str], None]) -> None:
        """`processes` share the cores of the machine; `warn` takes the short name of a warning and
        its text."""
        self._pixels = pixels
        self._warn = warn
        keep_freed_memory()
        # At least two, of which one may wait for the disk; with more they wait for each other.
        threads = max(2, len(os.sched_getaffinity(0)) // processes)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="picture")

    async def picture(
        self, instance: Resource, index: int, draw: Draw, form: PictureFormat, quality: int
    ) -> bytes:
        """Frame `index`, drawn and encoded. Raises NoPicture."""
        return await self.made(instance, index, lambda shown: encode(draw(shown), form, quality))

    async def made(self, instance: Resource, index: int, make: Callable[[Shown], Result]) -> Result:
        """What `make` makes of frame `index`, in one of the threads. Raises NoPicture."""

        def work() -> Result:
            try:
                return make(self._shown(instance, index))
            except (NotImplementedYet, BadFileFormat, ParameterOutOfRange) as error:
                raise NoPicture(str(error)) from error
            except OrthancError as error:
                if error.code != _BAD_IMAGE_SIZE:
                    raise
                raise NoPicture(str(error)) from error

        return await self._run(work)

    async def is_decodable(self, instance: Resource, index: int) -> bool:
        """Whether there is such a frame and it can be decoded."""

        def work() -> bool:
            try:
                self._shown(instance, index)
            except (NotImplementedYet, BadFileFormat, ParameterOutOfRange):
                return False
            return True

        return await self._run(work)

    async def matlab(self, instance: Resource, index: int) -> bytes:
        """Frame `index` as text for Matlab. Raises NotImplementedYet for whatever reason there is
        none, as Orthanc does."""

        def work() -> bytes:
            try:
                return matlab_text(self._shown(instance, index).frame)
            except (BadFileFormat, ParameterOutOfRange) as error:
                raise NotImplementedYet(error.details) from error

        return await self._run(work)

    async def raw(self, instance: Resource, index: int) -> bytes | memoryview:
        """Frame `index` as `OpenImage.raw` has it; from STREAMED bytes on it may be a view of the
        file, of which reading waits for the disk. Raises ParameterOutOfRange, BadFileFormat,
        NotImplementedYet."""

        def work() -> bytes | memoryview:
            frame = self._raw(instance, index)
            return frame if len(frame) >= STREAMED else bytes(frame)

        return await self._run(work)

    async def raw_gzip(self, instance: Resource, index: int) -> bytes:
        """The same, compressed."""
        return await self._run(
            lambda: igzip.compress(self._raw(instance, index), _GZIP_LEVEL, mtime=0)
        )

    async def stream(self, instance: Resource) -> list[memoryview]:
        """The pieces of the file that are the bitstream of a video. Raises ParameterOutOfRange,
        BadFileFormat, NotImplementedYet."""

        def work() -> list[memoryview]:
            with self._pixels.open(instance) as image:
                return image.pieces(0)

        return await self._run(work)

    def close(self) -> None:
        """Ends the threads once they have done what they are at."""
        self._threads.shutdown(cancel_futures=True)

    def _shown(self, instance: Resource, index: int) -> Shown:
        image = self._pixels.open(instance)
        try:
            frame = np.ascontiguousarray(image.decode(index))
        except (NotImplementedYet, BadFileFormat) as error:
            name = to_text(instance.public)
            self._warn("W003", f"frame {index} of instance {name} cannot be decoded: {error}")
            raise
        return Shown(instance, image, index, frame)

    def _raw(self, instance: Resource, index: int) -> bytes | memoryview:
        try:
            with self._pixels.open(instance) as image:
                return image.raw(index)
        except NoPixelData as error:  # as Orthanc says it here, and only here
            raise BadRequest(error.details) from error

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
