"""Opening index, storage area and dictionary as the configuration says."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Builder, Index, Packer, Snapshot
from orthanc_fast.index.lmdb.bulk import LmdbBuilder, LmdbPacker
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.runtime.lmdb import LmdbRuntime
from orthanc_fast.services.store.journaled_files import JournaledFiles
from orthanc_fast.services.store.terms import terms
from orthanc_fast.storage.contract import Storage
from orthanc_fast.storage.files.area import StorageArea, place_of

T = TypeVar("T")

INDEX_FOLDER = "orthanc-fast.lmdb"
RUNTIME_FOLDER = "runtime"  # in that of the index
SUPERVISOR_SLOT = "supervisor"
INDEX_FILE = "data.mdb"  # what a copy of the index consists of
REBUILDING_FOLDER = f"{INDEX_FOLDER}.rebuilding"  # an index until it is complete
RESTORING_FOLDER = f"{INDEX_FOLDER}.restoring"  # likewise


def open_index(settings: Settings, storage: Storage, folder: str = INDEX_FOLDER) -> Index:
    """The index of the files in `storage`, in this folder of the index directory. Raises
    StorageFault or IncompatibleDatabase with a text for the administrator."""
    index = LmdbIndex(
        settings.index_directory / folder,
        terms,
        settings.index_map_size_gb << 30,
        keeper=JournaledFiles(storage),
        journal_size=settings.index_journal_size_mb << 20,
    )
    if index.carries_cargo:
        storage.rely_on_carrier()
    return index


def copy_index(index: Index, folder: Path, function: Callable[[Snapshot], T]) -> T:
    """Writes a copy of an index that `open_index` gave into an empty folder, durably, as one
    snapshot has it; returns what `function` makes of that. The copy opens as an index that was
    closed. Raises FullStorage or StorageFault."""
    if not isinstance(index, LmdbIndex):
        raise TypeError(f"{type(index).__name__} has no files that could be copied")
    return index.copy(folder, function)


def open_backup(folder: Path) -> Storage:
    """The files of a backup. Raises StorageFault if the folder cannot be written."""
    return StorageArea(folder, "backup")


def build_index(settings: Settings, folder: Path) -> Builder:
    """A new index in a folder of its own, to be filled. Raises StorageFault or FullStorage."""
    return LmdbBuilder(folder, settings.index_map_size_gb << 30)


def index_packer() -> Packer:
    """For an index that `build_index` gives."""
    return LmdbPacker(terms)


def file_path(settings: Settings) -> Callable[[str], str]:
    """Where the file of a UUID lies, for who looks at files without opening the storage."""
    return place_of(settings.storage_directory)


def open_runtime(settings: Settings) -> LmdbRuntime:
    """What the workers of this run tell each other. Raises StorageFault."""
    return LmdbRuntime(settings.index_directory / INDEX_FOLDER / RUNTIME_FOLDER)


def open_storage(settings: Settings, slot: str) -> Storage:
    """Raises StorageFault if the folder cannot be written."""
    return StorageArea(settings.storage_directory, slot, settings.sync_storage_area)


def open_dictionary(settings: Settings) -> Dictionary:
    """What the configuration makes known of tags. Raises OrthancError for what it cannot take."""
    try:
        external = [path.read_text("latin-1") for path in settings.external_dictionaries]
    except OSError as error:
        raise OrthancError(
            f"ExternalDictionaries: {error.strerror}", private=error.filename, code=13
        ) from error
    return Dictionary(settings.dictionary, settings.load_private_dictionary, external)
