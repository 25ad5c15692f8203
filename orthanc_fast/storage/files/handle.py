"""An open file of the storage area."""

import errno
import mmap
import os
from time import perf_counter

from orthanc_fast._ext.framed import read_cached_between
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.storage.contract import BEYOND_END, Content, Handle, WouldWait
from orthanc_fast.storage.meters import StorageMeters

# preadv with RWF_NOWAIT fails with these where the bytes would have to come from the disk.
_WOULD_WAIT = (errno.EAGAIN, errno.EOPNOTSUPP)


class FileHandle(Handle):
    """Owns a descriptor."""

    __slots__ = ("_fd", "_meters")

    def __init__(self, fd: int, meters: StorageMeters) -> None:
        self._fd = fd
        self._meters = meters

    @property
    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def read(self, start: int = 0, size: int = -1) -> bytes:
        began = perf_counter()
        data = self._read(start, size)
        self._meters.read(len(data), perf_counter() - began)
        return data

    def _read(self, start: int, size: int) -> bytes:
        if size < 0:
            size = max(self.size - start, 0)
        data = os.pread(self._fd, size, start)
        if len(data) == size or not data:
            return data
        parts = [data]
        done = len(data)
        while done < size and (more := os.pread(self._fd, size - done, start + done)):
            parts.append(more)
            done += len(more)
        return b"".join(parts)

    def read_into(self, start: int, out: memoryview, may_wait: bool = True) -> None:
        began = perf_counter()
        flags = 0 if may_wait else os.RWF_NOWAIT
        done = 0
        while done < len(out):
            try:
                count = os.preadv(self._fd, [out[done:]], start + done, flags)
            except OSError as error:
                if flags and error.errno in _WOULD_WAIT:
                    raise WouldWait from error
                raise
            if count == 0:
                raise ParameterOutOfRange(BEYOND_END)
            done += count
        self._meters.read(done, perf_counter() - began)

    def read_now(self, start: int, size: int, head: bytes = b"", tail: bytes = b"") -> bytes | None:
        began = perf_counter()
        data = read_cached_between(self._fd, start, size, head, tail)
        if data is not None:
            self._meters.read(size, perf_counter() - began)
        return data

    def buffer(self) -> Content:
        """The file mapped into memory, read-only."""
        if not self.size:
            return b""
        return memoryview(mmap.mmap(self._fd, 0, prot=mmap.PROT_READ))

    def will_need(self) -> None:
        os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()
