"""A snapshot of an index in the middle of a test."""

from collections.abc import Iterator
from contextlib import contextmanager

from orthanc_fast.index.contract import Index, Snapshot
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.index.lmdb.snapshot import LmdbSnapshot
from orthanc_fast.index.memory.index import MemoryIndex
from orthanc_fast.index.memory.snapshot import MemorySnapshot


@contextmanager
def reading(index: Index) -> Iterator[Snapshot]:
    """What the product reads in a function, read in place."""
    if isinstance(index, MemoryIndex):
        yield MemorySnapshot(index._state)
        return
    assert isinstance(index, LmdbIndex)
    with LmdbSnapshot(index._env) as snapshot:
        yield snapshot
