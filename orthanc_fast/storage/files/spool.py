"""A spool that is a file, on the disk of the storage area: its way into it is a renaming."""

import contextlib
import mmap
import os
from io import BufferedRandom
from pathlib import Path
from typing import cast

from orthanc_fast.storage.files.faults import fault
from orthanc_fast.storage.spool import Content, Spool

PARTIAL = ".part"  # how the names of spools end

_BUFFER = 1 << 18  # bytes written at once, at least; larger parts go to the system as they are
_WHAT = "the body"


class FileSpool(Spool):
    """Owns a file and a descriptor of it."""

    __slots__ = ("_file", "_path", "_size")

    def __init__(self, path: Path, exists: bool = False) -> None:
        """Makes the file, or takes over the one that is there. Raises FullStorage or
        StorageFault."""
        try:
            file = path.open("r+b" if exists else "x+b", _BUFFER)
            self._size = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise fault(error.errno, path, _WHAT) from error
        self._file = cast("BufferedRandom", file)
        self._path: Path | None = path
        if exists:
            file.seek(0, os.SEEK_END)

    @property
    def size(self) -> int:
        return self._size

    @property
    def path(self) -> Path | None:
        return self._path

    def write(self, data: Content) -> None:
        try:
            self._size += self._file.write(data)
        except OSError as error:
            raise self._failed(error) from error

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from error

    def read(self, start: int = 0, size: int = -1) -> bytes:
        self.flush()
        left = max(self._size - start, 0)
        size = left if size < 0 else min(size, left)
        descriptor = self._file.fileno()
        data = os.pread(descriptor, size, start)
        while len(data) < size:  # the system gives 2 GB at a time
            more = os.pread(descriptor, size - len(data), start + len(data))
            if not more:
                break
            data += more
        return data

    def buffer(self) -> Content:
        """The file mapped into memory, read-only."""
        self.flush()
        if not self._size:
            return b""
        return memoryview(mmap.mmap(self._file.fileno(), 0, prot=mmap.PROT_READ))

    def release(self) -> Path:
        """Gives the file away. Raises FullStorage or StorageFault."""
        self.flush()
        if self._path is None:
            raise ValueError("the spool is gone")
        path, self._path = self._path, None
        self._file.close()
        return path

    def drop(self) -> None:
        path, self._path = self._path, None
        if path is not None:
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # what it could not write is not wanted any longer
            self._file.close()

    def _failed(self, error: OSError) -> Exception:
        path = self._path
        self.drop()
        return fault(error.errno, path, _WHAT)
