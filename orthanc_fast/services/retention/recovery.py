"""What a crash left in the storage area, put in order while nobody else uses the store."""

from orthanc_fast.index.contract import Index
from orthanc_fast.log import Category, logger
from orthanc_fast.services.retention.housekeeping import forget_files
from orthanc_fast.services.store.journaled_files import belongs
from orthanc_fast.storage.contract import Storage


def recover(index: Index, storage: Storage, slot: str | None = None) -> None:
    """Files on their way come to their place where the index has them, and are removed where it has
    not: those of a process that died, or (None) all."""
    index.settle()
    index.clear_dead_readers()
    published, unlinked = storage.recover(
        lambda owner, uuid: index.read(lambda found: belongs(found, owner, uuid)), slot
    )
    if published or unlinked:
        logger.info(
            Category.GENERIC,
            f"Recovered {published} files that were stored and removed {unlinked} that were not",
        )


def remove_doomed(index: Index, storage: Storage) -> None:
    """Removes the files that no resource owns any more."""
    doomed = index.read(lambda snapshot: snapshot.doomed())
    if doomed and storage.delete(doomed):
        forget_files(index, storage, doomed)
        logger.info(Category.GENERIC, f"Removed {len(doomed)} files of deleted resources")
