"""What errors of LMDB mean."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import lmdb

from orthanc_fast.errors import FullStorage, InternalError, OrthancError, StorageFault

_LITTLE: Final = 256 << 10  # bytes that are free on a disk that is full: less than a write takes


@contextlib.contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Raises errors of LMDB as those of the program; `folder` is that of the index."""
    try:
        yield
    except lmdb.Error as error:
        raise translate(error, folder) from error


def _is_full(folder: Path) -> bool:
    """LMDB says of a write for which there was room in part that the disk has failed."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _LITTLE


def translate(error: lmdb.Error, folder: Path) -> OrthancError:
    """The error of the program for one of LMDB."""
    if isinstance(error, lmdb.MapFullError):
        return FullStorage("the index is full: raise IndexMapSizeGB and restart", private=folder)
    if isinstance(error, lmdb.DiskError) or "No space left" in str(error):
        return FullStorage("no space left for the index", private=folder)
    if "Input/output error" in str(error) and _is_full(folder):
        return FullStorage("no space left for the index", private=folder)
    if isinstance(error, lmdb.CorruptedError | lmdb.PageNotFoundError | lmdb.PanicError):
        return StorageFault("the index is damaged", private=f"{folder}: {error}")
    return InternalError("the index failed", private=f"{folder}: {error}")
