"""Putting a new index in its place, beside others that move the same store."""

import contextlib
import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from orthanc_fast.errors import FullStorage, IncompatibleDatabase, StorageFault

KEPT: Final = ".before-leaving-"
_COMPANIONS: Final = ("-wal", "-shm", "-journal")  # files of SQLite that belong to a database


@contextlib.contextmanager
def alone(*folders: Path) -> Iterator[None]:
    """One move at a time; the kernel lets the locks go when the process dies. Raises
    IncompatibleDatabase where another one is at work, StorageFault."""
    with contextlib.ExitStack() as held:
        for folder in sorted({each.resolve() for each in folders}):
            try:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                raise StorageFault(
                    f"cannot open the folder of the index: {error.strerror}", private=folder
                ) from error
            held.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise IncompatibleDatabase(
                    "another adopt or leave is at work", private=folder
                ) from error
        yield


def give_to_owner(paths: Iterable[Path], folder: Path) -> None:
    """What was made in a folder belongs to whom the folder belongs to, whoever has made it."""
    if os.geteuid() != 0:
        return
    owner = folder.stat()
    for path in paths:
        with contextlib.suppress(PermissionError):  # not to be had in some containers
            os.chown(path, owner.st_uid, owner.st_gid)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_database(made: Path, target: Path) -> str | None:
    """Puts a database of SQLite in its place by one rename. What is there is kept under another
    name, which is returned, with its log. Interrupted at any moment, the old one is there, under
    one name or both. Raises FullStorage or StorageFault."""
    try:
        give_to_owner([made], target.parent)
        kept = _keep(target) if target.exists() else None
        for suffix in _COMPANIONS:  # a log of the old database would be applied to the new one
            companion_of(target, suffix).unlink(missing_ok=True)
        made.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FullStorage("no room to keep the old index", private=target) from error
        raise StorageFault(
            f"cannot put the new index in its place: {error.strerror}", private=target
        ) from error
    return kept


def companion_of(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)


def _keep(target: Path) -> str:
    """Under the name that an interrupted attempt has given it, else under a new one."""
    for known in target.parent.glob(f"{target.name}{KEPT}*"):
        if known.samefile(target):
            return known.name
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    number, kept = 1, companion_of(target, f"{KEPT}{moment}")
    while kept.exists():
        number += 1
        kept = companion_of(target, f"{KEPT}{moment}-{number}")
    # The database comes last: by its name the others are looked for.
    for suffix in (*_COMPANIONS, ""):
        source = companion_of(target, suffix)
        if source.exists():
            _link(source, companion_of(kept, suffix))
    sync_folder(target.parent)
    return kept.name


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # not every file system has hard links
        shutil.copy2(source, target)
        with target.open("rb") as file:
            os.fsync(file.fileno())
