"""The memory that the bodies of all uploads of a process have together."""

from threading import Lock
from types import TracebackType


class UploadMemory:
    """Counts bytes; from any thread."""

    def __init__(self, room: int) -> None:
        """`room`: bytes of all together."""
        self._room = room
        self._lock = Lock()
        self.used = 0

    def take(self, size: int) -> bool:
        """Whether there was room for so many bytes more."""
        with self._lock:
            if self.used + size > self._room:
                return False
            self.used += size
            return True

    def give(self, size: int) -> None:
        """So many are free again."""
        with self._lock:
            self.used -= size


class Share:
    """What one upload has of it; used by one thread at a time. As a context it is released at the
    end."""

    __slots__ = ("_memory", "size")

    def __init__(self, memory: UploadMemory) -> None:
        self._memory = memory
        self.size = 0

    def take(self, size: int) -> bool:
        """See `UploadMemory.take`."""
        if not self._memory.take(size):
            return False
        self.size += size
        return True

    def give(self, size: int) -> None:
        """See `UploadMemory.give`."""
        self._memory.give(size)
        self.size -= size

    def release(self) -> None:
        """Nothing of it is in use any longer."""
        self.give(self.size)

    def __enter__(self) -> "Share":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
