"""The runtime of a server's processes: an LMDB environment that is never synced.

A process that is killed leaves it whole: what a transaction writes counts only when the page that
names it is written, and LMDB's lock passes on. What a power cut leaves of it may be broken, so a
start that finds nobody using it begins with a new one.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import lmdb

from orthanc_fast.errors import FullStorage, StorageFault
from orthanc_fast.runtime.bell import Bell
from orthanc_fast.runtime.contract import Snapshot, Transaction
from orthanc_fast.runtime.names import encoded, topics
from orthanc_fast.runtime.reserved import reserved

T = TypeVar("T")

MAP_SIZE = 4 << 30  # bytes of address space, not of the disk
MAX_READERS = 1024
LOCK_SIZE = (MAX_READERS + 4) * 64  # bytes: a cache line for each reader, and what LMDB adds
BELL = "bell"


class LmdbRuntime:
    """See `contract.Runtime`. One per process and folder."""

    def __init__(self, folder: Path) -> None:
        """Opens the folder, or makes it. Raises StorageFault or FullStorage."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            os.close(reserved(folder / "lock.mdb", LOCK_SIZE))
            self._env = lmdb.open(
                os.fspath(folder),
                map_size=MAP_SIZE,
                max_readers=MAX_READERS,
                sync=False,
                metasync=False,
                readahead=False,
                mode=0o640,  # the umask of the process says whether the group may read
            )
        except (lmdb.Error, OSError) as error:
            raise self._fault(error) from error
        try:
            self.bell = Bell(folder / BELL)
        except BaseException:
            self._env.close()
            raise

    @classmethod
    def begin(cls, folder: Path, is_alone: bool) -> "LmdbRuntime":
        """An empty one, before the workers of a new run start. Whoever is not alone, because
        another server uses the same store, empties what both use. Raises StorageFault or
        FullStorage."""
        if is_alone:
            try:
                shutil.rmtree(folder)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise StorageFault(f"cannot remove {error.filename}: {error.strerror}") from error
        runtime = cls(folder)
        runtime.write(_forget_all)
        return runtime

    def get(self, name: str) -> bytes | None:
        raw = encoded(name)
        try:
            with self._env.begin() as txn:
                return txn.get(raw)
        except lmdb.Error as error:
            raise self._fault(error) from error

    def read(self, work: Callable[[Snapshot], T]) -> T:
        try:
            with self._env.begin() as txn:
                return work(_Snapshot(txn))
        except lmdb.Error as error:
            raise self._fault(error) from error

    def write(self, work: Callable[[Transaction], T]) -> T:
        try:
            with self._env.begin(write=True) as txn:
                transaction = _Transaction(txn)
                result = work(transaction)
        except lmdb.Error as error:
            raise self._fault(error) from error
        self.bell.ring(*topics(transaction.changed))
        return result

    def clear_stale_readers(self) -> None:
        """Frees what processes that died have left: they would keep old values alive."""
        self._env.reader_check()

    def close(self) -> None:
        self.bell.close()
        self._env.close()

    def _fault(self, error: Exception) -> StorageFault | FullStorage:
        is_full = isinstance(error, lmdb.MapFullError) or "No space left" in str(error)
        kind = FullStorage if is_full else StorageFault
        return kind(f"the runtime state in {self._folder.name} cannot be used: {error}")


def _forget_all(transaction: Transaction) -> None:
    for name, _ in transaction.below(""):
        transaction.delete(name)


class _Snapshot:
    def __init__(self, txn: lmdb.Transaction) -> None:
        self._txn = txn

    def get(self, name: str) -> bytes | None:
        value: bytes | None = cast(Any, self._txn).get(encoded(name))
        return value

    def below(self, prefix: str) -> list[tuple[str, bytes]]:
        wanted = prefix.encode()
        found = []
        with self._txn.cursor() as cursor:
            if cursor.set_range(wanted):
                key: Any
                value: Any
                for key, value in cursor:
                    if not key.startswith(wanted):
                        break
                    found.append((key.decode(), value))
        return found

    def first_below(self, prefix: str) -> tuple[str, bytes] | None:
        wanted = prefix.encode()
        with self._txn.cursor() as cursor:
            key: Any
            value: Any
            if cursor.set_range(wanted):
                key, value = cursor.item()
                if key.startswith(wanted):
                    return key.decode(), value
        return None


class _Transaction(_Snapshot):
    def __init__(self, txn: lmdb.Transaction) -> None:
        super().__init__(txn)
        self.changed: set[str] = set()

    def set(self, name: str, value: bytes) -> None:
        self._txn.put(encoded(name), value)
        self.changed.add(name)

    def delete(self, name: str) -> bool:
        raw = encoded(name)
        self.changed.add(name)
        return self._txn.delete(raw)
