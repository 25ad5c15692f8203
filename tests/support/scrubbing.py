"""Rounds of the scrubber, and files that change behind its back."""

import threading
from collections.abc import Callable
from pathlib import Path

from support.small_store import SmallStore

from orthanc_fast.config_scrubber import Scrubber as Options
from orthanc_fast.services.administration.scrubber import Scrubber, status_of

FAST = Options(enable=True, days=1.0, megabytes_per_second=1e6)
DAY = 86400.0


def replace(store: SmallStore, uuid: str, content: bytes) -> None:
    """The bytes of a file are others from now on."""
    store.storage.delete([uuid])
    file = store.storage.new_file(bytes(20), uuid, content)
    assert store.storage.put([file]) == [None]
    store.storage.publish([file])


class Night:
    """A scrubber, and the clock that it looks at."""

    def __init__(self, store: SmallStore, folder: Path, options: Options = FAST) -> None:
        self.time = 1e9
        self.store = store
        self.stopping = threading.Event()
        arguments = (options, store.index, store.storage, folder, self.stopping)
        self.scrubber = Scrubber(*arguments, now=lambda: self.time)

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(1000):
            if condition():
                return
            self.scrubber.turn()
        raise AssertionError("it does not end")

    def round(self) -> None:
        """One whole round, a day after the last one."""
        self.time += DAY
        self.until(lambda: self.store.index.read(status_of).last == self.scrubber._status.last)
        before = self.store.index.read(status_of).last
        self.until(lambda: self.store.index.read(status_of).last != before)
