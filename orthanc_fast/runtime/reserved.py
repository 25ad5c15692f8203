"""Files that are going to be mapped, with room on the disk for them: to touch a page for which a
full disk has none ends the process."""

import errno
import os
from pathlib import Path

from orthanc_fast.errors import FullStorage, StorageFault


def reserved(path: Path, size: int) -> int:
    """A descriptor of a file that has at least `size` bytes, zeros where it is new. Raises
    FullStorage or StorageFault."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(descriptor, 0, size)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        kind = FullStorage if error.errno in (errno.ENOSPC, errno.EDQUOT) else StorageFault
        raise kind(f"cannot use {path.name}: {error.strerror}") from error
    return descriptor
