"""A storage in the memory of one process: for tests that are done in milliseconds. No option of the
product chooses it, and nothing of it outlives the process."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from orthanc_fast.errors import OrthancError, ParameterOutOfRange, StorageFault
from orthanc_fast.model import SendablePath
from orthanc_fast.storage.arriving import Body
from orthanc_fast.storage.contract import (
    BEYOND_END,
    CARRIED_FILE,
    GATHERED_AT_ONCE,
    Content,
    Fetched,
    Handle,
    Pending,
    Spool,
    Storage,
    missing,
    owner_and_uuid,
)


class MemoryHandle(Handle):
    """Holds the bytes."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read(self, start: int = 0, size: int = -1) -> bytes:
        return self._data[start:] if size < 0 else self._data[start : start + size]

    def will_need(self) -> None:
        """It is in memory."""

    def read_into(self, start: int, out: memoryview, may_wait: bool = True) -> None:
        found = self._data[start : start + len(out)]
        if len(found) < len(out):
            raise ParameterOutOfRange(BEYOND_END)
        out[:] = found

    def read_now(self, start: int, size: int, head: bytes = b"", tail: bytes = b"") -> bytes | None:
        data = self.read(start, size)
        return None if len(data) < size else head + data + tail

    def buffer(self) -> Content:
        return self._data

    def close(self) -> None:
        return


class MemorySpool(Spool):
    """Holds the bytes, in one place for each writing."""

    __slots__ = ("_parts", "_size")

    def __init__(self, data: bytes = b"") -> None:
        self._parts: list[bytes] | None = [data]
        self._size = len(data)

    @property
    def size(self) -> int:
        return self._size

    @property
    def path(self) -> Path | None:
        return None

    def write(self, data: Content) -> None:
        part = bytes(data)
        self._held().append(part)
        self._size += len(part)

    def flush(self) -> None:
        self._held()

    def read(self, start: int = 0, size: int = -1) -> bytes:
        data = self.buffer()
        return data[start:] if size < 0 else data[start : start + size]

    def buffer(self) -> bytes:
        parts = self._held()
        if len(parts) > 1:
            parts[:] = [b"".join(parts)]
        return parts[0]

    def release(self) -> bytes:
        """Gives the bytes away."""
        data = self.buffer()
        self.drop()
        return data

    def drop(self) -> None:
        self._parts = None

    def _held(self) -> list[bytes]:
        if self._parts is None:
            raise ValueError("the spool is gone")
        return self._parts


class MemoryStorage(Storage):
    """Dictionaries and one lock. `slot` names the process as that of the storage area does."""

    def __init__(self, slot: str = "memory") -> None:
        self._slot = slot
        self._lock = Lock()
        self._relies_on_carrier = False
        self._pending: dict[str, bytes] = {}
        self._published: dict[str, bytes] = {}
        self._written: dict[str, int] = {}
        self._holds = 0
        self._gathered: dict[tuple[str, int], bytes] = {}  # that of the last chunk comes last

    def rely_on_carrier(self) -> None:
        self._relies_on_carrier = True

    def new_spool(self) -> MemorySpool:
        return MemorySpool()

    def gather(self, name: str, size: int, chunk: Body) -> Body | None:
        if (chunk.size if isinstance(chunk, Spool) else len(chunk)) == size:
            return chunk
        if isinstance(chunk, Spool):
            with chunk:
                chunk = chunk.read()
        with self._lock:
            body = self._gathered.pop((name, size), b"") + chunk
            if len(body) < size:
                self._gathered[name, size] = body
                while len(self._gathered) > GATHERED_AT_ONCE:
                    del self._gathered[next(iter(self._gathered))]
        return MemorySpool(body) if len(body) == size else None

    def new_file(
        self, owner: bytes, uuid: str, content: Content | Spool, is_cold: bool = False
    ) -> Pending:
        """Spools of other storages raise TypeError."""
        name = f"{self._slot}/{owner.hex()}.{uuid}"
        if isinstance(content, Content):
            is_small = self._relies_on_carrier and len(content) <= CARRIED_FILE
            return Pending(owner, uuid, name, content, is_small)
        if not isinstance(content, MemorySpool):
            raise TypeError(f"{type(content).__name__} is no spool of this storage")
        return Pending(owner, uuid, name, content.release())

    def put(self, files: Sequence[Pending]) -> list[OrthancError | None]:
        return [self._put(file) for file in files]

    def _put(self, file: Pending) -> OrthancError | None:
        data = bytes(file.data or b"")
        with self._lock:
            if file.name in self._pending:
                return StorageFault("cannot write the file: it exists", private=file.name)
            self._pending[file.name] = data
        file.is_carried = file.may_be_carried
        return None

    def publish(self, files: Sequence[Pending]) -> None:
        with self._lock:
            for file in files:
                self._published[file.uuid] = self._pending.pop(file.name)
                self._written[file.uuid] = time.time_ns()

    def abandon(self, files: Sequence[Pending]) -> None:
        with self._lock:
            for file in files:
                self._pending.pop(file.name, None)

    def delete(self, uuids: Sequence[str]) -> bool:
        with self._lock:
            if self._holds:
                return False
            for uuid in uuids:
                self._published.pop(uuid, None)
        return True

    @contextmanager
    def hold(self) -> Iterator[None]:
        with self._lock:
            self._holds += 1
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1

    def fetch(self, uuids: Sequence[str], source: Storage, may_link: bool) -> Fetched:
        lost = []
        for uuid in uuids:
            try:
                data = source.read(uuid)
            except OrthancError:
                lost.append(uuid)
                continue
            with self._lock:
                self._published[uuid] = data
        return Fetched(lost, 0)

    def open(self, uuid: str) -> Handle:
        with self._lock:
            found = self._published.get(uuid)
            if found is None:
                ends = f".{uuid}"
                found = next((d for name, d in self._pending.items() if name.endswith(ends)), None)
        if found is None:
            raise missing(uuid)
        return MemoryHandle(found)

    def size(self, uuid: str) -> int | None:
        with self._lock:
            found = self._published.get(uuid)
        return None if found is None else len(found)

    def written(self, uuid: str) -> int | None:
        with self._lock:
            return self._written.get(uuid, 0) if uuid in self._published else None

    def listing(self) -> Iterator[str]:
        with self._lock:
            return iter(list(self._published))

    def sendable(self, uuid: str) -> SendablePath | None:
        self.open(uuid)
        return None

    def sync(self) -> None:
        return

    def restore(self, name: str, data: Content) -> None:
        found = owner_and_uuid(name)
        assert found is not None
        with self._lock:
            self._pending.pop(name, None)
            self._published[found[1]] = bytes(data)

    def recover(
        self, belongs: Callable[[bytes, str], bool | None], slot: str | None = None
    ) -> tuple[int, int]:
        published = removed = 0
        for name in sorted(self._pending):
            found = owner_and_uuid(name)
            if slot is not None and not name.startswith(f"{slot}/"):
                continue
            decision = False if found is None else belongs(*found)
            if decision is None:
                continue
            with self._lock:
                data = self._pending.pop(name)
                if found is not None and decision:
                    self._published[found[1]] = data
                    published += 1
                else:
                    removed += 1
        return published, removed
