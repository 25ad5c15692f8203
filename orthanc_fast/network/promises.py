"""How an association hears what became of the instances that it handed over."""

import os
import threading
from queue import SimpleQueue
from typing import Any

from orthanc_fast.network.store import Incoming


class Wake:
    """An eventfd that other threads signal and that its owner may close at any time.

    Without the lock a signal could meet a closed descriptor, or one that is somebody else's by now.
    """

    def __init__(self) -> None:
        self.fd = -1
        self._lock = threading.Lock()

    def open(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def signal(self) -> None:
        """Ends the wait of the owner, if it has opened the descriptor and not closed it yet."""
        with self._lock:
            if self.fd >= 0:
                os.eventfd_write(self.fd, 1)

    def close(self) -> None:
        with self._lock:
            if self.fd >= 0:
                os.close(self.fd)
                self.fd = -1


class StorePromise:
    """Tells the association what became of one instance, from the thread that stored it."""

    __slots__ = ("_queue", "_wake", "error", "incoming")

    def __init__(
        self, incoming: Incoming, queue: "SimpleQueue[StorePromise]", wake: Wake | None
    ) -> None:
        """Without `wake` the association waits for nothing but the queue."""
        self.incoming = incoming
        self.error: BaseException | None = None
        self._queue = queue
        self._wake = wake

    def done(self) -> bool:
        return False

    def set_result(self, result: Any, /) -> None:
        self._tell()

    def set_exception(self, error: Any, /) -> None:
        self.error = error
        self._tell()

    def _tell(self) -> None:
        self._queue.put(self)
        if self._wake is not None:
            self._wake.signal()

    @property
    def is_awaited(self) -> bool:
        """Whether the association does nothing else until it is told."""
        return self._wake is None
