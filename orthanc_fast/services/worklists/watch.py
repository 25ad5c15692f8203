"""What changes in a folder, as the kernel tells it (inotify).

It tells nothing of what other machines write into a shared folder: there, and on file systems that
nobody knows, the folder has to be listed each time.
"""

import os
import stat
from pathlib import Path
from typing import Final

from inotify_simple import INotify, flags

# What inotify is reliable on: changes go through this kernel.
_LOCAL: Final = frozenset(
    "bcachefs btrfs ext2 ext3 ext4 f2fs jfs overlay ramfs reiserfs tmpfs ufs xfs zfs".split()  # noqa: SIM905 - a table
)

_WATCHED: Final = (
    flags.CLOSE_WRITE
    | flags.CREATE
    | flags.MOVED_TO
    | flags.MOVED_FROM
    | flags.DELETE
    | flags.ATTRIB
    | flags.MOVE_SELF
    | flags.DELETE_SELF
    | flags.ONLYDIR
)
# After these nobody knows what the folder has.
_LOST: Final = (
    flags.Q_OVERFLOW | flags.IGNORED | flags.UNMOUNT | flags.MOVE_SELF | flags.DELETE_SELF
)


class Watch:
    """The changes of one folder since it was made."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError, such as FileNotFoundError where there is no folder."""
        self._folder = folder
        status = os.stat(folder)
        self._identity = (status.st_dev, status.st_ino)
        self._inotify = INotify(nonblocking=True)
        try:
            self._inotify.add_watch(folder, _WATCHED)
        except BaseException:
            self._inotify.close()
            raise
        self.tells_all = file_system(folder) in _LOCAL

    def fileno(self) -> int:
        """For select: readable when something has changed."""
        return int(self._inotify.fileno())

    def changed(self) -> set[str] | None:
        """The names of files that have changed since the last call, not of those that are still
        being written; None where that cannot be said: the folder is another one now, or too much
        has happened."""
        names = set()
        try:
            status = os.stat(self._folder)
            if (status.st_dev, status.st_ino) != self._identity:
                return None
            for event in self._inotify.read(0):
                if event.mask & _LOST:
                    return None
                if event.mask & flags.CREATE and not _is_whole(self._folder / event.name):
                    continue
                names.add(event.name)
        except OSError:
            return None
        return names

    def close(self) -> None:
        self._inotify.close()


def _is_whole(path: Path) -> bool:
    """Whether a new file has its content already: a link. Others are told of when they are
    closed."""
    try:
        status = os.lstat(path)
    except OSError:
        return True  # it is gone
    return stat.S_ISLNK(status.st_mode) or status.st_nlink > 1


def file_system(folder: Path) -> str:
    """The type of the file system that a folder is on, "" where nobody says it."""
    device = os.stat(folder).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    path = os.path.realpath(folder)
    found = ("", "")
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
            for line in mounts:
                fields, _, kind = line.partition(" - ")
                _, _, number, _, point, *_ = fields.split(" ")
                below = path == point or path.startswith(point.rstrip("/") + "/")
                # btrfs has other numbers for its volumes than its mounts have.
                if number == wanted or (below and len(point) >= len(found[0])):
                    found = (point, kind.split(" ")[0])
                    if number == wanted:
                        break
    except (OSError, ValueError):
        return ""
    return found[1]
