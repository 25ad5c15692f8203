"""The metadata of series that have become stable are made and kept before anybody asks."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from orthanc_fast.log import Category, logger
from orthanc_fast.model import SERVER, Level, Resource
from orthanc_fast.services.store.reads import Reads

if TYPE_CHECKING:
    from orthanc_fast.services.dicom_web.metadata_cache import MetadataCache

# Series that wait; what is beyond is made when it is asked for.
_MOST = 10_000


class StableSeries:
    """A thread, which begins with the first series. `open_cache` is called then."""

    def __init__(self, reads: Reads, open_cache: "Callable[[], MetadataCache]") -> None:
        self._read = reads
        self._open_cache = open_cache
        self._waiting: deque[bytes] = deque(maxlen=_MOST)
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def announce(self, resources: Iterable[Resource]) -> None:
        """Is told of all resources that become stable."""
        found = [each.public for each in resources if each.level == Level.SERIES]
        with self._wake:
            if not found or self._stopping:
                return
            self._waiting += found
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="metadata", daemon=True)
                self._thread.start()
            self._wake.notify()

    def stop(self) -> None:
        """Waits for the series that is being made."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        cache = self._open_cache()
        while (public := self._next()) is not None:
            try:
                self._renew(cache, public)
            except Exception as error:  # must not end the thread
                logger.error(Category.GENERIC, f"The metadata of a series are not kept: {error}")

    def _renew(self, cache: "MetadataCache", public: bytes) -> None:
        series = self._read(SERVER, lambda view: view.resource(Level.SERIES, public))
        if series is not None:
            cache.renew(series)

    def _next(self) -> bytes | None:
        with self._wake:
            while not self._waiting and not self._stopping:
                self._wake.wait()
            return None if self._stopping else self._waiting.popleft()
