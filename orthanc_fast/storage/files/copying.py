"""Files of one storage area that another one takes over, and what keeps them from being removed
meanwhile."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orthanc_fast.storage.contract import Handle

HOLD: Final = "hold"
"""The file whose lock says that nothing may be removed; the kernel opens it with the death of who
has it."""

_STEP: Final = 4 << 20


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Waits for another one who holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Readable by all who may look into the folder: the server may be another user.
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether somebody is within `held`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def copy_file(handle: Handle, target: Path) -> None:
    """All bytes of an object as a file. Raises OSError."""
    with target.open("wb", buffering=0) as file:
        for start in range(0, handle.size, _STEP):
            left = memoryview(handle.read(start, min(_STEP, handle.size - start)))
            while left:
                left = left[file.write(left) :]
