"""A small store whose instances are sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.small_sender import SmallSender


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[SmallSender]:
    with SmallSender(tmp_path) as sender:
        yield sender
