"""The frames of stored instances, whatever the form in which their files are kept.

Everything here waits for the disk and decodes on the calling thread: call it in one, as in
`await asyncio.to_thread(work)` with

    with services.pixels.open(instance) as image:
        pixels = image.decode(0)
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from threading import Lock
from types import TracebackType
from typing import Literal

import msgspec
import numpy as np

from orthanc_fast._ext.ids import to_text
from orthanc_fast.dicom.part10 import Buffer, DicomFile, open_dicom
from orthanc_fast.dicom.pixel_layout import PMSCT_DATA, find_layout, raw_values
from orthanc_fast.errors import BadFileFormat, FullStorage, NotImplementedYet, StorageFault
from orthanc_fast.imaging import pmsct
from orthanc_fast.imaging.codecs import codec_of
from orthanc_fast.imaging.codecs.contract import check_expansion
from orthanc_fast.imaging.codecs.headers import Header
from orthanc_fast.imaging.decode import decode_frame
from orthanc_fast.imaging.frame_count import SMALLEST_FRAGMENT, room_for_frames
from orthanc_fast.imaging.frames import ExtendedOffsets, Frames
from orthanc_fast.imaging.info import ImageInfo, image_info, number_of_frames
from orthanc_fast.imaging.palette import TAGS as PALETTE_TAGS
from orthanc_fast.imaging.palette import Palette, read_palette
from orthanc_fast.imaging.reconcile import as_encoded, difference
from orthanc_fast.index.contract import Index, Snapshot, Transaction
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Level, PixelLayout, Resource
from orthanc_fast.registries import DICOM_ATTACHMENT, TRANSFER_SYNTAX
from orthanc_fast.services.attachments.reading import dicom_attachment, opened
from orthanc_fast.services.store.frame_maps import layout_decoder, packed_layout
from orthanc_fast.storage.contract import Storage
from orthanc_fast.transfer_syntaxes import DEFLATED, SYNTAXES

NUMBER_OF_FRAMES = 0x00280008
# PS3.3 C.9.2: an overlay without data of its own lies at a bit of the pixel cells.
_BIT_POSITION, _OVERLAY_DATA = 0x0102, 0x3000
_OVERLAY_GROUPS = range(0x60000000, 0x60200000, 0x00020000)
_OVERLAYS = frozenset(
    group | element for group in _OVERLAY_GROUPS for element in (_BIT_POSITION, _OVERLAY_DATA)
)
_ASKED_FRAMES = 16  # for what their codestreams say, until one can be read
_REMEMBERED = 1 << 12  # files of which has been warned
_EXTENDED_OFFSETS = frozenset({0x7FE00001, 0x7FE00002})


class Pixels:
    """Opens images; one per process, may be used from any thread. The instances that it is given
    have been looked up for a caller, who is not asked for again."""

    def __init__(self, index: Index, storage: Storage, keeps_layouts: bool = True) -> None:
        """`keeps_layouts`: what is found out about a file that another server has stored is
        entered into the index."""
        self._index = index
        self._storage = storage
        self._keeps_layouts = keeps_layouts
        self._lock = Lock()
        self._warned: dict[str, None] = {}

    def layout(self, instance: Resource) -> PixelLayout | None:
        """What the index knows about the image of an instance, without touching its file. A file
        without an entry may still be an image: see `open`. So may one that has been replaced by now
        and that somebody is still working on. A decoder of its own for each call because threads
        call this."""

        def read(snapshot: Snapshot) -> bytes | None:
            now = snapshot.resource(Level.INSTANCE, instance.public)
            file = None if now is None else now.attachments.get(DICOM_ATTACHMENT)
            is_same = file is not None and file.uuid == dicom_attachment(instance).uuid
            return snapshot.image(instance) if is_same else None

        stored = self._index.read(read)
        return layout_decoder().decode(stored) if stored else None

    def listed_frames(self, instance: Resource) -> int:
        """As `frame_count`; a video is one frame."""
        syntax = SYNTAXES.get(instance.metadata.get(TRANSFER_SYNTAX, ""))
        is_video = syntax is not None and syntax.is_video
        return 1 if is_video else self.frame_count(instance)

    def frame_count(self, instance: Resource) -> int:
        """How many frames the instance announces, whether or not all are there; 1 for what is no
        image.

        Raises BadFileFormat for a number that is none, and for one that the file is too small for:
        a list of frames takes about as many bytes for each as the smallest fragment, so that no
        list is longer than its file.
        """
        count = number_of_frames(instance.tags.get(NUMBER_OF_FRAMES))
        size = dicom_attachment(instance).size
        if count > 1 and count > size // SMALLEST_FRAGMENT:
            layout = self.layout(instance)
            info = image_info(layout, instance.metadata.get(TRANSFER_SYNTAX))
            if layout is None or count > room_for_frames(layout, info, size):
                raise BadFileFormat(f"the file is too small for {count} frames")
        return count

    def open(self, instance: Resource) -> "OpenImage":
        """The image of an instance.

        Raises BadFileFormat or NotImplementedYet for an instance that is none or has unusable
        attributes (see `image_info`), OrthancError 2006 or UnknownResource where the file is
        missing, CorruptedFile.
        """
        attachment = dicom_attachment(instance)
        file = opened(self._storage, attachment)
        layout = self.layout(instance)
        image = open_image(
            file,
            layout,
            instance.metadata.get(TRANSFER_SYNTAX),
            lambda text: self._told(instance, attachment.uuid, text),
        )
        if layout is None and self._keeps_layouts:
            self._keep(instance, attachment.uuid, image.layout)
        return image

    def _keep(self, instance: Resource, uuid: str, layout: PixelLayout) -> None:
        """So that the next one need not look for it. A disk that is full keeps nobody from seeing
        the image."""

        def write(transaction: Transaction) -> None:
            now = transaction.resource(Level.INSTANCE, instance.public)
            file = None if now is None else now.attachments.get(DICOM_ATTACHMENT)
            if now is not None and file is not None and file.uuid == uuid:
                transaction.set_image(now, packed_layout(layout))

        with suppress(FullStorage, StorageFault):
            self._index.write(write)

    def _told(self, instance: Resource, uuid: str, text: str) -> None:
        """One warning for each file, of those of late."""
        with self._lock:
            if uuid in self._warned:
                return
            self._warned[uuid] = None
            if len(self._warned) > _REMEMBERED:
                del self._warned[next(iter(self._warned))]
        logger.warning(
            Category.DICOM,
            f"The pixel data of instance {to_text(instance.public)} are shown as they are encoded: "
            f"{text}",
        )


def open_image(
    file: Buffer,
    layout: PixelLayout | None,
    transfer_syntax: str | None,
    warn: Callable[[str], None] = lambda text: None,
    opened_file: DicomFile | None = None,
) -> "OpenImage":
    """The image in a DICOM file that is in memory. A `layout` of None is looked for in the file.
    `warn` takes what the codestreams have otherwise than the file announces; `opened_file` is
    the file where that is open already.

    Raises as `Pixels.open` does.
    """
    if opened_file is None and transfer_syntax == DEFLATED:
        opened_file = open_dicom(file)
    data = file if opened_file is None else opened_file.data
    if layout is None:
        layout = find_layout(opened_file or file)
    info = image_info(layout, transfer_syntax)
    assert layout is not None  # image_info has refused it
    frames_layout = layout
    if layout.element == PMSCT_DATA:
        data, frames_layout = pmsct.expand(data, layout, info)
    image = OpenImage(opened_file or file, data, layout, frames_layout, info)
    if info.syntax.is_encapsulated and info.codec is not None:
        image.reconcile()
        text = difference(info, image.info)
        if text:
            warn(text)
    return image


def extended_offsets(head: Buffer | DicomFile) -> ExtendedOffsets | None:
    """The extended offset table in what precedes the pixel data of a file, if there is one."""
    values, _ = raw_values(head, _EXTENDED_OFFSETS)
    offsets, lengths = (values.get(tag) for tag in sorted(_EXTENDED_OFFSETS))
    return None if offsets is None or lengths is None else (offsets, lengths)


def _before(file: Buffer | DicomFile, end: int) -> memoryview | DicomFile:
    """What of the file is before this byte, as a view."""
    if isinstance(file, DicomFile):
        return msgspec.structs.replace(file, data=memoryview(file.data)[:end])
    return memoryview(file)[:end]


class OpenImage:
    """The frames of one file. All methods may be called from several threads at a time.

    Arrays and views stay valid after the image is closed; the file's memory map lives until the
    last of them is gone.
    """

    def __init__(
        self,
        file: Buffer | DicomFile,
        data: Buffer,
        layout: PixelLayout,
        frames_layout: PixelLayout,
        info: ImageInfo,
    ) -> None:
        """`frames_layout` says where the frames lie in `data`, which is the file unless that had to
        be inflated or expanded first."""
        self.info = info
        self.layout = layout
        self._file = file
        self._data = data

        # Without a way back to this object: a circle would keep the file open until its turn comes
        # to be collected, which may be never where nothing else is asked for.
        def table() -> ExtendedOffsets | None:
            return extended_offsets(_before(file, layout.element_offset))

        self._frames = Frames(data, frames_layout, info, table)

    def reconcile(self) -> None:
        """Takes over what the first codestream that can be read says of itself."""
        header = self._first_header()
        if header is None:
            return
        info = as_encoded(self.info, header)
        if info.may_be_wider and self._has_overlays_in_cells():
            info = msgspec.structs.replace(info, may_be_wider=False)
        self.info = info

    def _first_header(self) -> Header | None:
        codec = codec_of(self.info.syntax)
        for index in range(min(self.info.number_of_frames, _ASKED_FRAMES)):
            # Whoever wants a frame that cannot be read is told.
            with suppress(BadFileFormat, NotImplementedYet):
                return codec.describe(self._frames.encoded(index))
        return None

    def require_expansion(self, index: int = 0) -> None:
        """Before memory for frames is taken: raises BadFileFormat if a compressed one is too short
        to be as large as the image, or missing, ParameterOutOfRange for an index that is none."""
        self.info.require_decodable()
        if self.info.syntax.is_encapsulated:
            codec = codec_of(self.info.syntax)
            check_expansion(self._frames.encoded(index), self.info, codec.MAX_EXPANSION)

    def widen(self) -> None:
        """From now on all bits of the cells belong to the values: see `ImageInfo.may_be_wider`."""
        bits = self.info.bits_allocated
        self.info = msgspec.structs.replace(
            self.info, bits_stored=bits, high_bit=bits - 1, may_be_wider=False
        )

    def _has_overlays_in_cells(self) -> bool:
        values, big = raw_values(self.dataset_head, _OVERLAYS)
        order: Literal["big", "little"] = "big" if big else "little"
        return any(
            int.from_bytes(values.get(group | _BIT_POSITION, b"")[:2], order)
            and group | _OVERLAY_DATA not in values
            for group in _OVERLAY_GROUPS
        )

    @property
    def number_of_frames(self) -> int:
        return self.info.number_of_frames

    @property
    def dataset_head(self) -> memoryview | DicomFile:
        """Of the DICOM file what precedes the pixel data, for the readers of the dicom room:
        `functional_groups.frame_values`, `pixel_layout.raw_values`. It is no copy: a file that had
        to be inflated is given as it was opened."""
        return _before(self._file, self.layout.element_offset)

    def encoded(self, index: int) -> bytes | memoryview:
        """The encoded frame. Raises ParameterOutOfRange, BadFileFormat: see `Frames.encoded`."""
        return self._frames.encoded(index)

    def pieces(self, index: int) -> list[memoryview]:
        """The encoded frame as the fragments that it lies in, without a copy. Raises as `encoded`
        does."""
        return self._frames.pieces(index)

    def raw(self, index: int) -> bytes | memoryview:
        """What `/frames/{index}/raw` serves: native pixels in little endian, or the codestream.
        Raises as `encoded` does."""
        return self._frames.encoded(index)

    def decode(self, index: int, out: np.ndarray | None = None) -> np.ndarray:
        """The pixels of one frame in native byte order: `info.frame_shape`, `info.dtype`.

        Grey images have their stored values, without padding bits and with sign, 1-bit images 0
        and 255; colour of any kind is RGB. `out`, of this shape and type and contiguous, is filled
        and given back; without it the result may be a read-only view of the file.

        Raises ParameterOutOfRange, BadFileFormat for what is damaged or contradicts itself,
        NotImplementedYet for what cannot be decoded.
        """
        self.info.require_decodable()
        frame = self._frames.encoded(index)
        return decode_frame(frame, self.info, self._palette, out)

    def darkest_index(self) -> int | None:
        """The index of the darkest colour of the palette, None without one. Raises BadFileFormat
        for a palette that cannot be read."""
        palette = self._palette
        return None if palette is None else palette.darkest

    @cached_property
    def _palette(self) -> Palette | None:
        if not self.info.is_palette:
            return None
        values, big = raw_values(self.dataset_head, PALETTE_TAGS)
        return read_palette(values, big, self.info)

    def close(self) -> None:
        """Gives up the file; no method may be called afterwards."""
        del self._frames, self._data, self._file

    def __enter__(self) -> "OpenImage":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
