"""What the writes of a group do to files, done for the whole group at once."""

from collections.abc import Sequence
from typing import Any

from orthanc_fast.errors import OrthancError
from orthanc_fast.index.lmdb.commit import Outcome as WriteOutcome
from orthanc_fast.index.lmdb.commit import Write
from orthanc_fast.model import Outcome
from orthanc_fast.services.store.write_with_files import FilesWrite
from orthanc_fast.storage.files.area import Pending, StorageArea


class FileEffects:
    """Files are on the disk, or small ones in the journal, before the index knows them, and are
    unlinked after it has let them go."""

    def __init__(self, storage: StorageArea) -> None:
        self._storage = storage

    def before(self, writes: Sequence[Write[Any]]) -> Sequence[BaseException | None]:
        """Writes the files of all; a write fails if one of its files does."""
        owners = [
            (number, file)
            for number, write in enumerate(writes)
            if isinstance(write, FilesWrite)
            for file in write.files
        ]
        found: list[BaseException | None] = [None] * len(writes)
        errors: list[OrthancError | None] = self._storage.write([file for _, file in owners])
        for (number, file), error in zip(owners, errors, strict=True):
            if not file.journaled:
                file.data = None  # the bytes are on the disk: free the memory
            if error is not None:
                found[number] = error
        return found

    def after(self, writes: Sequence[Write[Any]], outcomes: Sequence[WriteOutcome]) -> None:
        """Publishes what was stored, removes what was not and what was deleted or replaced."""
        published: list[Pending] = []
        abandoned: list[Pending] = []
        doomed: list[str] = []
        for write, (result, _) in zip(writes, outcomes, strict=True):
            stored = isinstance(result, Outcome) and result.stored
            if isinstance(write, FilesWrite):
                (published if stored else abandoned).extend(write.files)
            if isinstance(result, Outcome):
                # The index lists them as doomed until housekeeping has seen that they are gone.
                doomed.extend(result.doomed)
        self._storage.publish(published)
        self._storage.abandon(abandoned)
        self._storage.remove(doomed)
