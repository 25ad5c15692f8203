"""The storage area: where the bytes live, one plain file per attachment, laid out as Orthanc
lays them out.

    <root>/<u0u1>/<u2u3>/<uuid>              files that the index knows
    <root>/incoming/<slot>/<owner>.<uuid>    files on their way: written and synced before the index
                                             transaction, moved to their place after it

Small files are not synced where a carrier has their bytes: see `Storage.rely_on_carrier`. Folders
that somebody removes beside the running server are made again; the two above a file go with the
last file in them.
`slot` names the worker process that writes, `owner` is the hexadecimal identifier of the resource.
After a crash the index decides about each file in `incoming`: see `recover`. A reader that comes
between the transaction and the move finds the file in `incoming` too.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from orthanc_fast._ext.durable import (
    Syncs,
    kind_of_file_system,
    move_files,
    remove_files,
    sync_file_system,
    write_files,
)
from orthanc_fast.errors import OrthancError, StorageFault
from orthanc_fast.model import SendablePath
from orthanc_fast.storage.arriving import Body
from orthanc_fast.storage.contract import (
    CARRIED_FILE,
    Content,
    Fetched,
    Pending,
    Spool,
    Storage,
    missing,
    owner_and_uuid,
)
from orthanc_fast.storage.files.chunks import ChunkedFiles
from orthanc_fast.storage.files.copying import HOLD, copy_file, held, is_held
from orthanc_fast.storage.files.faults import fault
from orthanc_fast.storage.files.handle import FileHandle
from orthanc_fast.storage.files.spool import PARTIAL, FileSpool

INCOMING = "incoming"

CARRIED_GROUP = 4 << 20  # bytes of a group that are left to the carrier, at most

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

_LEVELS = 2  # folders above a published file
_FOLDER = re.compile(r"[0-9a-f]{2}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def place_of(root: Path) -> Callable[[str], str]:
    """Where the file of each UUID lies below a folder once it is published: as Orthanc has it."""
    prefix = f"{root}/"  # a path is text wherever it is made for one file
    return lambda uuid: f"{prefix}{uuid[:2]}/{uuid[2:4]}/{uuid}"


class FilePending(Pending):
    """One whose bytes may lie in the file of a spool: in `partial`, until they are moved to their
    place."""

    __slots__ = ("partial",)

    def __init__(
        self,
        owner: bytes,
        uuid: str,
        name: str,
        content: Content | Path,
        may_be_carried: bool,
        is_cold: bool,
    ) -> None:
        data = None if isinstance(content, Path) else content
        super().__init__(owner, uuid, name, data, may_be_carried, is_cold)
        self.partial = content if isinstance(content, Path) else None

    def drop(self) -> None:
        if self.partial is not None:
            self.partial.unlink(missing_ok=True)
            self.partial = None


class StorageArea(Storage):
    """The files of one server, as one worker process (named by its `slot`) sees them."""

    def __init__(self, root: Path, slot: str, sync: bool = True) -> None:
        """Creates what is missing. Raises StorageFault if the folder cannot be written."""
        self.root = root
        self._prefix = f"{root}/"  # a path is text wherever it is made for one file
        self._relies_on_carrier = False
        self._together = Syncs()
        self._slot = slot
        self._sync = sync
        self._incoming = root / INCOMING / slot
        self._hold = root / INCOMING / HOLD
        self._chunks = ChunkedFiles(root / INCOMING / "chunks", self._new_partial)
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

    def rely_on_carrier(self) -> None:
        kind = kind_of_file_system(self._folder.fd)
        self._relies_on_carrier = self._sync and kind in SYNCED_WHOLE

    # Writing

    def new_spool(self) -> FileSpool:
        return FileSpool(self._new_partial())

    def _new_partial(self) -> Path:
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise fault(error.errno, self._incoming, "the body") from error
        return self._incoming / f"{uuid4()}{PARTIAL}"

    def gather(self, name: str, size: int, chunk: Body) -> Body | None:
        return self._chunks.add(name, size, chunk)

    def new_file(
        self, owner: bytes, uuid: str, content: Content | Spool, is_cold: bool = False
    ) -> FilePending:
        """Spools of other storages raise TypeError."""
        name = f"{self._slot}/{owner.hex()}.{uuid}"
        if isinstance(content, Content):
            is_small = self._relies_on_carrier and len(content) <= CARRIED_FILE
            return FilePending(owner, uuid, name, content, is_small, is_cold)
        if not isinstance(content, FileSpool):
            raise TypeError(f"{type(content).__name__} is no spool of this storage")
        return FilePending(owner, uuid, name, content.release(), False, is_cold)

    def put(self, files: Sequence[Pending]) -> list[OrthancError | None]:
        """Writes files into `incoming`."""
        began = perf_counter()
        room, moved = CARRIED_GROUP, 0
        paths = [self._unpublished(file.name) for file in files]
        errors: dict[str, OrthancError] = {}
        for file, path in zip(files, paths, strict=True):
            if isinstance(file, FilePending) and file.partial is not None:
                try:
                    moved += file.partial.stat().st_size
                    os.rename(file.partial, path)
                    file.partial = None
                except OSError as error:
                    errors[path] = fault(error.errno, path)
            elif file.may_be_carried and file.data is not None and len(file.data) <= room:
                file.is_carried = True
                room -= len(file.data)
        syncs = [self._sync and not file.is_carried for file in files]
        numbers = write_files(
            [os.fsencode(path) for path in paths],
            [file.data for file in files],
            syncs,
            [file.is_cold and sync for file, sync in zip(files, syncs, strict=True)],
            self._together,
        )
        size = sum(len(file.data) for file in files if file.data is not None)
        self.meters.created(size + moved, perf_counter() - began)
        return [
            errors.get(path) or (fault(number, path) if number else None)
            for number, path in zip(numbers, paths, strict=True)
        ]

    def publish(self, files: Sequence[Pending]) -> None:
        """Moves durable files to their final places."""
        self._publish([(file.name, file.uuid) for file in files])

    def _publish(self, files: Sequence[tuple[str, str]]) -> None:
        sources = [os.fsencode(self._unpublished(name)) for name, _ in files]
        targets = [os.fsencode(self.path(uuid)) for _, uuid in files]
        for number, target in zip(move_files(sources, targets), targets, strict=True):
            if number:
                raise fault(number, os.fsdecode(target))

    def abandon(self, files: Sequence[Pending]) -> None:
        remove_files([os.fsencode(self._unpublished(file.name)) for file in files], 0)
        for file in files:
            file.drop()

    def delete(self, uuids: Sequence[str]) -> bool:
        """Unlinks published files, and the folders that this leaves empty."""
        if not uuids:
            return True
        if is_held(self._hold):
            return False
        began = perf_counter()
        remove_files([os.fsencode(self.path(uuid)) for uuid in uuids], _LEVELS)
        self.meters.removed(perf_counter() - began)
        return True

    def hold(self) -> contextlib.AbstractContextManager[None]:
        return held(self._hold)

    def fetch(self, uuids: Sequence[str], source: Storage, may_link: bool) -> Fetched:
        """All are durable before the first has its name: no name stands for half a file."""
        partials: list[tuple[Path, str]] = []
        lost: list[str] = []
        links = 0
        for uuid in uuids:
            partial = self._new_partial()
            try:
                if may_link and isinstance(source, StorageArea) and source.link(uuid, partial):
                    links += 1
                else:
                    with source.open(uuid) as handle:
                        copy_file(handle, partial)
            except OSError as error:
                raise fault(error.errno, partial) from error
            except OrthancError:
                lost.append(uuid)
                continue
            partials.append((partial, uuid))
        self._sync_all()
        for partial, uuid in partials:
            place = self.path(uuid)
            try:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                os.rename(partial, place)
                partial.unlink(missing_ok=True)  # of two links to one file both stay
            except OSError as error:
                raise fault(error.errno, place) from error
        return Fetched(lost, links)

    def link(self, uuid: str, target: Path) -> bool:
        """Gives a file of this area another name; False where that cannot be. Raises OrthancError
        2006 if there is no such file."""
        for _ in range(2):  # it may be published between two looks
            for path in (Path(self.path(uuid)), *(self.root / INCOMING).glob(f"*/*.{uuid}")):
                try:
                    os.link(path, target)
                    return True
                except FileNotFoundError:
                    continue
                except OSError:  # another file system, or one that is not ours to link
                    return False
        raise missing(uuid)

    # Reading

    def path(self, uuid: str) -> str:
        """Where the file of this UUID lies once it is published."""
        return f"{self._prefix}{uuid[:2]}/{uuid[2:4]}/{uuid}"

    def _unpublished(self, name: str) -> str:
        return f"{self._prefix}{INCOMING}/{name}"

    def open(self, uuid: str) -> FileHandle:
        return FileHandle(self._open(uuid), self.meters)

    def _open(self, uuid: str) -> int:
        try:
            return os.open(self.path(uuid), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            pass
        for path in (self.root / INCOMING).glob(f"*/*.{uuid}"):
            with contextlib.suppress(FileNotFoundError):
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:  # published in the meantime
            return os.open(self.path(uuid), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise missing(uuid) from None

    def size(self, uuid: str) -> int | None:
        try:
            return os.stat(self.path(uuid)).st_size
        except FileNotFoundError:
            return None

    def written(self, uuid: str) -> int | None:
        try:
            return os.stat(self.path(uuid)).st_mtime_ns
        except FileNotFoundError:
            return None

    def listing(self) -> Iterator[str]:
        """Files that lie elsewhere than they would, or have other names, are not ours."""
        for outer in _hexadecimal_folders(self.root):
            for inner in _hexadecimal_folders(outer):
                start = outer.name + inner.name
                for entry in _entries(inner):
                    if entry.name.startswith(start) and _UUID.fullmatch(entry.name):
                        yield entry.name

    def sendable(self, uuid: str) -> SendablePath:
        path = self.path(uuid)
        if os.path.exists(path):
            return SendablePath(path)
        for unpublished in (self.root / INCOMING).glob(f"*/*.{uuid}"):
            return SendablePath(str(unpublished))
        raise missing(uuid)

    # After a crash

    def sync(self) -> None:
        if self._sync:
            self._sync_all()

    def _sync_all(self) -> None:
        try:
            sync_file_system(self._folder.fd)
        except OSError as error:
            raise fault(error.errno, str(self.root)) from error

    def restore(self, name: str, data: Content) -> None:
        path = Path(self._unpublished(name))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
        except OSError as error:
            raise fault(error.errno, str(path)) from error
        (number,) = write_files([os.fsencode(path)], [data], [True])
        if number:
            raise fault(number, str(path))
        self._publish([(name, path.name.partition(".")[2])])

    def recover(
        self, belongs: Callable[[bytes, str], bool | None], slot: str | None = None
    ) -> tuple[int, int]:
        """What lies in `incoming`; files with names that we do not give stay where they are."""
        folder = self.root / INCOMING
        published = removed = 0
        for path in sorted(folder.glob(f"{slot or '*'}/*")):
            found = owner_and_uuid(path.name)
            decision = False if found is None else belongs(*found)
            if found is not None and decision:
                self._publish([(f"{path.parent.name}/{path.name}", found[1])])
                published += 1
            elif decision is None:
                continue
            elif found is not None or path.name.endswith(PARTIAL):
                path.unlink(missing_ok=True)
                removed += 1
        return published, removed


class _Folder:
    """A descriptor of a folder that lives as long as its storage area."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        os.close(self.fd)


def _entries(folder: Path | os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    """Of a folder that went meanwhile with the last file in it: none."""
    with contextlib.suppress(FileNotFoundError):
        yield from os.scandir(folder)


def _hexadecimal_folders(folder: Path | os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    for entry in _entries(folder):
        if _FOLDER.fullmatch(entry.name) and entry.is_dir():
            yield entry
