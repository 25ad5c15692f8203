"""Writes of the index that bring files with them, and what is done to files for a whole group of
writes at once."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Cargo, Result, Write
from orthanc_fast.model import Outcome
from orthanc_fast.services.store.visibility import Judged
from orthanc_fast.storage.contract import Pending, Storage

CHANGES = "changes"
"""The topic that rings in all processes when the change log may have grown."""


class FilesWrite(Write[Outcome]):
    """Its files are written before the transaction; `FileEffects` publishes them afterwards where
    `Outcome.stored` is True, and removes them where it is not."""

    __slots__ = ("files",)

    def __init__(self, files: list[Pending]) -> None:
        self.files = files

    def withdraw(self) -> None:
        """Leaves nothing behind of a write that is not going to be queued."""
        for file in self.files:
            file.drop()

    @property
    def is_quick(self) -> bool:
        """None of its files has to wait for the disk."""
        return all(file.may_be_carried for file in self.files)

    def cargo(self, outcome: Outcome) -> Iterable[Cargo]:
        """Those that were written without syncing them."""
        if not outcome.stored:
            return ()
        return [
            (file.name, memoryview(file.data))
            for file in self.files
            if file.is_carried and file.data is not None
        ]


class FileEffects:
    """Files are durable, or small ones about to be carried by the index, before the index knows
    them, and are deleted after it has let them go."""

    def __init__(self, storage: Storage, announce: Callable[[], None]) -> None:
        """`announce` is called after each group: the change log may have grown."""
        self._storage = storage
        self._announce = announce

    def before(self, writes: Sequence[Write[Any]]) -> Sequence[BaseException | None]:
        """Writes the files of all; a write fails if one of its files does."""
        owners = [(number, file) for number, write in enumerate(writes) for file in _files(write)]
        found: list[BaseException | None] = [None] * len(writes)
        errors: list[OrthancError | None] = self._storage.put([file for _, file in owners])
        for (number, file), error in zip(owners, errors, strict=True):
            if not file.is_carried:
                file.data = None  # the bytes are on the disk: free the memory
            if error is not None:
                found[number] = error
        return found

    def after(self, writes: Sequence[Write[Any]], outcomes: Sequence[Result]) -> None:
        """Publishes what was stored, removes what was not and what was deleted or replaced."""
        published: list[Pending] = []
        abandoned: list[Pending] = []
        doomed: list[str] = []
        for write, (result, _) in zip(writes, outcomes, strict=True):
            stored = isinstance(result, Outcome) and result.stored
            (published if stored else abandoned).extend(_files(write))
            if isinstance(result, Outcome):
                # The index lists them as doomed until housekeeping has seen that they are gone.
                doomed.extend(result.doomed)
        self._storage.publish(published)
        self._storage.abandon(abandoned)
        self._storage.delete(doomed)
        self._announce()


def _files(write: Write[Any]) -> Sequence[Pending]:
    own = write.write if isinstance(write, Judged) else write
    return own.files if isinstance(own, FilesWrite) else ()
