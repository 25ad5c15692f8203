"""Files that an Orthanc keeps in its database, into the storage area."""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

from orthanc_fast.errors import FullStorage, StorageFault
from orthanc_fast.orthanc_store.postgresql import DatabaseFiles

_PARTIAL = ".adopting"


def export_files(files: DatabaseFiles, path: Callable[[str], str]) -> int:
    """Writes each file to its place, durably and whole; those that an earlier attempt has written
    are left alone. How many there are. Raises FullStorage or StorageFault."""
    count = 0
    for uuid, number in files.names():
        target = Path(path(uuid))
        if not target.exists():
            _write(files, number, target)
        count += 1
    return count


def count_files(files: DatabaseFiles) -> int:
    """How many would be exported."""
    return sum(1 for _ in files.names())


def _write(files: DatabaseFiles, number: int, target: Path) -> None:
    partial = target.with_name(target.name + _PARTIAL)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            for part in files.read(number):
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FullStorage(
                "no room for the files that are in the database", private=target
            ) from error
        raise StorageFault(
            f"cannot write a file of the database: {error.strerror}", private=target
        ) from error
