"""Bytes that arrive in parts and whose number is not known before: in memory as long as they are
few, else in a spool of the storage."""

from collections.abc import Callable

from orthanc_fast.storage.spool import Content, Spool
from orthanc_fast.storage.upload_memory import Share

Body = bytes | Spool  # one that has come; a spool belongs to whoever gets it


class ArrivingBody:
    """One body, part by part; used by one thread at a time."""

    __slots__ = ("_memory", "_new_spool", "_parts", "_share", "_spool", "size")

    def __init__(self, memory: int, new_spool: Callable[[], Spool], share: Share) -> None:
        """More than `memory` bytes go into a spool, or fewer where all uploads together have too
        many. What is kept in memory is taken from `share`, whose owner releases it when he is done
        with the body."""
        self.size = 0
        self._memory = memory
        self._new_spool = new_spool
        self._share = share
        self._parts: list[Content] | None = []
        self._spool: Spool | None = None

    def add_now(self, part: Content) -> bool:
        """As `add` if that does not wait for the disk, else False."""
        size = len(part)
        if self._parts is None or self.size + size > self._memory or not self._share.take(size):
            return False
        self._parts.append(part)
        self.size += size
        return True

    def add(self, part: Content) -> None:
        """May wait for the disk. The part must not change until `finish`. Raises FullStorage or
        StorageFault."""
        if not self.add_now(part):
            self._spooled().write(part)
            self.size += len(part)

    @property
    def waits(self) -> bool:
        """Whether to finish or discard it waits for the disk."""
        return self._spool is not None

    def finish(self) -> Body:
        """All of it. Raises FullStorage or StorageFault."""
        if self._spool is None:
            parts, self._parts = self._parts or [], []
            first = parts[0] if len(parts) == 1 else b""
            return first if isinstance(first, bytes) and first else b"".join(parts)
        self._spool.flush()
        spool, self._spool = self._spool, None
        return spool

    def discard(self) -> None:
        """Leaves nothing behind; harmless after `finish`."""
        self._parts = []
        if self._spool is not None:
            self._spool.drop()
            self._spool = None

    def _spooled(self) -> Spool:
        if self._spool is None:
            self._spool = self._new_spool()
        if self._parts is not None:
            for part in self._parts:
                self._spool.write(part)
            self._parts = None
            self._share.give(self.size)
        return self._spool
