"""Small stores for the services."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.small_store import KINDS, USER, SmallStore

from orthanc_fast.model import Caller


@pytest.fixture
def caller() -> Caller:
    return USER


@pytest.fixture(params=KINDS)
def small_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallStore]:
    """An empty store, on each kind of index."""
    store = SmallStore(tmp_path, request.param)
    yield store
    store.close()


@pytest.fixture
def read_only_store(tmp_path: Path) -> Iterator[SmallStore]:
    """An empty store whose server may change nothing."""
    store = SmallStore(tmp_path, read_only=True)
    yield store
    store.close()
