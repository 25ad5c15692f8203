"""Codestreams -> the value of encapsulated pixel data: one fragment for each frame.

Source: DICOM PS3.5 Annex A.4; PS3.3 C.7.6.3.1.8 (Extended Offset Table).
"""

import struct
from collections.abc import Sequence

import msgspec

from orthanc_fast.errors import NotImplementedYet

_ITEM = struct.Struct("<HHI")
_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
_MAX_OFFSET = 0xFFFFFFFF
_MAX_FRAGMENT = 0xFFFFFFFE


class Encapsulated(msgspec.Struct, frozen=True, gc=False):
    """`parts`, joined, are the value from the offset table's item to the sequence delimiter.
    `extended` has the values of (7FE0,0001) and (7FE0,0002) where the basic offset table, then
    empty, cannot hold the offsets."""

    parts: list[bytes]
    extended: tuple[bytes, bytes] | None = None


def encapsulate(
    frames: Sequence[bytes], max_offset: int = _MAX_OFFSET, max_fragment: int = _MAX_FRAGMENT
) -> Encapsulated:
    """`max_offset` is what an entry of the basic offset table may be at most, `max_fragment` the
    bytes of a fragment. Raises NotImplementedYet for a frame that does not fit into one."""
    offsets: list[int] = []
    parts: list[bytes] = [b""]
    position = 0
    for frame in frames:
        size = len(frame) + len(frame) % 2
        if size > max_fragment:
            raise NotImplementedYet("an encoded frame above 4 GiB does not fit into a fragment")
        offsets.append(position)
        parts += [_ITEM.pack(0xFFFE, 0xE000, size), frame, b"\0" * (size - len(frame))]
        position += 8 + size
    parts.append(_END)
    if offsets and offsets[-1] > max_offset:
        parts[0] = _ITEM.pack(0xFFFE, 0xE000, 0)
        lengths = [len(frame) + len(frame) % 2 for frame in frames]
        count = len(offsets)
        return Encapsulated(
            parts, (struct.pack(f"<{count}Q", *offsets), struct.pack(f"<{count}Q", *lengths))
        )
    table = struct.pack(f"<{len(offsets)}I", *offsets)
    parts[0] = _ITEM.pack(0xFFFE, 0xE000, len(table)) + table
    return Encapsulated(parts)
