"""The store of an Orthanc where one of ours would be made: its files are not ours to judge."""

from pathlib import Path
from typing import Any, Final

from orthanc_fast.config import Settings
from orthanc_fast.errors import IncompatibleDatabase
from orthanc_fast.orthanc_store.sqlite_copy import INDEX, is_sqlite

# Plugins that keep the index of an Orthanc elsewhere; each has a section of its name.
_PLUGINS: Final = ("PostgreSQL", "MySQL", "Odbc")


def has_index(folder: Path) -> bool:
    """Whether an index of this server was ever made in this folder."""
    return (folder / "data.mdb").exists()


def has_orthanc_index(settings: Settings) -> bool:
    """Whether the SQLite index of an Orthanc lies where this server would have its own."""
    folders = (settings.index_directory, settings.storage_directory)
    return any(is_sqlite(folder / INDEX) for folder in folders)


def refuse_foreign_store(settings: Settings, folder: Path) -> None:
    """Raises IncompatibleDatabase where an Orthanc has its index and this server has none in
    `folder`: an empty one of ours beside it would know none of the files."""
    if has_index(folder):
        return
    for candidate in dict.fromkeys((settings.index_directory, settings.storage_directory)):
        if is_sqlite(candidate / INDEX):
            raise IncompatibleDatabase(
                "the folder is the store of an Orthanc and this server has no index there: take it "
                "over (orthanc-fast adopt CONFIG, first with --dry-run), or set StorageDirectory "
                "and IndexDirectory to another folder; nothing was changed",
                private=candidate,
            )
    for plugin in _PLUGINS:
        if _is_enabled(settings.raw.get(plugin)) and _holds_files(settings.storage_directory):
            raise IncompatibleDatabase(
                f"the folder holds the files of an Orthanc whose index is in {plugin}, and this "
                "server has no index there: take it over (orthanc-fast adopt CONFIG), or set "
                "StorageDirectory to another folder; nothing was changed",
                private=settings.storage_directory,
            )


def _is_enabled(section: Any) -> bool:
    return isinstance(section, dict) and section.get("EnableIndex") is True


def _holds_files(storage: Path) -> bool:
    return any(path.is_file() for path in storage.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"))
