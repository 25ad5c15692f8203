"""A runtime of one process, in plain dictionaries: for tests of what uses one."""

import threading
from collections.abc import Callable
from typing import TypeVar

from orthanc_fast.runtime.bell import Bell
from orthanc_fast.runtime.contract import Snapshot, Transaction
from orthanc_fast.runtime.names import encoded, topics

T = TypeVar("T")


class MemoryRuntime:
    """See `contract.Runtime`."""

    def __init__(self) -> None:
        self.bell = Bell()
        self._lock = threading.Lock()
        self._values: dict[str, bytes] = {}  # replaced as a whole: a snapshot keeps what it has

    def get(self, name: str) -> bytes | None:
        return _Values(self._values).get(name)

    def read(self, work: Callable[[Snapshot], T]) -> T:
        return work(_Values(self._values))

    def write(self, work: Callable[[Transaction], T]) -> T:
        with self._lock:
            transaction = _Changes(dict(self._values))
            result = work(transaction)
            self._values = transaction.values
        self.bell.ring(*topics(transaction.changed))
        return result

    def close(self) -> None:
        self.bell.close()


class _Values:
    def __init__(self, values: dict[str, bytes]) -> None:
        self.values = values

    def get(self, name: str) -> bytes | None:
        encoded(name)
        return self.values.get(name)

    def below(self, prefix: str) -> list[tuple[str, bytes]]:
        found = [item for item in self.values.items() if item[0].startswith(prefix)]
        return sorted(found, key=lambda item: item[0].encode())

    def first_below(self, prefix: str) -> tuple[str, bytes] | None:
        return next(iter(self.below(prefix)), None)


class _Changes(_Values):
    def __init__(self, values: dict[str, bytes]) -> None:
        super().__init__(values)
        self.changed: set[str] = set()

    def set(self, name: str, value: bytes) -> None:
        encoded(name)
        self.values[name] = value
        self.changed.add(name)

    def delete(self, name: str) -> bool:
        encoded(name)
        self.changed.add(name)
        return self.values.pop(name, None) is not None
