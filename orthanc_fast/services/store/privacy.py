"""Who may read the files of the store: the user that runs the server and, by the option
`StoreGroup`, one group."""

import grp
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from orthanc_fast.config import Settings
from orthanc_fast.errors import ParameterOutOfRange, StorageFault
from orthanc_fast.log import Category, logger

_NOBODY_ELSE = 0o077
_GROUP_READS = 0o027
_FOLDER = 0o700
_FOLDER_OF_GROUP = 0o2750  # what is made below belongs to the group too


def keep_private(settings: Settings) -> None:
    """From now on this process, and those that it starts, make files that nobody else can read.
    For processes that open the store."""
    os.umask(_GROUP_READS if settings.store_group else _NOBODY_ELSE)


def close_to_others(settings: Settings, folders: Sequence[Path]) -> None:
    """Closes the folders of the storage, and `folders`, that an earlier version, or a looser
    configuration, left open; what is in them is out of reach then. The storage directory itself
    stays as it is, unless it has to belong to a group. Raises ParameterOutOfRange for an unknown
    group, StorageFault where a folder cannot be given to it."""
    group = _group(settings.store_group)
    storage = settings.storage_directory
    if group is not None:
        for root in dict.fromkeys((storage, settings.index_directory)):
            root.mkdir(parents=True, exist_ok=True)
            mode = stat.S_IMODE(root.stat().st_mode) | _FOLDER_OF_GROUP
            _change(root, mode, group)
    for folder in (*folders, storage / "incoming", *storage.glob("[0-9a-f][0-9a-f]")):
        if folder.is_dir():
            _change(folder, _FOLDER if group is None else _FOLDER_OF_GROUP, group)


def _group(name: str) -> int | None:
    if not name:
        return None
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ParameterOutOfRange(f"StoreGroup: there is no group {name!r}") from None


def _change(folder: Path, mode: int, group: int | None) -> None:
    found = folder.stat()
    try:
        if group is not None and found.st_gid != group:
            os.chown(folder, -1, group)
        if stat.S_IMODE(found.st_mode) != mode:
            folder.chmod(mode)
    except PermissionError as error:
        if group is not None:
            raise StorageFault(
                f"StoreGroup: the folder cannot be given to the group: {error.strerror}; the "
                "server must own the folder and be a member of the group",
                private=folder,
            ) from error
        logger.warning(
            Category.GENERIC, f"{folder} belongs to another user: others may read what is in it"
        )
