"""Small stores for the services."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.small_store import USER, SmallStore

from orthanc_fast.model import Caller


@pytest.fixture
def caller() -> Caller:
    return USER


@pytest.fixture
def small_store(tmp_path: Path) -> Iterator[SmallStore]:
    """An empty store."""
    store = SmallStore(tmp_path)
    yield store
    store.close()


@pytest.fixture
def read_only_store(tmp_path: Path) -> Iterator[SmallStore]:
    """An empty store whose server may change nothing."""
    store = SmallStore(tmp_path, read_only=True)
    yield store
    store.close()
