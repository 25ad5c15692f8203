"""Every implementation of the index passes the suite of the contract, and they agree."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from orthanc_fast.index.conformance import (
    IndexConformance,
    apply,
    everything,
    random_change,
    terms,
)
from orthanc_fast.index.contract import Index
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.index.memory.index import MemoryIndex


@contextmanager
def opened(sync: bool, journal_size: int) -> Iterator[Index]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "index")
        index = LmdbIndex(path, terms, 1 << 26, sync=sync, journal_size=journal_size)
        try:
            yield index
        finally:
            index.close()


class TestLmdbIndexWithJournal(IndexConformance):
    def open_index(self) -> AbstractContextManager[Index]:
        return opened(True, 1 << 20)


class TestLmdbIndexWithoutJournal(IndexConformance):
    def open_index(self) -> AbstractContextManager[Index]:
        return opened(True, 0)


class TestMemoryIndex(IndexConformance):
    @contextmanager
    def open_index(self) -> Iterator[Index]:
        yield MemoryIndex(terms)


@pytest.mark.parametrize("seed", range(10))
def test_implementations_agree_after_any_changes(seed: int) -> None:
    memory = MemoryIndex(terms)
    with opened(False, 0) as index:
        for number in range(1, 120):
            for each in (index, memory):
                apply(each, random_change(random.Random(seed * 1000 + number), number))
            if number % 20 == 19:
                assert index.read(everything) == memory.read(everything), number
        assert index.read(everything) == memory.read(everything)
