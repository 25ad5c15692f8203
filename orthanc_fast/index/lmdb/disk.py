"""Files of the index folder beside LMDB's."""

import contextlib
import errno
import os
from pathlib import Path

from orthanc_fast.errors import FullStorage, StorageFault

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MODE = 0o640  # the umask of the process says whether the group may read


def create_as_owner(path: Path, flags: int) -> int:
    """A descriptor of a file that is made if need be. It belongs to whom the folder belongs to, so
    that the server can use what a command of the administrator made."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        if os.geteuid() == 0:
            folder = os.stat(path.parent)
            with contextlib.suppress(OSError):  # not to be had in some containers
                os.fchown(descriptor, folder.st_uid, folder.st_gid)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class SyncFailed(StorageFault):
    """The system could not write what it had taken, and will not say so again."""


def sync(descriptor: int, path: Path) -> None:
    """Raises SyncFailed."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise SyncFailed(
            f"cannot sync a file of the index: {error.strerror}", private=path
        ) from error


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    with memoryview(data) as left:
        done = 0
        while done < len(left):
            done += os.pwrite(descriptor, left[done:], offset + done)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fault(error: OSError, path: Path) -> FullStorage | StorageFault:
    """What a failed access to a file of the index means."""
    if error.errno in _FULL:
        return FullStorage("no space left for the index", private=path)
    return StorageFault(f"cannot use a file of the index: {error.strerror}", private=path)
