"""What the operating system says, as an error of ours."""

import os

from orthanc_fast.errors import DISK_FULL, FullStorage, OrthancError, StorageFault


def fault(number: int | None, path: object, what: str = "the file") -> OrthancError:
    """The error for `what` could not be written at `path`, by its number (`errno`)."""
    if number in DISK_FULL:
        return FullStorage(f"no space left for {what}", private=path, http_status=507)
    return StorageFault(f"cannot write {what}: {os.strerror(number or 0)}", private=path)
