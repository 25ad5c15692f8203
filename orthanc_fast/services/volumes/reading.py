"""From the files of a volume to its numbers, frame by frame, on the calling thread.

Uncompressed little endian frames, most of what there is, are read from the file straight into the
place where they are wanted, or block by block through the kernel that makes numbers of them: that
costs less than mapping the file. All others are decoded.
"""

import threading
from collections import OrderedDict
from typing import Protocol

import numpy as np

from orthanc_fast._ext.cells import extract
from orthanc_fast._ext.volume import to_float32, to_int16
from orthanc_fast._ext.window import scale
from orthanc_fast.errors import BadFileFormat, ParameterOutOfRange
from orthanc_fast.imaging.info import ImageInfo
from orthanc_fast.model import PixelLayout
from orthanc_fast.registries import SOP_CLASS_UID as SOP_CLASS
from orthanc_fast.services.attachments.reading import dicom_attachment
from orthanc_fast.services.pixels.display import IDENTITY, RT_DOSE, number, rescale
from orthanc_fast.services.pixels.pixels import OpenImage, Pixels
from orthanc_fast.services.volumes.plan import Source, Volume
from orthanc_fast.storage.contract import Handle, Storage, WouldWait

BLOCK = 1 << 18  # bytes: a block and what becomes of it stay in the cache of a core
PIXEL_DATA = (0x7FE00008, 0x7FE00009, 0x7FE00010)
READY_RGB = ("RGB", "YBR_ICT", "YBR_RCT")


class Cells(Protocol):
    """The stored values of the frames of one file."""

    left: int
    right: int

    def read(self, frame: int, begin: int, out: memoryview) -> None:
        """Fills `out` with the bytes of a frame from `begin` on, padding bits included."""


class PlainFile:
    """Uncompressed frames in little endian, read where they lie. `left` and `right` are the shifts
    that remove padding bits."""

    def __init__(
        self, handle: Handle, layout: PixelLayout, info: ImageInfo, may_wait: bool
    ) -> None:
        self._handle = handle
        self._offset = layout.value_offset
        self._frame_bytes = info.frame_bits // 8
        self._may_wait = may_wait
        self.left = info.bits_allocated - 1 - info.high_bit
        self.right = info.bits_allocated - info.bits_stored

    def read(self, frame: int, begin: int, out: memoryview) -> None:
        """See `Cells`. Raises WouldWait, BadFileFormat where the file ends too early."""
        place = self._offset + frame * self._frame_bytes + begin
        try:
            self._handle.read_into(place, out, self._may_wait)
        except ParameterOutOfRange as error:
            raise BadFileFormat("the file ends inside its pixel data") from error


def is_plain(source: Source) -> bool:
    """Whether `PlainFile` can read the frames."""
    layout, info = source.layout, source.info
    if layout is None or layout.value_length is None or layout.element not in PIXEL_DATA:
        return False
    syntax = info.syntax
    if info.codec != "native" or syntax.is_big_endian or syntax.is_deflated:
        return False
    if info.bits_allocated in (1, 24) or info.is_palette or info.is_subsampled:
        return False
    if info.samples_per_pixel == 3 and (
        info.planar_configuration or info.photometric_interpretation not in READY_RGB
    ):
        return False
    if layout.value_length < info.number_of_frames * info.frame_bits // 8:
        return False
    return not dicom_attachment(source.instance).compressed


class Reader:
    """Reads the frames of one volume; its methods may be called from several threads at a time.

    The last few files stay open, so that the frames of one file cost one opening.
    """

    def __init__(
        self,
        volume: Volume,
        pixels: Pixels,
        storage: Storage,
        keep: int = 1,
        may_wait: bool = True,
    ) -> None:
        self.volume = volume
        self._pixels = pixels
        self._storage = storage
        self._keep = keep
        self._may_wait = may_wait
        self._lock = threading.Lock()
        self._plain: OrderedDict[int, PlainFile] = OrderedDict()
        self._images: OrderedDict[int, OpenImage] = OrderedDict()
        self._opening: dict[int, threading.Lock] = {}
        self._scratch = threading.local()
        self._is_identity = volume.info.is_color or not volume.numbers.rescale

    def read(self, start: int, stop: int, out: memoryview) -> None:
        """Fills `out` with the frames `start` to `stop` of the volume.

        Raises what opening and decoding raise: BadFileFormat, NotImplementedYet, CorruptedFile,
        OrthancError 2006; WouldWait if the reader must not wait.
        """
        size = self.volume.frame_bytes
        for place in range(start, stop):
            at = (place - start) * size
            self._frame(place, out[at : at + size])

    def _frame(self, place: int, out: memoryview) -> None:
        volume = self.volume
        number_of_source, frame = volume.frames[place]
        source = volume.sources[number_of_source]
        plain = is_plain(source)
        if volume.dtype == source.info.dtype and self._is_identity and volume.window is None:
            if plain:
                file = self._file(number_of_source)
                file.read(frame, 0, out)
                if file.left or file.right:
                    info = source.info
                    width = info.dtype.itemsize
                    extract(out, out, width, file.left, file.right, info.is_signed)
            else:
                array = np.frombuffer(out, source.info.dtype).reshape(source.info.frame_shape)
                self._image(number_of_source).decode(frame, array)
            return
        slope, intercept = self._rescale(number_of_source, frame)
        if plain:
            self._convert_file(self._file(number_of_source), source, frame, out, slope, intercept)
        else:
            pixels = np.ascontiguousarray(self._image(number_of_source).decode(frame))
            raw = pixels.reshape(-1).view(np.uint8)
            self._convert(raw, _kind(source.info), out, 0, 0, slope, intercept)

    def _convert_file(
        self,
        file: PlainFile,
        source: Source,
        frame: int,
        out: memoryview,
        slope: float,
        intercept: float,
    ) -> None:
        kind = _kind(source.info)
        item, target = source.info.dtype.itemsize, self.volume.dtype.itemsize
        total = source.info.frame_bits // 8
        block = self._buffer("block", BLOCK)
        for begin in range(0, total, BLOCK):
            raw = block[: min(BLOCK, total - begin)]
            file.read(frame, begin, raw)
            first = begin // item * target
            part = out[first : first + len(raw) // item * target]
            self._convert(raw, kind, part, file.left, file.right, slope, intercept)

    def _convert(
        self,
        raw: memoryview | np.ndarray,
        kind: str,
        out: memoryview,
        left: int,
        right: int,
        slope: float,
        intercept: float,
    ) -> None:
        volume = self.volume
        name = volume.dtype.name
        if name == "float32":
            to_float32(raw, kind, np.frombuffer(out, np.float32), left, right, slope, intercept)
            return
        count = len(out) // volume.dtype.itemsize
        floats = self._buffer("floats", 4 * count)
        values = np.frombuffer(floats, np.float32)
        to_float32(raw, kind, values, left, right, slope, intercept)
        if name == "float16":
            with np.errstate(over="ignore"):  # beyond 65504 is infinity
                np.frombuffer(out, np.float16)[...] = values
        elif name == "int16":
            to_int16(values, np.frombuffer(out, np.int16))
        else:
            assert volume.window is not None
            center, width = volume.window
            factor = 255 / width
            scale(floats, "f4", out, factor, (width / 2 - center) * factor, False, False)

    def _rescale(self, number_of_source: int, frame: int) -> tuple[float, float]:
        if self._is_identity:
            return IDENTITY
        source = self.volume.sources[number_of_source]
        if source.instance.metadata.get(SOP_CLASS) == RT_DOSE:
            return IDENTITY
        if source.layout is not None:
            slope = number(source.layout.rescale_slope)
            intercept = number(source.layout.rescale_intercept)
            if slope is not None and intercept is not None:
                return slope, intercept
        if not self._may_wait:
            raise WouldWait
        return rescale(source.instance, self._image(number_of_source), frame)

    def _file(self, number_of_source: int) -> PlainFile:
        with self._lock:
            found = self._plain.get(number_of_source)
            if found is None:
                source = self.volume.sources[number_of_source]
                assert source.layout is not None
                handle = self._storage.open(dicom_attachment(source.instance).uuid)
                found = PlainFile(handle, source.layout, source.info, self._may_wait)
                self._plain[number_of_source] = found
                if len(self._plain) > self._keep:
                    self._plain.popitem(last=False)  # closed once nobody reads it any more
            return found

    def _image(self, number_of_source: int) -> OpenImage:
        if not self._may_wait:
            raise WouldWait
        with self._lock:
            found = self._images.get(number_of_source)
            if found is not None:
                return found
            opening = self._opening.setdefault(number_of_source, threading.Lock())
        with opening:  # others that want the same file wait for it
            with self._lock:
                found = self._images.get(number_of_source)
            if found is None:
                found = self._pixels.open(self.volume.sources[number_of_source].instance)
                with self._lock:
                    self._opening.pop(number_of_source, None)
                    self._images[number_of_source] = found
                    if len(self._images) > self._keep:
                        self._images.popitem(last=False)  # as above
            return found

    def _buffer(self, name: str, size: int) -> memoryview:
        """Memory of this thread's, reused."""
        found: bytearray | None = getattr(self._scratch, name, None)
        if found is None or len(found) < size:
            found = bytearray(size)
            setattr(self._scratch, name, found)
        return memoryview(found)[:size]


def _kind(info: ImageInfo) -> str:
    return f"{info.dtype.kind}{info.dtype.itemsize}"
