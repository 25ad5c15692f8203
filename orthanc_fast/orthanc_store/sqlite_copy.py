"""A copy of the SQLite index of an Orthanc, to be opened without touching the original.

Opening may write: whoever opens a database after a crash takes over its write-ahead log, and the
last one who closes it removes that file. So index and log are copied, while nobody writes them.
"""

import errno
import fcntl
import os
import shutil
import struct
from pathlib import Path
from typing import Final

import msgspec

from orthanc_fast.errors import FullStorage, IncompatibleDatabase, StorageFault

INDEX: Final = "index"
_SUFFIXES: Final = ("", "-wal", "-journal")  # not -shm, which is made anew
_MAGIC: Final = b"SQLite format 3\0"

# The bytes that SQLite locks in its file, https://www.sqlite.org/fileformat2.html, "Lock-Byte
# Page": one for who is about to write, one for who writes, and those of the readers.
_LOCKED: Final = 0x40000000
_LOCK_BYTES: Final = 512
_FLOCK = struct.Struct("hhqqi4x")  # l_type, l_whence, l_start, l_len, l_pid


class Trace(msgspec.Struct, frozen=True):
    """What tells whether a file of the index has been written since: size in bytes, and the time of
    its last change in nanoseconds."""

    name: str
    size: int
    changed: int


def is_sqlite(path: Path) -> bool:
    """Whether the file is a database of SQLite."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def traces(folder: Path) -> list[Trace]:
    """Of the files of the index in a folder."""
    found = []
    for suffix in _SUFFIXES:
        path = folder / f"{INDEX}{suffix}"
        if path.exists():
            status = path.stat()
            found.append(Trace(path.name, status.st_size, status.st_mtime_ns))
    return found


def copy_index(folder: Path, target: Path) -> tuple[Path, list[Trace]]:
    """Copies the index of an Orthanc from a folder; the copy, and what the original was like.

    Raises IncompatibleDatabase where a server runs on it, StorageFault where it cannot be read,
    FullStorage where the target has no room.
    """
    before = traces(folder)
    if user := user_of(folder / INDEX):
        raise IncompatibleDatabase(
            f"an Orthanc runs on this index (process {user}): stop it first", private=folder
        )
    for suffix in _SUFFIXES:
        source = folder / f"{INDEX}{suffix}"
        if source.exists():
            _copy(source, target / source.name)
    if user_of(folder / INDEX) or traces(folder) != before:
        raise IncompatibleDatabase(
            "the index was written while it was copied: stop the Orthanc that runs on it",
            private=folder,
        )
    return target / INDEX, before


def user_of(path: Path) -> int | None:
    """The process that has the database open for writing, -1 where that is not known (another
    machine); None for nobody. The file is only looked at."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise StorageFault(f"cannot read the index: {error.strerror}", private=path) from error
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _LOCKED, _LOCK_BYTES, 0)
        kind, *_, process = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
        return None if kind == fcntl.F_UNLCK else process or -1
    finally:
        os.close(descriptor)


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            size = source.stat().st_size
            raise FullStorage(
                f"no room for a copy of the index ({size} bytes): set TemporaryDirectory to a "
                "folder with more",
                private=target.parent,
            ) from error
        raise StorageFault(f"cannot copy the index: {error.strerror}", private=source) from error
