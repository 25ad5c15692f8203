"""A store without server and process, for tests of services: milliseconds."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from support import generated

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.index.contract import Index, Snapshot
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.index.memory.index import MemoryIndex
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.ingest.contract import IngestRequest
from orthanc_fast.services.ingest.ingest import Ingest
from orthanc_fast.services.store.file_effects import FileEffects
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.terms import terms
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.storage.contract import Storage
from orthanc_fast.storage.files.area import StorageArea
from orthanc_fast.storage.memory import MemoryStorage

T = TypeVar("T")

USER = Caller(origin="RestApi", user="someone", address="10.0.0.1")


class ElsewhereIndex(MemoryIndex):
    """One that must not be read on an event loop, as a database on the network."""

    @property
    def reads_in_place(self) -> bool:
        return False

    def read(self, function: Callable[[Snapshot], T]) -> T:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return super().read(function)


def make_index(kind: str, folder: Path) -> Index:
    """An empty index of one of KINDS."""
    if kind == "lmdb":
        return LmdbIndex(folder, terms, 1 << 28, sync=False)
    return MemoryIndex(terms) if kind == "memory" else ElsewhereIndex(terms)


def make_storage(kind: str, folder: Path) -> Storage:
    """An empty storage: files beside LMDB, memory beside the others."""
    if kind == "lmdb":
        return StorageArea(folder, "test", sync=False)
    return MemoryStorage()


KINDS = ("memory", "lmdb", "elsewhere")


class SmallStore:
    """An index and a storage, with an event loop that runs when a test asks for it."""

    def __init__(self, folder: Path, kind: str = "memory", **given: Any) -> None:
        self.settings = Settings(storage_directory=folder, index_directory=folder, **given)
        self.dictionary = Dictionary({}, False)
        self.main_tags = MainTags(self.dictionary)
        self.runner = asyncio.Runner()
        self.index = make_index(kind, folder / "index")
        self.storage = make_storage(kind, folder)
        loop = self.runner.get_loop()
        self.writer = self.index.writer(FileEffects(self.storage, lambda: None), loop)
        self.reads = Reads(self.index)
        self.writes = Writes(self.writer, loop)
        self.ingest = Ingest(
            self.settings,
            self.reads,
            self.storage,
            self.writes,
            self.main_tags,
            self.dictionary,
            lambda: "Latin1",
            None,
            loop,
        )

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns."""
        return self.runner.run(work)

    def add(self, patient: int, study: int, series: int, instance: int) -> tuple[bytes, ...]:
        """Stores a generated instance; the identifiers, patient first."""
        return self.put(generated.small().number(patient, study, series, instance))

    def put(self, data: bytes) -> tuple[bytes, ...]:
        """Stores a file; the identifiers, patient first."""
        stored = self.run(self.ingest.store(IngestRequest(caller=USER, data=data)))
        assert stored.status == "Success"
        return stored.publics

    def resource(self, level: Level, public: bytes) -> Resource | None:
        return self.reads(USER, lambda view: view.resource(level, public))

    def close(self) -> None:
        self.ingest.close()
        self.writer.stop()
        self.index.close()
        self.runner.close()
