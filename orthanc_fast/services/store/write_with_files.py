"""Writes of the index that bring files with them."""

from collections.abc import Iterable

from orthanc_fast.index.lmdb.commit import Write
from orthanc_fast.index.lmdb.journal import FILE
from orthanc_fast.model import Outcome
from orthanc_fast.storage.files.area import Pending


class FilesWrite(Write[Outcome]):
    """Its files are written before the transaction; `FileEffects` publishes them afterwards where
    `Outcome.stored` is True, and removes them where it is not."""

    __slots__ = ("files",)

    def __init__(self, files: list[Pending]) -> None:
        self.files = files

    @property
    def is_quick(self) -> bool:
        """None of its files has to wait for the disk."""
        return all(file.is_small for file in self.files)

    def journaled(self, outcome: Outcome) -> Iterable[FILE]:
        """Those that were written without syncing them."""
        if not outcome.stored:
            return ()
        return [
            (file.name, memoryview(file.data))
            for file in self.files
            if file.journaled and file.data is not None
        ]
