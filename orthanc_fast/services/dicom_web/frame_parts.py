"""The frames of an instance as WADO-RS sends them: as they are stored, or in another transfer
syntax.

What is sent as stored is read from where it lies and nothing else is touched: of native pixels the
layout in the index tells where that is, of compressed ones the offset table; without a table all
fragments have to be looked at once, which is remembered.

Source: reference chapter 5, section 5; PS3.18, section 8.7.3.
"""

import asyncio
import os
from array import array
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from threading import Lock
from typing import Final, TypeVar

import msgspec
import numpy as np

from orthanc_fast.dicom.pixel_layout import PMSCT_DATA
from orthanc_fast.errors import BadRequest, NoPixelData, NotImplementedYet
from orthanc_fast.imaging.frames import Frames, native_range
from orthanc_fast.imaging.info import ImageInfo, image_info
from orthanc_fast.imaging.recode import Wider, plan, recode
from orthanc_fast.model import Attachment, PixelLayout, Resource
from orthanc_fast.registries import TRANSFER_SYNTAX
from orthanc_fast.services.archive.ordering import Step, in_order
from orthanc_fast.services.attachments.reading import dicom_attachment, opened
from orthanc_fast.services.dicom_web.file_steps import FileReader, Range, gathered, pieces
from orthanc_fast.services.dicom_web.repeats import Repeats
from orthanc_fast.services.pixels.pixels import OpenImage, Pixels, extended_offsets
from orthanc_fast.storage.contract import Handle, Storage
from orthanc_fast.transfer_syntaxes import DEFLATED, EXPLICIT_LITTLE, SYNTAXES

T = TypeVar("T")

_REPEATED: Final = 64 << 20  # bytes of the frames of one answer that are asked for again
_REMEMBERED: Final = 1 << 20  # fragments, of 16 bytes each

Head = Callable[[int, int], bytes]
"""What stands before the frame of this index, which has so many bytes. Is asked for each in its
order."""


class FrameImage(msgspec.Struct, frozen=True, gc=False):
    """An instance with frames, as the index knows it."""

    instance: Resource
    file: Attachment
    layout: PixelLayout
    info: ImageInfo

    @property
    def syntax(self) -> str:
        """The transfer syntax of frames that are sent as they are stored: all native ones are in
        little endian then."""
        return self.info.transfer_syntax if self.info.syntax.is_encapsulated else EXPLICIT_LITTLE

    @property
    def lies_open(self) -> bool:
        """Whether frames can be read out of the stored file as they are."""
        return (
            not self.file.compressed
            and self.layout.element != PMSCT_DATA
            and self.instance.metadata.get(TRANSFER_SYNTAX) != DEFLATED
        )

    def can_be(self, uid: str) -> bool:
        """Whether its frames can be sent in this transfer syntax."""
        syntax = self.info.syntax
        if uid == self.syntax:
            return True
        if not syntax.is_encapsulated and not SYNTAXES[uid].is_encapsulated:
            return not self.info.has_wrong_fragments
        try:
            plan(self.info, uid)
        except NotImplementedYet:
            return False
        return True


class FrameParts:
    """Reads, decodes and encodes frames; one per process."""

    def __init__(self, storage: Storage, pixels: Pixels, files: FileReader, quality: int) -> None:
        """`quality` is that of lossy transfer syntaxes."""
        self._storage = storage
        self._pixels = pixels
        self._files = files
        self._quality = quality
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, "frames")
        self._tables = _Tables()

    def close(self) -> None:
        """Waits for frames that are being made."""
        self._threads.shutdown(cancel_futures=True)

    async def image(self, instance: Resource) -> FrameImage:
        """Raises BadRequest for an instance without pixel data, and as `image_info` does."""
        layout = self._pixels.layout(instance)
        try:
            if layout is None:
                layout = await self._run(partial(self._found_layout, instance))
            info = image_info(layout, instance.metadata.get(TRANSFER_SYNTAX))
        except NoPixelData as error:
            raise BadRequest("This instance has no pixel data, hence no frames") from error
        return FrameImage(instance, dicom_attachment(instance), layout, info)

    async def ranges(self, image: FrameImage, index: int, syntax: str) -> list[Range] | None:
        """Where in its file the frame lies as it is to be sent, None where it has to be made.
        Raises as `Frames.encoded` does."""
        if not image.lies_open or not _is_copied(image, syntax):
            return None
        if image.layout.value_length is not None:
            found = native_range(image.layout, image.info, index)
            return None if found is None else [found]
        known = self._tables.get(image.file.uuid, index)
        return await self._run(partial(self._located, image, index)) if known is None else known

    async def read(
        self, image: FrameImage, ranges: list[Range], head: bytes = b"", tail: bytes = b""
    ) -> bytes:
        """What lies there, at once, between `head` and `tail`. Raises OrthancError 2006,
        CorruptedFile."""
        handle = self._storage.open(image.file.uuid)
        if len(ranges) == 1:
            ((first, stop),) = ranges
            found = handle.read_now(first, stop - first, head, tail)
            if found is not None:
                return found
        data = await self._files.ranges(handle, ranges)
        return b"".join((head, data, tail)) if head or tail else data

    def pieces(self, image: FrameImage, ranges: list[Range]) -> AsyncGenerator[bytes]:
        """The same in pieces."""
        return self._files.pieces_of(image.file.uuid, ranges)

    async def made(self, image: FrameImage, index: int, syntax: str) -> bytes:
        """One frame in another form than that in which it is stored. Raises BadFileFormat for a
        damaged one, NotImplementedYet."""
        return await self._run(
            lambda: _made(self._pixels.open(image.instance), index, syntax, self._quality)
        )

    async def stream(
        self, image: FrameImage, indices: Iterable[int], syntax: str, head: Head
    ) -> AsyncGenerator[bytes]:
        """Several frames, each behind its head. Raises as the methods for one do."""
        steps = self._steps(image, indices, syntax, head)
        async with aclosing(gathered(in_order(steps))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _steps(
        self, image: FrameImage, indices: Iterable[int], syntax: str, head: Head
    ) -> AsyncGenerator[Step]:
        source: OpenImage | None = None
        handle: Handle | None = None
        cost = image.info.frame_bits // 8
        repeats: Repeats[asyncio.Future[bytes]] = Repeats(indices, _REPEATED)
        for index in indices:
            ranges = await self.ranges(image, index, syntax)
            if ranges is not None:
                handle = handle or self._storage.open(image.file.uuid)
                for step in self._files.range_steps(handle, ranges, partial(head, index)):
                    yield step
                continue
            if source is None:
                source = await self._run(partial(self._pixels.open, image.instance))
            work = repeats.take(index)
            if work is None:
                work = self._run(partial(_made, source, index, syntax, self._quality))
                repeats.keep(index, work, cost)
            yield Step(cost, work, _emitter(head, index))

    def _run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    # What threads do

    def _found_layout(self, instance: Resource) -> PixelLayout:
        """Of a file about which the index knows nothing."""
        with self._pixels.open(instance) as image:
            return image.layout

    def _located(self, image: FrameImage, index: int) -> list[Range]:
        data = memoryview(opened(self._storage, image.file))
        head = data[: image.layout.element_offset]
        frames = Frames(data, image.layout, image.info, partial(extended_offsets, head))
        found = frames.fragments(index)
        if frames.walked is not None:
            self._tables.put(image.file.uuid, frames.walked)
        return found


def _is_copied(image: FrameImage, syntax: str) -> bool:
    """Whether the bytes of the frame are those of the file, in little endian."""
    if image.info.syntax.is_encapsulated:
        return syntax == image.syntax
    wanted = SYNTAXES[syntax]
    return not wanted.is_encapsulated and not wanted.is_big_endian


def _made(image: OpenImage, index: int, syntax: str, quality: int) -> bytes:
    wanted = SYNTAXES[syntax]
    if image.info.syntax.is_encapsulated or wanted.is_encapsulated:
        if syntax == image.info.transfer_syntax:
            return bytes(image.raw(index))
        try:
            data = recode(image, index, plan(image.info, syntax), quality)
        except Wider:
            image.widen()
            data = recode(image, index, plan(image.info, syntax), quality)
    else:
        data = bytes(image.raw(index))
    return _swapped(data, image.info.bits_allocated) if wanted.is_big_endian else data


def _swapped(data: bytes, bits_allocated: int) -> bytes:
    """Pixels of OW in big endian."""
    size = max(bits_allocated // 8, 2)
    whole = len(data) // size * size
    words = np.frombuffer(data, np.uint8, whole).reshape(-1, size)
    return words[:, ::-1].tobytes() + data[whole:]


def _emitter(head: Head, index: int) -> Callable[[bytes], Iterator[bytes]]:
    return lambda data: pieces(head(index, len(data)), data)


class _Tables:
    """Where the fragments of files lie whose frames no offset table tells; those of late."""

    def __init__(self) -> None:
        self._tables: OrderedDict[str, _Table] = OrderedDict()
        self._fragments = 0
        self._lock = Lock()

    def get(self, uuid: str, index: int) -> list[Range] | None:
        with self._lock:
            table = self._tables.get(uuid)
            if table is None:
                return None
            self._tables.move_to_end(uuid)
        return table.frame(index)

    def put(self, uuid: str, frames: list[list[Range]]) -> None:
        table = _Table(frames)
        with self._lock:
            if uuid in self._tables or table.fragments > _REMEMBERED:
                return
            self._tables[uuid] = table
            self._fragments += table.fragments
            while self._fragments > _REMEMBERED:
                _, oldest = self._tables.popitem(last=False)
                self._fragments -= oldest.fragments


class _Table:
    """The fragments of one file; a list of tuples would take ten times the memory."""

    __slots__ = ("_bounds", "_firsts", "fragments")

    def __init__(self, frames: list[list[Range]]) -> None:
        self._bounds = array("Q")
        self._firsts = array("Q", [0])
        for ranges in frames:
            for each in ranges:
                self._bounds.extend(each)
            self._firsts.append(len(self._bounds) // 2)
        self.fragments = len(self._bounds) // 2

    def frame(self, index: int) -> list[Range] | None:
        """None for a frame that is not there."""
        if index + 1 >= len(self._firsts):
            return None
        first, stop = self._firsts[index], self._firsts[index + 1]
        bounds = self._bounds[2 * first : 2 * stop]
        return list(zip(bounds[::2], bounds[1::2], strict=True))
