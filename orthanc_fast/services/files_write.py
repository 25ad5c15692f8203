"""Writes of the index that bring files with them."""

from orthanc_fast.index.records import Outcome
from orthanc_fast.index.writer import Write
from orthanc_fast.storage.area import Pending


class FilesWrite(Write[Outcome]):
    """Its files are written before the transaction; `FileEffects` publishes them afterwards where
    `Outcome.stored` is True, and removes them where it is not."""

    __slots__ = ("files",)

    def __init__(self, files: list[Pending]) -> None:
        self.files = files
