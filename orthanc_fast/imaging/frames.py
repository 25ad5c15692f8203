"""Where the frames of an image lie in its file. Only the frame that is asked for is touched.

Sources: DICOM PS3.5 section 8.1.1 (cells), Annex A.4 (fragments); PS3.3 C.7.6.3.1.8 (extended
offset table); reference chapter 2, section 4.
"""

import struct
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from orthanc_fast._ext.scan import ScanError, items
from orthanc_fast.errors import BadFileFormat, ParameterOutOfRange
from orthanc_fast.imaging.codecs.contract import Buffer
from orthanc_fast.imaging.info import ImageInfo
from orthanc_fast.model import PixelLayout

Range = tuple[int, int]  # first byte, byte behind the last one
ExtendedOffsets = tuple[bytes, bytes]  # the values of (7FE0,0001) and (7FE0,0002)

_ITEM_HEADER = 8
_ITEM = b"\xfe\xff\x00\xe0"

# How the codestreams of JPEG, JPEG-LS, JPEG 2000 and JPEG XL begin.
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0cJXL ")


class Frames:
    """The frames of one file. `data` is the (inflated) file; `extended_offsets` is called at most
    once, only for several compressed frames without a basic offset table."""

    def __init__(
        self,
        data: Buffer,
        layout: PixelLayout,
        info: ImageInfo,
        extended_offsets: Callable[[], ExtendedOffsets | None] = lambda: None,
    ) -> None:
        self._data = memoryview(data)
        self._layout = layout
        self._info = info
        self._extended_offsets = extended_offsets
        self._ranges: list[list[Range]] | None = None  # of all frames, once they had to be found

    def encoded(self, index: int) -> bytes | memoryview:
        """Frame `index` as it is encoded, without copying where it lies in one piece: the joined
        fragments, or native cells in little endian. Frames of 1-bit cells that begin inside a byte
        are shifted to begin with one.

        Raises ParameterOutOfRange for an index that is none, BadFileFormat where the frame is not
        where it should be.
        """
        _check_index(self._info, index)
        if self._layout.value_length is None:
            return self._joined(self._fragments(index))
        return self._native(index)

    def pieces(self, index: int) -> list[memoryview]:
        """The same as the pieces that it lies in, for who can do without a copy of a large one."""
        if self._layout.value_length is None:
            return [self._data[begin:end] for begin, end in self.fragments(index)]
        _check_index(self._info, index)
        return [memoryview(self._native(index))]

    def fragments(self, index: int) -> list[Range]:
        """Where frame `index` of compressed pixel data lies. Raises as `encoded` does."""
        _check_index(self._info, index)
        return self._fragments(index)

    @property
    def walked(self) -> list[list[Range]] | None:
        """The fragments of all frames, once all had to be looked at to find one."""
        return self._ranges

    # Native pixel data

    def _native(self, index: int) -> bytes | memoryview:
        bits = self._info.frame_bits
        first = index * bits
        _check_length(self._layout, self._info, index)
        data = self._bytes(first // 8, (first + bits + 7) // 8)
        return _shifted(data, first % 8, (bits + 7) // 8) if first % 8 else data

    def _bytes(self, begin: int, end: int) -> memoryview:
        """A range of the native pixel data, in little endian."""
        size = self._word_size
        start = self._layout.value_offset
        low, high = begin // size * size, (end + size - 1) // size * size
        found = self._data[start + low : start + high]
        if len(found) != high - low:
            raise BadFileFormat("the file ends inside the frame")
        if size > 1:
            words = np.frombuffer(found, np.uint8).reshape(-1, size)
            found = memoryview(words[:, ::-1].tobytes())
        return found[begin - low : end - low]

    @property
    def _word_size(self) -> int:
        """Bytes whose order is reversed in the file: whole cells, but of OW at least its words."""
        if not self._info.syntax.is_big_endian:
            return 1
        return max(self._info.bits_allocated // 8, 2 if self._layout.vr == "OW" else 1)

    # Encapsulated pixel data

    def _joined(self, ranges: list[Range]) -> bytes | memoryview:
        if len(ranges) == 1:
            return self._data[slice(*ranges[0])]
        return b"".join(self._data[begin:end] for begin, end in ranges)

    def _fragments(self, index: int) -> list[Range]:
        """The fragments of one frame, by the shortest way that the file offers."""
        found = self._jump(index)
        if found is not None:
            return found
        if self._ranges is None:
            self._ranges = self._walk()
        if index >= len(self._ranges):
            raise BadFileFormat(
                f"{len(self._ranges)} fragments cannot make {self._info.number_of_frames} frames: "
                f"frame {index} is missing"
            )
        return self._ranges[index]

    def _jump(self, index: int) -> list[Range] | None:
        """By the basic offset table alone, where it has an entry for each of several frames and
        what it points to are fragments."""
        count = self._info.number_of_frames
        table, first = self._basic_offset_table()
        if count == 1 or len(table) != 4 * count:
            return None
        last = index == count - 1
        before = struct.unpack_from("<I", table, 4 * index - 4)[0] if index else -1
        start, *after = struct.unpack_from("<I" if last else "<II", table, 4 * index)
        if table[:4] != bytes(4) or not before < start or (after and start >= after[0]):
            return None
        begin = first + start
        end = first + after[0] if after else len(self._data)
        if end > len(self._data) or self._data[begin : begin + 4] != _ITEM:
            return None
        try:
            found = items(self._data, begin, end, True, False, True)
        except ScanError:
            return None
        if not found or (not last and found[-1][1] != end):
            return None
        return found

    def _basic_offset_table(self) -> tuple[memoryview, int]:
        """The first item, and where the one behind it begins."""
        begin = self._layout.value_offset
        head = self._data[begin : begin + _ITEM_HEADER]
        if len(head) < _ITEM_HEADER or head[:4] != _ITEM:
            raise BadFileFormat("the compressed pixel data do not begin with an offset table")
        size = int.from_bytes(head[4:], "little")
        first = begin + _ITEM_HEADER + size
        if first > len(self._data):
            raise BadFileFormat("the offset table is longer than the file")
        return self._data[begin + _ITEM_HEADER : first], first

    def _walk(self) -> list[list[Range]]:
        """The fragments of all frames, of a file that is cut off those of the frames before."""
        table, first = self._basic_offset_table()
        fragments = self._whole_fragments(first)
        count = self._info.number_of_frames
        if count == 1:
            if not fragments:
                raise BadFileFormat("there is no fragment for the frame")
            return [fragments]
        if len(fragments) == count:
            return [[fragment] for fragment in fragments]
        offsets = self._offsets(table)
        if offsets is not None:
            end = fragments[-1][1] if fragments else first
            starts = [first + offset for offset in offsets]
            while starts and starts[-1] >= end:
                starts.pop()  # of a file that is cut off
            return _partition(fragments, starts)
        starts = self._starts(fragments)
        if len(fragments) < count and len(starts) in (0, len(fragments)):
            return [[fragment] for fragment in fragments]
        if len(starts) == count:
            return _partition(fragments, starts)
        raise BadFileFormat(f"nothing tells how {len(fragments)} fragments make {count} frames")

    def _whole_fragments(self, first: int) -> list[Range]:
        """Those from `first` on that are whole. One that is damaged or cut off takes those behind
        it along, but not those before it."""
        try:
            return items(self._data, first, len(self._data), True, False, True)
        except ScanError:
            found: list[Range] = []
            at = first
            while self._data[at : at + len(_ITEM)] == _ITEM:
                begin = at + _ITEM_HEADER
                at = begin + int.from_bytes(self._data[begin - 4 : begin], "little")
                if at > len(self._data):
                    break
                found.append((begin, at))
            return found

    def _starts(self, fragments: list[Range]) -> list[int]:
        """Where the items lie with which a codestream begins: its magic number tells."""
        return [
            begin - _ITEM_HEADER
            for begin, end in fragments
            if bytes(self._data[begin : min(end, begin + 8)]).startswith(_STARTS)
        ]

    def _offsets(self, table: memoryview) -> tuple[int, ...] | None:
        """What the tables of the file say of the frames, None where there is none."""
        count = self._info.number_of_frames
        if len(table):
            if len(table) != 4 * count:
                raise BadFileFormat(
                    f"the offset table has not one entry for each of {count} frames"
                )
            return struct.unpack(f"<{count}I", table)
        extended = self._extended_offsets()
        return None if extended is None else _extended(extended, count)


def native_range(layout: PixelLayout, info: ImageInfo, index: int) -> Range | None:
    """Where in its file frame `index` of native pixel data lies as `Frames.encoded` gives it; None
    where its bytes have to be changed for that. Raises as that does."""
    _check_index(info, index)
    _check_length(layout, info, index)
    first = index * info.frame_bits
    if first % 8 or info.syntax.is_big_endian:
        return None
    start = layout.value_offset + first // 8
    return start, start + (info.frame_bits + 7) // 8


def _check_index(info: ImageInfo, index: int) -> None:
    if not 0 <= index < info.number_of_frames:
        raise ParameterOutOfRange(
            f"there is no frame {index}: the instance has {info.number_of_frames}"
        )


def _check_length(layout: PixelLayout, info: ImageInfo, index: int) -> None:
    length = layout.value_length or 0
    needed = ((index + 1) * info.frame_bits + 7) // 8
    if length < needed:
        raise BadFileFormat(
            f"the pixel data have {length} bytes; up to the end of frame {index} of "
            f"{info.rows} x {info.columns} pixels they would have {needed}"
        )


def _extended(tables: ExtendedOffsets, count: int) -> tuple[int, ...]:
    if len(tables[0]) != 8 * count:
        raise BadFileFormat(
            f"the extended offset table has not one entry for each of {count} frames"
        )
    return struct.unpack(f"<{count}Q", tables[0])


def _partition(fragments: list[Range], starts: list[int]) -> list[list[Range]]:
    """The fragments from each start (the offset of an item in the file) to the next."""
    numbers = {begin - _ITEM_HEADER: number for number, (begin, _) in enumerate(fragments)}
    try:
        firsts = [numbers[start] for start in starts]
    except KeyError:
        raise BadFileFormat("the offset table points to where no fragment begins") from None
    bounds = [*firsts, len(fragments)]
    if bounds[0] != 0 or any(a >= b for a, b in pairwise(bounds)):
        raise BadFileFormat("the offset table is not in ascending order from 0 on")
    return [fragments[a:b] for a, b in pairwise(bounds)]


def _shifted(data: memoryview, bits: int, size: int) -> bytes:
    """`size` bytes that begin `bits` (1 to 7) behind the lowest bit of the first one."""
    value = int.from_bytes(data, "little") >> bits
    return value.to_bytes(len(data), "little")[:size]
