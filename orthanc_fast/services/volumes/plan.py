"""What an array will be, before any pixel is read: its frames in order, shape, type and length.

Sources: reference chapter 2, sections 6 and 7.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from orthanc_fast.errors import BadFileFormat, OrthancError, ParameterOutOfRange
from orthanc_fast.imaging.frame_count import room_for_frames
from orthanc_fast.imaging.info import ImageInfo, image_info
from orthanc_fast.imaging.npy import npy_header
from orthanc_fast.model import PixelLayout, Resource
from orthanc_fast.registries import TRANSFER_SYNTAX
from orthanc_fast.services.attachments.reading import dicom_attachment
from orthanc_fast.services.pixels.display import number
from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.services.store.frame_maps import layout_decoder
from orthanc_fast.services.volumes.places import Places, Selection
from orthanc_fast.transfer_syntaxes import SYNTAXES

INCOMPATIBLE_FORMAT, INCOMPATIBLE_SIZE = 23, 24

TargetName = Literal["float32", "float16", "int16", "uint8"]
TARGETS: tuple[TargetName, ...] = ("float32", "float16", "int16", "uint8")

FLOAT32 = np.dtype("f4")


class Numbers(msgspec.Struct, frozen=True):
    """What grey values become. `rescale` applies slope and intercept; `dtype` None is float32 with
    and the stored type without rescale. Of "uint8" the window is what `center` and `width` say, in
    units of the (rescaled) values, else the one that the file declares."""

    rescale: bool = True
    dtype: TargetName | None = None
    center: float | None = None
    width: float | None = None


class Source(msgspec.Struct, frozen=True, gc=False):
    """One file of an array."""

    instance: Resource
    layout: PixelLayout | None  # None: the index does not know it
    info: ImageInfo
    room: int  # for so many frames

    def require_room(self, count: int) -> None:
        """Raises BadFileFormat if the file cannot have so many frames as it announces."""
        if count > self.room:
            raise BadFileFormat(
                f"{self.info.number_of_frames} frames of {self.info.rows} x {self.info.columns} "
                f"pixels are announced, the pixel data have room for {self.room}"
            )


class Volume(msgspec.Struct, frozen=True):
    """An array of frames of the same shape and type; `frames` tells which they are. `window` is
    (center, width) where values are windowed."""

    sources: list[Source]
    frames: Places
    numbers: Numbers
    dtype: np.dtype[np.generic]
    window: tuple[float, float] | None = None

    @property
    def info(self) -> ImageInfo:
        """Of any frame."""
        return self.sources[self.frames[0][0]].info

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(frames, rows, columns, channels)."""
        info = self.info
        return (len(self.frames), info.rows, info.columns, 3 if info.is_color else 1)

    @property
    def frame_bytes(self) -> int:
        _, rows, columns, channels = self.shape
        return rows * columns * channels * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return len(self.frames) * self.frame_bytes

    def header(self, is_frame: bool = False) -> bytes:
        """Of the .npy file; a single frame has no axis for frames."""
        return npy_header(self.shape[1:] if is_frame else self.shape, self.dtype)


class Found(NamedTuple):
    """What the index has of one instance; `image` is None where it knows no layout."""

    instance: Resource
    image: bytes | None

    @property
    def needs_file(self) -> bool:
        """Whether only the file tells the shape: a codestream has its own."""
        syntax = SYNTAXES.get(self.instance.metadata.get(TRANSFER_SYNTAX, ""))
        return not self.image or syntax is None or syntax.is_encapsulated


class Planner:
    """From what the index knows to volumes; files are opened where that is not enough. Blocking
    where they are, may be used from any thread."""

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels

    def frame(self, found: Found, index: int, numbers: Numbers) -> Volume:
        """One frame. Raises ParameterOutOfRange, and what `instance` raises."""
        source = self._source(found, first=lambda count: index)
        count = source.info.number_of_frames
        if index >= count:
            raise ParameterOutOfRange(f"there is no frame {index}: the instance has {count}")
        source.require_room(index + 1)
        return _volume([source], Places([count], [slice(index, index + 1)]), numbers)

    def instance(self, found: Found, numbers: Numbers, frames: Selection = None) -> Volume:
        """All frames of an instance, or those chosen.

        Raises BadFileFormat, NotImplementedYet (see `image_info`, `require_decodable`),
        ParameterOutOfRange for a choice that is empty and for numbers that do not fit.
        """
        source = self._source(found, first=lambda count: Places([count], frames, "frames")[0][1])
        return _volume([source], Places([_whole(source)], frames, "frames"), numbers)

    def series(self, found: Sequence[Found], numbers: Numbers, slices: Selection = None) -> Volume:
        """All frames of all slices, which are given in their order, or those chosen.

        Raises as `instance` does, and OrthancError 23 or 24 where the formats or sizes of the
        images differ.
        """
        decoder = layout_decoder()
        first = _zero if slices is None else None
        sources = [self._source(each, decoder, first) for each in found]
        _require_alike([source.info for source in sources])
        places = Places([_whole(source) for source in sources], slices, "slices")
        if slices is not None:
            self._require_expansion(found, places)
        return _volume(sources, places, numbers)

    def _require_expansion(self, found: Sequence[Found], places: Places) -> None:
        """Of each compressed file the first frame that is wanted: others may be damaged."""
        for file, index in places.first_of_each().items():
            each = found[file]
            if each.needs_file:
                with self._pixels.open(each.instance) as image:
                    image.require_expansion(index)

    def _source(
        self,
        found: Found,
        decoder: msgspec.msgpack.Decoder[PixelLayout] | None = None,
        first: Callable[[int], int] | None = None,
    ) -> Source:
        """`first` chooses, of so many frames, the first one that is wanted; None leaves it to the
        caller to look at it."""
        instance = found.instance
        size = dicom_attachment(instance).size
        layout = (decoder or layout_decoder()).decode(found.image) if found.image else None
        if layout is None or found.needs_file:
            with self._pixels.open(instance) as image:
                info = image.info
                room = room_for_frames(image.layout, info, size)
                if first is not None:
                    image.require_expansion(first(info.number_of_frames))
        else:
            info = image_info(layout, instance.metadata.get(TRANSFER_SYNTAX))
            room = room_for_frames(layout, info, size)
        info.require_decodable()
        if info.rows == 0 or info.columns == 0:
            raise BadFileFormat(f"the image has {info.rows} rows and {info.columns} columns")
        return Source(instance, layout, info, room)


def _zero(count: int) -> int:
    return 0


def _whole(source: Source) -> int:
    """How many frames a file has. Raises BadFileFormat."""
    count = source.info.number_of_frames
    source.require_room(count)
    return count


def _require_alike(infos: list[ImageInfo]) -> None:
    first = infos[0]
    for info in infos:
        if (info.rows, info.columns) != (first.rows, first.columns):
            raise OrthancError(
                f"{first.rows} x {first.columns} and {info.rows} x {info.columns} pixels: "
                "get the instances one by one",
                code=INCOMPATIBLE_SIZE,
            )
        if (info.dtype, info.is_color) != (first.dtype, first.is_color):
            raise OrthancError(
                f"{_kind(first)} and {_kind(info)}: get the instances one by one",
                code=INCOMPATIBLE_FORMAT,
            )


def _kind(info: ImageInfo) -> str:
    return f"{'colour' if info.is_color else 'grey'} {info.dtype.name}"


def _volume(sources: list[Source], frames: Places, numbers: Numbers) -> Volume:
    info = sources[frames[0][0]].info
    if info.is_color:
        if numbers.dtype is not None and numbers.dtype != info.dtype.name:
            raise ParameterOutOfRange(f"colour is given as it is, as {info.dtype.name}")
        return Volume(sources, frames, numbers, info.dtype)
    if numbers.dtype is None:
        return Volume(sources, frames, numbers, FLOAT32 if numbers.rescale else info.dtype)
    window = None
    if numbers.dtype == "uint8":
        window = _window(sources[frames[0][0]], numbers)
    return Volume(sources, frames, numbers, np.dtype(numbers.dtype), window)


def _window(source: Source, numbers: Numbers) -> tuple[float, float]:
    """One for the whole array: that of its first file, where the request does not say it."""
    layout = source.layout
    declared = (None, None) if layout is None else (layout.window_center, layout.window_width)
    center, width = (
        number((text or "").split("\\")[0]) if given is None else given
        for given, text in zip((numbers.center, numbers.width), declared, strict=True)
    )
    if center is None or width is None or width <= 0:
        raise ParameterOutOfRange(
            'uint8 needs a window: give "window-center" and a positive "window-width"'
        )
    return center, width
