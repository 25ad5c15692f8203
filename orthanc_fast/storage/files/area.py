"""The storage area: where the bytes live, one plain file per attachment, laid out as Orthanc
lays them out.

    <root>/<u0u1>/<u2u3>/<uuid>              files that the index knows
    <root>/incoming/<slot>/<owner>.<uuid>    files on their way: written and synced before the index
                                             transaction, moved to their place after it

Small files are not synced where the journal of the index has their bytes: see `rely_on_journal`.
`slot` names the worker process that writes, `owner` is the hexadecimal identifier of the resource.
After a crash the index decides about each file in `incoming`: see `recover`. A reader that comes
between the transaction and the move finds the file in `incoming` too.
"""

import contextlib
import errno
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

from orthanc_fast._ext.durable import (
    kind_of_file_system,
    move_files,
    remove_files,
    sync_file_system,
    write_files,
)
from orthanc_fast.errors import (
    DISK_FULL,
    FullStorage,
    OrthancError,
    ParameterOutOfRange,
    StorageFault,
)

INCOMING = "incoming"
PARTIAL = ".part"

# Files of up to this many bytes go into the journal instead of being synced, as long as a group has
# not more than that together: larger ones would be written twice for little.
JOURNALED_FILE = 128 << 10
JOURNALED_GROUP = 4 << 20

# File systems of which a checkpoint makes all files durable at once (the numbers of statfs): ext4,
# XFS, Btrfs, F2FS, bcachefs, ZFS, overlay, tmpfs. On others each file is synced.
SYNCED_WHOLE = frozenset(
    (
        0xEF53,
        0x58465342,
        0x9123683E,
        0xF2F52010,
        0xCA451A4E,
        0x2FC12FC1,
        0x794C7630,
        0x01021994,
    )
)

BEYOND_END = "Reading beyond the end of a file"

Content = bytes | bytearray | memoryview | mmap.mmap

# preadv with RWF_NOWAIT fails with these where the bytes would have to come from the disk.
_WOULD_WAIT = (errno.EAGAIN, errno.EOPNOTSUPP)


class StorageArea:
    """The files of one server, as one worker process (named by its `slot`) sees them."""

    def __init__(self, root: Path, slot: str, sync: bool = True) -> None:
        """Creates what is missing. Raises StorageFault if the folder cannot be written."""
        self.root = root
        self.is_journaled = False
        self._sync = sync
        self._incoming = root / INCOMING / slot
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            probe = self._incoming / f"probe{PARTIAL}"
            probe.write_bytes(b"")
            probe.unlink()
            # Kept open: the system tells each descriptor once of what it could not write.
            self._folder = _Folder(root)
        except OSError as error:
            raise StorageFault(
                f"cannot write to the storage folder: {error.strerror}", private=root
            ) from error

    def rely_on_journal(self) -> None:
        """From now on `write` leaves small files to the journal of the index (`Pending.journaled`),
        where that is as safe."""
        self.is_journaled = self._sync and kind_of_file_system(self._folder.fd) in SYNCED_WHOLE

    # Writing

    def new_partial(self) -> Path:
        """A path for an upload that is too large for memory; removed at recovery if it stays."""
        return self._incoming / f"{uuid4()}{PARTIAL}"

    def new_file(
        self, owner: bytes, uuid: str, data: Content | None, partial: Path | None = None
    ) -> "Pending":
        """A file of the resource `owner`, to be written with others by `write`; either from `data`
        or from a file that `new_partial` named. Touches no disk."""
        path = f"{self._incoming}/{owner.hex()}.{uuid}"
        is_small = self.is_journaled and data is not None and len(data) <= JOURNALED_FILE
        return Pending(uuid, path, self.path(uuid), data, partial, is_small)

    def write(self, files: "list[Pending]") -> list[OrthancError | None]:
        """Writes files into `incoming`; returns, with the error of each, when all are on the disk
        that are not `journaled`: those the index must get together with their entry."""
        room = JOURNALED_GROUP
        for file in files:
            if file.partial is not None:
                os.rename(file.partial, file.path)
            elif file.is_small and file.data is not None and len(file.data) <= room:
                file.journaled = True
                room -= len(file.data)
        paths = [os.fsencode(file.path) for file in files]
        syncs = [self._sync and not file.journaled for file in files]
        numbers = write_files(paths, [file.data for file in files], syncs)
        return [
            _error(number, file.path) if number else None
            for number, file in zip(numbers, files, strict=True)
        ]

    def publish(self, files: "list[Pending]") -> None:
        """Moves durable files to their final places, after the index knows them."""
        sources = [os.fsencode(file.path) for file in files]
        targets = [os.fsencode(file.target) for file in files]
        for number, file in zip(move_files(sources, targets), files, strict=True):
            if number:
                raise _error(number, file.target)

    def abandon(self, files: "list[Pending]") -> None:
        """Removes files that the index does not know and never will."""
        remove_files([os.fsencode(file.path) for file in files])

    def remove(self, uuids: list[str]) -> None:
        """Unlinks published files; those that are gone already do not matter."""
        if uuids:
            remove_files([os.fsencode(self.path(uuid)) for uuid in uuids])

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

    def parts(self, uuid: str, start: int, size: int, step: int) -> Iterator[bytes]:
        """The same in parts of up to `step` bytes. Raises ParameterOutOfRange, before the
        first, if the file does not have so many bytes."""
        fd = self.open(uuid)
        try:
            if os.fstat(fd).st_size < start + size:
                raise ParameterOutOfRange(BEYOND_END)
            while size > 0:
                part = os.pread(fd, min(step, size), start)
                if not part:
                    raise ParameterOutOfRange(BEYOND_END)
                yield part
                start += len(part)
                size -= len(part)
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

    def sync(self) -> None:
        """Returns when all files are on the disk. Raises StorageFault or FullStorage."""
        if self._sync:
            try:
                sync_file_system(self._folder.fd)
            except OSError as error:
                raise _error(error.errno or 0, str(self.root)) from error

    def restore(self, name: str, data: Content) -> None:
        """Publishes what `Pending.name` names in `incoming` with these bytes, durably, over what
        there may be of it. Raises StorageFault or FullStorage."""
        path = self.root / INCOMING / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _error(error.errno or 0, str(path)) from error
        (number,) = write_files([os.fsencode(path)], [data], [True])
        if number:
            raise _error(number, str(path))
        uuid = path.name.partition(".")[2]
        self.publish([Pending(uuid, str(path), self.path(uuid), None, None)])

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
                self.publish([Pending(uuid, str(path), self.path(uuid), None, None)])
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


class _Folder:
    """A descriptor of a folder that lives as long as its storage area."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        os.close(self.fd)


class Pending:
    """A file on its way: where it is written first, and where it will lie. `is_small`: it may be
    left to the journal; `journaled`: it was, so the index must get its bytes."""

    __slots__ = ("data", "is_small", "journaled", "partial", "path", "target", "uuid")

    def __init__(
        self,
        uuid: str,
        path: str,
        target: str,
        data: Content | None,
        partial: Path | None,
        is_small: bool = False,
    ) -> None:
        self.uuid = uuid
        self.path = path
        self.target = target
        self.data = data
        self.partial = partial
        self.is_small = is_small
        self.journaled = False

    @property
    def name(self) -> str:
        """Of the file below `incoming`."""
        return "/".join(self.path.split("/")[-2:])


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


def _error(number: int, path: str) -> OrthancError:
    if number in DISK_FULL:
        return FullStorage("no space left for the file", private=path, http_status=507)
    return StorageFault(f"cannot write the file: {os.strerror(number)}", private=path)
