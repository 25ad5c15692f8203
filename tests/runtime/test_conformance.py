"""Both runtimes keep the contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_fast.runtime.conformance import RuntimeConformance
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.runtime.lmdb import LmdbRuntime
from orthanc_fast.runtime.memory import MemoryRuntime


class TestMemory(RuntimeConformance):
    @pytest.fixture
    def runtime(self) -> Iterator[Runtime]:
        found = MemoryRuntime()
        yield found
        found.close()


class TestLmdb(RuntimeConformance):
    @pytest.fixture
    def runtime(self, tmp_path: Path) -> Iterator[Runtime]:
        found = LmdbRuntime(tmp_path / "runtime")
        yield found
        found.close()
