"""Both storages pass the suite."""

from pathlib import Path

import pytest

from orthanc_fast.storage.conformance import StorageConformance
from orthanc_fast.storage.contract import Storage
from orthanc_fast.storage.files.area import StorageArea
from orthanc_fast.storage.memory import MemoryStorage


class TestFiles(StorageConformance):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return StorageArea(tmp_path, "http-0")

    @pytest.fixture
    def other(self, tmp_path: Path) -> Storage:
        return StorageArea(tmp_path / "other", "http-0")


class TestMemory(StorageConformance):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()

    @pytest.fixture
    def other(self) -> Storage:
        return MemoryStorage()
