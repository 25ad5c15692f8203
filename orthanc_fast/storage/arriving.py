"""Bytes that arrive in parts and whose number is not known before: in memory as long as they are
few, else in a spool of the storage."""

from collections.abc import Callable

from orthanc_fast.storage.spool import Spool

Body = bytes | Spool  # one that has come; a spool belongs to whoever gets it


class ArrivingBody:
    """One body, part by part; used by one thread at a time."""

    __slots__ = ("_memory", "_new_spool", "_parts", "_spool", "size")

    def __init__(self, memory: int, new_spool: Callable[[], Spool]) -> None:
        """More than `memory` bytes go into a spool."""
        self.size = 0
        self._memory = memory
        self._new_spool = new_spool
        self._parts: list[bytes] = []
        self._spool: Spool | None = None

    def waits(self, coming: int) -> bool:
        """Whether to add so many bytes may wait for the disk."""
        return self._spool is not None or self.size + coming > self._memory

    def add(self, part: bytes) -> None:
        """Raises FullStorage or StorageFault."""
        if self.waits(len(part)):
            self._spooled().write(part)
        else:
            self._parts.append(part)
        self.size += len(part)

    def finish(self) -> Body:
        """All of it. Raises FullStorage or StorageFault."""
        if self._spool is None:
            return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._spool.flush()
        spool, self._spool = self._spool, None
        return spool

    def discard(self) -> None:
        """Leaves nothing behind; harmless after `finish`."""
        self._parts.clear()
        if self._spool is not None:
            self._spool.drop()
            self._spool = None

    def _spooled(self) -> Spool:
        if self._spool is None:
            self._spool = self._new_spool()
            for part in self._parts:
                self._spool.write(part)
            self._parts.clear()
        return self._spool
