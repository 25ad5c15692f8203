"""Threads of others in tests that count threads."""

import contextlib
import threading
from collections.abc import Iterator

_PATIENCE = 10.0  # seconds


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Waits for the end of all threads that the block has started, as pynetdicom's servers leave
    them."""
    before = set(threading.enumerate())
    try:
        yield
    finally:
        for each in set(threading.enumerate()) - before:
            each.join(_PATIENCE)
