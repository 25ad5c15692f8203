"""Bytes on their way into the storage that are too many for memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

Content = bytes | bytearray | memoryview  # a buffer; where its memory comes from says nobody


class Spool(ABC):
    """Bytes that are written one after the other, may be read at once, and are taken over as a
    whole by `Storage.new_file`: without copying them, where the storage can.

    A spool belongs to whoever has it: he hands it on, or drops it. As a context it is dropped at
    the end, unless a storage has taken it over before. What a process that dies leaves of its
    spools is removed at recovery. A spool that is gone raises ValueError, as a closed file does.
    Used by one thread at a time; all of it may wait for the disk.

        with storage.new_spool() as spool:
            for part in parts:
                spool.write(part)
            ingest.submit(IngestRequest(caller=caller, data=spool), promise)
    """

    __slots__ = ()

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes that have been written."""

    @property
    @abstractmethod
    def path(self) -> Path | None:
        """The file that has all that was flushed, for other processes to read until the spool is
        gone; None where there is none."""

    @abstractmethod
    def write(self, data: Content) -> None:
        """Adds to the end; `data` may change afterwards. Raises FullStorage or StorageFault; the
        spool is dropped then."""

    @abstractmethod
    def flush(self) -> None:
        """Raises now what a later reading or handing over would: FullStorage or StorageFault, with
        the spool dropped."""

    @abstractmethod
    def read(self, start: int = 0, size: int = -1) -> bytes:
        """`size` bytes from `start` (-1: to the end), fewer where the spool ends before."""

    @abstractmethod
    def buffer(self) -> Content:
        """All that has been written, as one buffer, without copying it where the implementation
        can. It stays valid whatever becomes of the spool."""

    @abstractmethod
    def drop(self) -> None:
        """Leaves nothing behind; harmless where the spool is gone already."""

    def parts(self, step: int) -> Iterator[bytes]:
        """All of it in parts of up to `step` bytes."""
        start = 0
        while part := self.read(start, step):
            yield part
            start += len(part)

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.drop()
