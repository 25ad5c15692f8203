"""Memory for files on their way into the store, used again and again: fresh memory costs the kernel
more than the copying into it. It begins at a page, so that the disk can take from it directly."""

import mmap
from collections.abc import Sequence
from typing import Final

from orthanc_fast.dicom.part10 import Buffer

# What is smaller comes from memory that the process has anyway.
SMALL: Final = 64 << 10
_STEP: Final = 256 << 10


class Buffers:
    """For one thread. Not more are kept than have been in use at the same time."""

    def __init__(self) -> None:
        self._free: list[mmap.mmap] = []

    def joined(self, parts: Sequence[Buffer], size: int) -> bytes | memoryview:
        """The parts, of `size` bytes in all, one after the other."""
        if size < SMALL:
            return b"".join(parts)
        buffer = self._taken(size)
        view, at = memoryview(buffer), 0
        for part in parts:
            view[at : at + len(part)] = part
            at += len(part)
        return view[:size]

    def give_back(self, data: object) -> None:
        """What `joined` returned is not needed any longer: it will change."""
        if isinstance(data, memoryview) and isinstance(data.obj, mmap.mmap):
            self._free.append(data.obj)

    def _taken(self, size: int) -> mmap.mmap:
        for number, buffer in enumerate(self._free):
            if len(buffer) >= size:
                del self._free[number]
                return buffer
        if self._free:
            self._free.pop()  # too small for what comes now
        return mmap.mmap(-1, -(-size // _STEP) * _STEP)
