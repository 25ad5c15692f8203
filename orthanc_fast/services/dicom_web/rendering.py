"""Pictures, documents and videos for DICOMweb: which instance stands for what is asked for, how its
frames are drawn, and what else its file shows.

Source: reference chapter 5, sections 7 and 10; PS3.18, sections 8.3.5.1 and 10.4.
"""

import math
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from orthanc_fast.dicom.pixel_layout import raw_values
from orthanc_fast.errors import InexistentItem, ParameterOutOfRange
from orthanc_fast.imaging import render
from orthanc_fast.imaging.accept import PictureFormat
from orthanc_fast.imaging.picture import encode
from orthanc_fast.imaging.picture_gif import gif_end, gif_frame, gif_start, picture_to_gif
from orthanc_fast.imaging.render import Frame, Picture
from orthanc_fast.imaging.viewport import Part, Viewport
from orthanc_fast.imaging.voi import Display, Rescale, Window
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.numerals import BLANKS, decimal
from orthanc_fast.registries import TRANSFER_SYNTAX
from orthanc_fast.services.dicom_web.latest_pictures import LatestPictures
from orthanc_fast.services.dicom_web.targets import Targets
from orthanc_fast.services.pixels.display import announced_rescale, declared_window, rescale
from orthanc_fast.services.pixels.pictures import NoPicture, Pictures, Rendering, Shown
from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.services.store.terms import SERIES_INSTANCE_UID, SOP_INSTANCE_UID
from orthanc_fast.transfer_syntaxes import SYNTAXES

# Pixels of the longer side of a thumbnail for which no other size is asked.
THUMBNAIL: Final = 256

Form = Literal["image/jpeg", "image/png", "image/gif"]

_KEPT: Final = 16 << 20  # bytes of pictures that each process keeps

_FRAME_TIME, _CINE_RATE, _DISPLAY_RATE = 0x00181063, 0x00180040, 0x00082144
_TIMES: Final = frozenset({_FRAME_TIME, _CINE_RATE, _DISPLAY_RATE})
_DEFAULT_SECONDS: Final = 0.1  # that a frame of an animation is shown


class View(msgspec.Struct, frozen=True):
    """How a frame is drawn. Without a window grey values are stretched from the smallest to the
    largest of the part that is shown, as by the plugin; those of a thumbnail go by the window of
    the file, if it has one."""

    viewport: Viewport | None = None
    window: Window | None = None
    is_thumbnail: bool = False

    def draw(self, shown: Shown) -> Picture:
        """Raises ParameterOutOfRange for a viewport that is too large."""
        viewport, frame = self.viewport, shown.frame
        part = Part() if viewport is None else viewport.part
        picture = self._mapped(shown, part.of(frame))
        if viewport is not None:
            return viewport.filled(picture, frame)
        return render.reduced(picture, THUMBNAIL) if self.is_thumbnail else picture

    def _mapped(self, shown: Shown, frame: Frame) -> Picture:
        is_inverted = shown.image.info.is_inverted
        if frame.ndim == 3 or not frame.size:
            return render.eight_bits(frame, shown.color_bits)
        if self.window is not None:
            modality = Rescale(*announced_rescale(shown.image, shown.index))
            picture = Display(modality, self.window)(frame)
        else:
            declared = declared_window(shown.image, shown.index) if self.is_thumbnail else None
            if declared is None:
                return render.preview(frame, inverted=is_inverted)
            picture = render.windowed(
                frame, *declared, *rescale(shown.instance, shown.image, shown.index)
            )
        if is_inverted:
            render.invert(picture)
        return picture


class ObjectView(msgspec.Struct, frozen=True):
    """How WADO-URI draws a frame: as `/rendered` of the REST API, through the window of the file.
    `region` are the shares of the width and the height at which it begins and ends."""

    center: float | None = None
    width: float | None = None
    columns: int = 0
    rows: int = 0
    region: tuple[float, float, float, float] | None = None

    def draw(self, shown: Shown) -> Picture:
        """Raises NotImplementedYet for a picture that is too large."""
        if self.region is not None:
            frame = _share(shown.frame, self.region)
            shown = msgspec.structs.replace(shown, frame=frame)
        # Smoothed where it shrinks: nobody has the plugin's picture to compare with.
        rendering = Rendering(
            self.center, self.width, self.columns, self.rows, smooth=bool(self.columns or self.rows)
        )
        return rendering.draw(shown)


def _share(frame: Frame, region: tuple[float, float, float, float]) -> Frame:
    """At least one pixel."""
    rows, columns = frame.shape[:2]
    left, top = (
        min(math.floor(share * size), size - 1)
        for share, size in zip(region[:2], (columns, rows), strict=True)
    )
    right, bottom = (
        math.ceil(share * size) for share, size in zip(region[2:], (columns, rows), strict=True)
    )
    return Part(left, top, right - left, bottom - top).of(frame)


Drawing = View | ObjectView


class Place(NamedTuple):
    """One frame of an instance, counted from 0; `path` are the UIDs of the instance as they stand
    in addresses, where there is a use for them."""

    instance: Resource
    frame: int
    path: str = ""


class Renderings:
    """One per process. Instances that it is given have been looked up for a caller."""

    def __init__(self, targets: Targets, pixels: Pixels, pictures: Pictures) -> None:
        self._targets = targets
        self._pixels = pixels
        self.pictures = pictures
        self._latest = LatestPictures(_KEPT)

    def key_image(self, caller: Caller, uids: Sequence[str]) -> Resource:
        """The instance that stands for a study, a series or itself: that in the middle of the
        series in the middle, of those with images where there are any. Raises InexistentItem."""
        return self.standing_for(caller, self._targets.require(caller, uids))

    def standing_for(self, caller: Caller, found: Sequence[Resource]) -> Resource:
        """The same for studies, series or instances that have been looked up. Raises
        InexistentItem."""
        if found[0].level == Level.INSTANCE:
            return found[0]
        first: Resource | None = None
        for series in _from_the_middle(self._targets.series(caller, found)):
            publics = self._targets.ordered(caller, series)
            middle = (len(publics) // SHA1 - 1) // 2 * SHA1
            # None of them where it has been deleted meanwhile.
            for instance in self._targets.resources(caller, publics[middle : middle + SHA1]):
                if self.is_image(instance):
                    return instance
                first = first or instance
        if first is None:
            raise InexistentItem("its instances have been deleted meanwhile")
        return first

    def places(self, caller: Caller, uids: Sequence[str]) -> Iterator[Place]:
        """All frames of all images of a study, series or instance, in their order. Raises
        InexistentItem."""
        found = self._targets.require(caller, uids)
        if found[0].level == Level.INSTANCE:
            yield from self.frames(found[0], "studies/{}/series/{}/instances/{}".format(*uids))
            return
        for series in self._targets.series(caller, found):
            prefix = f"studies/{uids[0]}/series/{series.tags.get(SERIES_INSTANCE_UID, '')}"
            for instance in chain.from_iterable(self._targets.instances(caller, series)):
                if self.is_image(instance) and not is_video(instance):
                    uid = instance.tags.get(SOP_INSTANCE_UID, "")
                    yield from self.frames(instance, f"{prefix}/instances/{uid}")

    def frames(self, instance: Resource, path: str = "") -> Iterator[Place]:
        """All frames of an instance. Raises BadFileFormat for a number that is none."""
        for frame in range(self._pixels.frame_count(instance)):
            yield Place(instance, frame, path)

    def middle(self, instance: Resource) -> Place:
        """The frame in the middle of an instance. Raises as `frames` does."""
        return Place(instance, (self._pixels.frame_count(instance) - 1) // 2)

    def is_image(self, instance: Resource) -> bool:
        """Whether the index knows about pixels of it."""
        return self._pixels.layout(instance) is not None

    async def picture(self, place: Place, view: Drawing, form: Form, quality: int) -> bytes:
        """One frame, drawn and encoded. Raises ParameterOutOfRange for what has no picture."""

        def make(shown: Shown) -> bytes:
            picture = view.draw(shown)
            if form == "image/gif":
                return picture_to_gif(picture)
            return encode(picture, PictureFormat(form), quality)

        return await self._made(place, make)

    async def latest(
        self, tag: bytes, place: Place, view: Drawing, form: Form, quality: int
    ) -> bytes:
        """As `picture`. `tag` stands for all that it depends on: the latest ones are kept, since
        a list of thumbnails is shown again and again."""
        found = self._latest.get(tag)
        if found is None:
            found = await self.picture(place, view, form, quality)
            self._latest.put(tag, found)
        return found

    async def animation(self, places: Iterable[Place], view: Drawing) -> AsyncGenerator[bytes]:
        """Frames of one instance as one GIF, in parts. Raises as `picture` does."""
        is_first = True

        def make(shown: Shown) -> bytes:
            picture = view.draw(shown)
            start = gif_start(picture, is_animated=True) if is_first else b""
            return start + gif_frame(picture, _seconds(shown))

        for place in places:
            yield await self._made(place, make)
            is_first = False
        yield gif_end()

    async def _made(self, place: Place, make: Callable[[Shown], bytes]) -> bytes:
        try:
            return await self.pictures.made(place.instance, place.frame, make)
        except NoPicture as error:
            raise ParameterOutOfRange(str(error)) from error


def is_video(instance: Resource) -> bool:
    """Whether the pixel data of an instance are the bitstream of a video."""
    syntax = SYNTAXES.get(instance.metadata.get(TRANSFER_SYNTAX, ""))
    return syntax is not None and syntax.is_video


def symbol(kind: Literal["video", "document"]) -> Picture:
    """The thumbnail of what has no picture of its own."""
    size = THUMBNAIL // 2
    picture = np.full((size, size, 3), 48, np.uint8)
    rows, columns = np.mgrid[0:size, 0:size] / size
    if kind == "video":
        picture[(columns > 0.35) & (columns + abs(rows - 0.5) * 1.3 < 0.8)] = 224
        return picture
    sheet = (abs(columns - 0.5) < 0.25) & (abs(rows - 0.5) < 0.35)
    picture[sheet & (columns - rows < 0.45)] = 224
    lines = (rows * 14 % 2 < 1) & (abs(columns - 0.5) < 0.18) & (abs(rows - 0.58) < 0.22)
    picture[lines] = 128
    return picture


def _seconds(shown: Shown) -> float:
    """For which a frame is shown, by FrameTime or one of the rates."""
    values, _ = raw_values(shown.image.dataset_head, _TIMES)
    texts = {tag: value.decode("latin-1").strip(BLANKS + "\0") for tag, value in values.items()}
    time = decimal(texts.get(_FRAME_TIME, ""))
    if time is not None and time > 0:
        return time / 1000
    rate = decimal(texts.get(_DISPLAY_RATE, "")) or decimal(texts.get(_CINE_RATE, ""))
    return 1 / rate if rate is not None and rate > 0 else _DEFAULT_SECONDS


def _from_the_middle(series: Sequence[Resource]) -> list[Resource]:
    """The one in the middle, then its neighbours, then theirs."""
    middle = (len(series) - 1) // 2
    order = sorted(range(len(series)), key=lambda at: abs(at - middle))
    return [series[at] for at in order]
