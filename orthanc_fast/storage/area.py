"""The storage area: where the bytes live, one plain file per attachment, laid out as Orthanc
lays them out.

    <root>/<u0u1>/<u2u3>/<uuid>              files that the index knows
    <root>/incoming/<slot>/<owner>.<uuid>    files on their way: written and synced before the index
                                             transaction, moved to their place after it

`slot` names the worker process that writes, `owner` is the hexadecimal identifier of the
resource. After a crash the index decides about each file in `incoming`: see `recover`. A reader
that comes between the transaction and the move finds the file in `incoming` too.
"""

import contextlib
import errno
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

from orthanc_fast.errors import FullStorage, OrthancError, StorageFault
from orthanc_fast.storage.writeback import start_writeback

INCOMING = "incoming"
PARTIAL = ".part"
FILE_MODE = 0o644
FULL = (errno.ENOSPC, errno.EDQUOT)

# preadv with RWF_NOWAIT fails with these where the bytes would have to come from the disk.
_WOULD_WAIT = (errno.EAGAIN, errno.EOPNOTSUPP)


class StorageArea:
    """The files of one server, as one worker process (named by its `slot`) sees them."""

    def __init__(self, root: Path, slot: str, sync: bool = True) -> None:
        """Creates what is missing. Raises StorageFault if the folder cannot be written."""
        self.root = root
        self._sync = sync
        self._incoming = root / INCOMING / slot
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            probe = self._incoming / f"probe{PARTIAL}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise StorageFault(
                f"cannot write to the storage folder {root}: {error.strerror}"
            ) from error

    # Writing

    def new_partial(self) -> Path:
        """A path for an upload that is too large for memory; removed at recovery if it stays."""
        return self._incoming / f"{uuid4()}{PARTIAL}"

    def begin(self, owner: bytes, uuid: str, data: bytes | memoryview) -> "Pending":
        """Writes a file into `incoming` and starts its way to the disk; `Pending.settle` waits
        for it."""
        path = f"{self._incoming}/{owner.hex()}.{uuid}"
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            _fail(error, path)
        pending = Pending(self, path, uuid, fd, self._sync)
        try:
            _write_all(fd, data)
        except OSError as error:
            pending.abandon()
            _fail(error, path)
        if self._sync:
            start_writeback(fd)
        return pending

    def adopt(self, owner: bytes, uuid: str, partial: Path) -> "Pending":
        """The same for a file that already lies at a path given by `new_partial`."""
        path = f"{self._incoming}/{owner.hex()}.{uuid}"
        try:
            os.rename(partial, path)
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            _fail(error, partial)
        if self._sync:
            start_writeback(fd)
        return Pending(self, path, uuid, fd, self._sync)

    def publish(self, path: str, uuid: str) -> None:
        """Moves a durable file to its final place."""
        target = self.path(uuid)
        try:
            os.rename(path, target)
        except FileNotFoundError:
            inner = os.path.dirname(target)
            for folder in (os.path.dirname(inner), inner):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder)
            os.rename(path, target)

    def remove(self, uuids: list[str]) -> None:
        """Unlinks files; those that are gone already do not matter."""
        for uuid in uuids:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(uuid))

    # Reading

    def path(self, uuid: str) -> str:
        """Where the file of this UUID lies once it is published."""
        return f"{self.root}/{uuid[:2]}/{uuid[2:4]}/{uuid}"

    def open(self, uuid: str) -> int:
        """A descriptor for reading; the caller closes it. Raises OrthancError 2006 if there is
        none."""
        try:
            return os.open(self.path(uuid), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._open_unpublished(uuid)

    def readable_path(self, uuid: str) -> str:
        """A path from which the file can be sent right now. Raises OrthancError 2006."""
        path = self.path(uuid)
        if os.path.exists(path):
            return path
        for unpublished in (self.root / INCOMING).glob(f"*/*.{uuid}"):
            return str(unpublished)
        raise OrthancError(f"the file {uuid} is missing from the storage area", code=2006)

    def _open_unpublished(self, uuid: str) -> int:
        for path in (self.root / INCOMING).glob(f"*/*.{uuid}"):
            with contextlib.suppress(FileNotFoundError):
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:  # published in the meantime
            return os.open(self.path(uuid), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise OrthancError(
                f"the file {uuid} is missing from the storage area", code=2006
            ) from None

    def read(self, uuid: str, start: int = 0, size: int = -1) -> bytes:
        """`size` bytes from `start` (-1: to the end). May wait for the disk."""
        fd = self.open(uuid)
        try:
            if size < 0:
                size = os.fstat(fd).st_size - start
            return _read_all(fd, start, size)
        finally:
            os.close(fd)

    def read_if_cached(self, uuid: str, start: int, size: int) -> bytes | None:
        """As `read` where the bytes are in the page cache, None where the disk would have to be
        asked: for threads that must not wait. Both ends of the range stand for what lies
        between."""
        fd = self.open(uuid)
        try:
            if _is_cached(fd, start) and _is_cached(fd, start + size - 1):
                return _read_all(fd, start, size)
            return None
        finally:
            os.close(fd)

    def map(self, uuid: str) -> mmap.mmap:
        """The file mapped into memory, read-only; the caller closes it. Never of an empty file."""
        fd = self.open(uuid)
        try:
            return mmap.mmap(fd, 0, prot=mmap.PROT_READ)
        finally:
            os.close(fd)

    # Recovery and inspection

    def recover(
        self, belongs: Callable[[bytes, str], bool], slot: str | None = None
    ) -> tuple[int, int]:
        """Publishes or unlinks what an ended process left in `incoming` (of one slot, or of all).

        `belongs(owner, uuid)` says whether the index has the file. Returns (published, unlinked).
        """
        folder = self.root / INCOMING
        published = unlinked = 0
        for path in sorted(folder.glob(f"{slot or '*'}/*")):
            owner, _, uuid = path.name.partition(".")
            if not path.name.endswith(PARTIAL) and belongs(bytes.fromhex(owner), uuid):
                self.publish(str(path), uuid)
                published += 1
            else:
                path.unlink(missing_ok=True)
                unlinked += 1
        return published, unlinked

    def files(self) -> Iterator[str]:
        """The UUIDs of all published files."""
        for outer in _hexadecimal_folders(self.root):
            for inner in _hexadecimal_folders(outer):
                for entry in os.scandir(inner):
                    yield entry.name

    def size(self, uuid: str) -> int | None:
        """Bytes of a published file, None if it is missing."""
        try:
            return os.stat(self.path(uuid)).st_size
        except FileNotFoundError:
            return None


class Pending:
    """A file in `incoming` that is not durable yet."""

    __slots__ = ("_area", "_fd", "_path", "_sync", "uuid")

    def __init__(self, area: StorageArea, path: str, uuid: str, fd: int, sync: bool) -> None:
        self._area = area
        self._path = path
        self._fd = fd
        self._sync = sync
        self.uuid = uuid

    def settle(self) -> None:
        """Returns once the bytes and the name are on the disk."""
        try:
            if self._sync:
                os.fdatasync(self._fd)
        except OSError as error:
            _fail(error, self._path)
        finally:
            self._close()

    def publish(self) -> None:
        """Moves the file to its final place, after the index knows it."""
        self._area.publish(self._path, self.uuid)

    def abandon(self) -> None:
        """Removes the file: the index does not know it and never will."""
        self._close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _write_all(fd: int, data: bytes | memoryview) -> None:
    written = os.write(fd, data)
    if written < len(data):
        view = memoryview(data)
        while written < len(view):
            written += os.write(fd, view[written:])


def _read_all(fd: int, start: int, size: int) -> bytes:
    data = os.pread(fd, size, start)
    if len(data) < size and len(data) > 0:
        parts = [data]
        done = len(data)
        while done < size and (more := os.pread(fd, size - done, start + done)):
            parts.append(more)
            done += len(more)
        data = b"".join(parts)
    return data


def _is_cached(fd: int, offset: int) -> bool:
    try:
        return os.preadv(fd, [bytearray(1)], max(offset, 0), os.RWF_NOWAIT) == 1
    except OSError as error:
        if error.errno in _WOULD_WAIT:
            return False
        raise


def _hexadecimal_folders(folder: Path | os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    for entry in os.scandir(folder):
        if len(entry.name) == 2 and all(c in "0123456789abcdef" for c in entry.name):
            yield entry


def _fail(error: OSError, path: str | Path) -> NoReturn:
    if error.errno in FULL:
        raise FullStorage(f"no space left for {path}", http_status=507) from error
    raise StorageFault(f"cannot write {path}: {error.strerror}") from error
