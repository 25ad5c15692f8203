"""PALETTE COLOR: the lookup tables of an image, and their use.

Sources: DICOM PS3.3 C.7.6.3.1.5, C.7.6.3.1.6 (tables) and C.7.9 (segmented ones).
"""

import msgspec
import numpy as np

from orthanc_fast._ext.color import apply_palette
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.cells import raw_bytes
from orthanc_fast.imaging.info import ImageInfo

# (0028,1101..1103), (0028,1201..1203), (0028,1221..1223)
DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
TABLES = (0x00281201, 0x00281202, 0x00281203)
SEGMENTED = (0x00281221, 0x00281222, 0x00281223)
TAGS = frozenset({*DESCRIPTORS, *TABLES, *SEGMENTED})


class Palette(msgspec.Struct, frozen=True, gc=False):
    """`table` has one RGB row for every possible index: (2**BitsAllocated, 3)."""

    table: np.ndarray

    @property
    def darkest(self) -> int:
        """The index of the darkest colour."""
        return int(np.argmin(self.table.astype(np.int64).sum(axis=1)))

    def apply(self, indices: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """RGB of (rows, columns) indices."""
        if out is None:
            out = np.empty((*indices.shape, 3), self.table.dtype)
        apply_palette(
            raw_bytes(indices),
            indices.itemsize,
            raw_bytes(self.table),
            self.table.itemsize,
            raw_bytes(out),
        )
        return out


def read_palette(values: dict[int, bytes], big: bool, info: ImageInfo) -> Palette:
    """The palette from the raw values of `TAGS`. Indices below and above the range of a table mean
    its first and last entry. Entries of other than 8 (16) bits are scaled to `info.dtype`.

    Raises BadFileFormat for tables that are missing, too short or make no sense.
    """
    planes = [_plane(values, number, big, info) for number in range(3)]
    return Palette(np.ascontiguousarray(np.stack(planes, axis=1)))


def _plane(values: dict[int, bytes], number: int, big: bool, info: ImageInfo) -> np.ndarray:
    count, first, bits = _descriptor(values.get(DESCRIPTORS[number]), big)
    plain, segmented = values.get(TABLES[number]), values.get(SEGMENTED[number])
    if plain:
        entries = _entries(plain, count, bits, big)
    elif segmented:
        entries = _expand(segmented, count, bits, big)
    else:
        raise BadFileFormat("the image has no palette")
    places = np.arange(1 << max(info.bits_allocated, 8)) - first
    return _scaled(entries, bits, info.dtype)[np.clip(places, 0, count - 1)]


def _descriptor(raw: bytes | None, big: bool) -> tuple[int, int, int]:
    """(entries, first index, bits of an entry)"""
    if raw is None or len(raw) != 6:
        raise BadFileFormat("the image has no palette descriptor of three values")
    count, first, bits = np.frombuffer(raw, ">u2" if big else "<u2").tolist()
    if not 1 <= bits <= 16:
        raise BadFileFormat(f"the entries of the palette have {bits} bits")
    return count or 1 << 16, first, bits


def _words(raw: bytes, big: bool) -> np.ndarray:
    return np.frombuffer(raw, ">u2" if big else "<u2", len(raw) // 2).astype(np.uint16)


def _entries(raw: bytes, count: int, bits: int, big: bool) -> np.ndarray:
    """One entry in each word; or two of up to 8 bits, the first in the lower half."""
    words = _words(raw, big)
    if len(words) >= count:
        return words[:count]
    if bits <= 8 and len(raw) >= count:
        return words.astype("<u2").view(np.uint8)[:count].astype(np.uint16)
    raise BadFileFormat(f"the palette has {len(words)} entries instead of {count}")


def _scaled(entries: np.ndarray, bits: int, dtype: np.dtype[np.generic]) -> np.ndarray:
    """Entries of `bits` bits as 8 or 16 bits."""
    room = dtype.itemsize * 8
    if bits > room:
        entries = entries >> (bits - room)
    elif room == 16 and bits <= 8:
        entries = (entries & 0xFF) * np.uint16(257)
    elif room == 16:
        entries = entries << (16 - bits)
    return entries.astype(dtype)


def _expand(raw: bytes, count: int, bits: int, big: bool) -> np.ndarray:
    """The entries that segments describe: discrete, linear, or a repetition of earlier ones."""
    wide = bits > 8
    parts = _words(raw, big) if wide else _words(raw, big).astype("<u2").view(np.uint8)
    expansion = _Expansion(parts.tolist(), wide, count)
    expansion.run(0, None)
    if len(expansion.entries) < count:
        raise BadFileFormat(
            f"the segmented palette has {len(expansion.entries)} entries instead of {count}"
        )
    return np.array(expansion.entries[:count], np.uint16)


class _Expansion:
    """Segments are made of numbers as wide as an entry; only the offset of an indirect segment has
    32 bits and counts bytes."""

    def __init__(self, parts: list[int], wide: bool, count: int) -> None:
        self._parts = parts
        self._wide = wide
        self._count = count
        self.entries: list[int] = []

    def run(self, at: int, segments: int | None) -> None:
        """Appends `segments` of them (None: all) from position `at` on, until all entries are
        there."""
        done = 0
        parts = self._parts
        while at + 1 < len(parts) and done != segments and len(self.entries) < self._count:
            code, length = parts[at], parts[at + 1]
            at += 2
            if code == 0 and length:  # what adds nothing could be repeated without end
                self.entries += parts[at : at + length]
                at += length
            elif code == 1 and self.entries and at < len(parts) and length:
                self.entries += _line(self.entries[-1], parts[at], length)
                at += 1
            elif code == 2 and segments is None:  # an indirect one must not point to another
                at = self._indirect(at, length)
            else:
                raise BadFileFormat(f"segment of kind {code} where the palette cannot have it")
            done += 1

    def _indirect(self, at: int, segments: int) -> int:
        size = 2 if self._wide else 4
        parts = self._parts[at : at + size]
        if len(parts) < size:
            raise BadFileFormat("a segment of the palette is cut off")
        offset = sum(part << (32 // size * place) for place, part in enumerate(parts))
        self.run(offset // 2 if self._wide else offset, segments)
        return at + size


def _line(start: int, end: int, length: int) -> list[int]:
    """`length` entries of a straight line that ends with `end`; `start` is the one before."""
    values: list[int] = np.round(np.linspace(start, end, length + 1)[1:]).astype(int).tolist()
    return values
