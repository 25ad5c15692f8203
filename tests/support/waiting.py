"""Waiting for what another process or thread is going to do."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_PATIENCE: Final = 240.0  # seconds, on a busy machine


def until(look: Callable[[], T], seconds: float = _PATIENCE) -> T:
    """What it gives as soon as that is something."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
