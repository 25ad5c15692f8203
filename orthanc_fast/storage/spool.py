"""Bytes that arrive in parts and whose number is not known before: in memory as long as they are
few, else in a partial file of the storage."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from orthanc_fast.errors import DISK_FULL, FullStorage

_BUFFER = 1 << 20  # bytes written at once


class Spool:
    """One body, part by part; used by one thread at a time."""

    __slots__ = ("_file", "_memory", "_new_partial", "_parts", "_path", "size")

    def __init__(self, memory: int, new_partial: Callable[[], Path]) -> None:
        """More than `memory` bytes go into a file that `new_partial` names."""
        self.size = 0
        self._memory = memory
        self._new_partial = new_partial
        self._parts: list[bytes] = []
        self._path: Path | None = None
        self._file: BinaryIO | None = None

    def waits(self, coming: int) -> bool:
        """Whether to add so many bytes may wait for the disk."""
        return self._file is not None or self.size + coming > self._memory

    def add(self, part: bytes) -> None:
        """Raises FullStorage."""
        if not self.waits(len(part)):
            self._parts.append(part)
            self.size += len(part)
            return
        try:
            self._opened().write(part)
        except OSError as error:
            raise self._failed(error) from error
        self.size += len(part)

    def finish(self) -> bytes | Path:
        """All of it; a file belongs to the caller from now on. Raises FullStorage."""
        if self._file is None or self._path is None:
            return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        try:
            self._file.close()  # writes what it holds
        except OSError as error:
            raise self._failed(error) from error
        path, self._path, self._file = self._path, None, None
        return path

    def discard(self) -> None:
        """Leaves nothing behind; harmless after `finish`."""
        self._parts.clear()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError:  # what it could not write is not wanted any longer
                return

    def _opened(self) -> BinaryIO:
        if self._file is None:
            path = self._new_partial()
            self._file = path.open("xb", _BUFFER)
            self._path = path
            self._file.writelines(self._parts)
            self._parts.clear()
        return self._file

    def _failed(self, error: OSError) -> Exception:
        path = self._path
        self.discard()
        if error.errno in DISK_FULL:
            return FullStorage("no space left for the body", private=path, http_status=507)
        return error
