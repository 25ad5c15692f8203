"""The folder of a backup: the files of all generations once, and for each generation an index with
the list of the files that it needs.

    files/<u0u1>/<u2u3>/<uuid>              as in a storage area
    generations/<date>/data.mdb             the index
    generations/<date>/files                one record for each file: see `FileRecord`
    generations/<date>/manifest.json        see `Manifest`; what has none is not complete
    lock                                    one backup at a time
"""

import fcntl
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
import xxhash

from orthanc_fast.errors import BadFileFormat, IncompatibleDatabase, InexistentItem, StorageFault
from orthanc_fast.model import Attachment
from orthanc_fast.services.store.opening import INDEX_FILE, open_backup

FORMAT: Final = 1
FILES: Final = "files"
MANIFEST: Final = "manifest.json"
_PARTIAL: Final = ".partial"
_RECORD: Final = struct.Struct("<16s20s16s16sqqBB")
_STEP: Final = 4 << 20
_NAME: Final = "%Y%m%dT%H%M%SZ"


class FileRecord(NamedTuple):
    """A file of a generation: whose it is, and what its content must be."""

    owner: bytes
    attachment: Attachment

    def packed(self) -> bytes:
        """As the list of files holds it."""
        each = self.attachment
        return _RECORD.pack(
            UUID(each.uuid).bytes,
            self.owner,
            each.digest,
            bytes.fromhex(each.md5 or ""),
            each.size,
            each.stored_size,
            each.compressed,
            each.md5 is not None,
        )


def _unpacked(record: tuple[bytes, bytes, bytes, bytes, int, int, int, int]) -> FileRecord:
    uuid, owner, digest, md5, size, stored_size, compressed, has_md5 = record
    digest = digest if any(digest) else b""
    attachment = Attachment(
        str(UUID(bytes=uuid)),
        size,
        stored_size,
        bool(compressed),
        digest,
        md5.hex() if has_md5 else None,
    )
    return FileRecord(owner, attachment)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A generation that is complete. Checksums are XXH3-128 in hexadecimal; `missing` are files
    that the store itself had lost."""

    format: int = FORMAT
    program: str
    created: str
    instances: int
    files: int
    bytes: int
    index_checksum: str
    files_checksum: str
    missing: list[str] = []


class Repository:
    """The folder of a backup, opened by one program at a time."""

    def __init__(self, folder: Path, create: bool) -> None:
        """Raises InexistentItem where there is none and none is to be made, StorageFault where
        another program uses it or it cannot be written."""
        self.folder = folder
        self._generations = folder / "generations"
        if not create and not self._generations.is_dir():
            raise InexistentItem("there is no backup in this folder", private=folder)
        try:
            self._generations.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageFault(
                f"cannot write to the folder of the backup: {error.strerror}", private=folder
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise StorageFault("another program uses the backup", private=folder) from None
        self.storage = open_backup(folder / FILES)
        self.storage.recover(lambda owner, uuid: False)  # what was interrupted
        for left in self._generations.glob(f"*{_PARTIAL}"):
            shutil.rmtree(left)

    def close(self) -> None:
        os.close(self._lock)

    def __enter__(self) -> "Repository":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # Generations

    def names(self) -> list[str]:
        """The complete ones, oldest first."""
        return sorted(
            path.parent.name
            for path in self._generations.glob(f"*/{MANIFEST}")
            if path.parent.suffix != _PARTIAL
        )

    def begin(self) -> "Generation":
        """A new one, which `finish` makes complete."""
        now = int(time.time())
        taken = set(self.names())
        while (name := time.strftime(_NAME, time.gmtime(now))) in taken:
            now += 1
        folder = self._generations / f"{name}{_PARTIAL}"
        folder.mkdir()
        return Generation(folder, name)

    def finish(self, generation: "Generation", manifest: Manifest) -> None:
        """All of it is durable before it has its name. Raises StorageFault."""
        data = msgspec.json.format(msgspec.json.encode(manifest))
        (generation.folder / MANIFEST).write_bytes(data + b"\n")
        self.storage.sync()
        os.rename(generation.folder, self._generations / generation.name)
        self.storage.sync()

    def generation(self, name: str | None) -> "Generation":
        """The one of this name, None: the last one. Raises InexistentItem."""
        names = self.names()
        if name is None and names:
            name = names[-1]
        if name not in names:
            known = ", ".join(names) or "none"
            raise InexistentItem(f"there is no generation {name}; there are: {known}")
        assert name is not None
        return Generation(self._generations / name, name)

    def forget(self, keep: int) -> tuple[list[str], int]:
        """Removes all generations but the last `keep` (0: none), then the files that none needs,
        also of what was interrupted before; the names, and how many files."""
        if not keep:
            return [], 0
        names = self.names()[:-keep]
        for name in names:
            folder = self._generations / f"{name}{_PARTIAL}"
            (self._generations / name).rename(folder)  # from here on it is not complete
            shutil.rmtree(folder)
        kept = [self.generation(name) for name in self.names()]
        removed = 0
        for digit in range(256):  # so that not all names are in memory
            start = f"{digit:02x}"
            needed = {
                record.attachment.uuid
                for generation in kept
                for record in generation.records(start)
            }
            gone = [u for u in self.storage.listing() if u.startswith(start) and u not in needed]
            self.storage.delete(gone)
            removed += len(gone)
        return names, removed


class Generation:
    """One backup of the store."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name

    @property
    def index(self) -> Path:
        """The file of the index."""
        return self.folder / INDEX_FILE

    def manifest(self) -> Manifest:
        """Raises BadFileFormat, IncompatibleDatabase where a newer program made it."""
        path = self.folder / MANIFEST
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except (msgspec.DecodeError, OSError) as error:
            raise BadFileFormat(
                "the manifest cannot be read", private=f"{path}: {error}"
            ) from error
        if found.format > FORMAT:
            raise IncompatibleDatabase(
                f"the backup has format {found.format}, this program reads format {FORMAT}: use "
                "the newer program that made it",
                private=self.folder,
            )
        return found

    def write_files(self, records: Iterable[FileRecord]) -> None:
        """The list of files, as it comes."""
        with (self.folder / FILES).open("wb") as file:
            for record in records:
                file.write(record.packed())

    def records(self, start: str = "") -> Iterator[FileRecord]:
        """The list of files; only those whose UUID begins with two digits, if they are given."""
        wanted = bytes.fromhex(start)
        step = _RECORD.size * 4096
        with (self.folder / FILES).open("rb") as file:
            while part := file.read(step):
                for record in _RECORD.iter_unpack(part):
                    if record[0].startswith(wanted):
                        yield _unpacked(record)

    def checksums(self) -> tuple[str, str]:
        """Of the index and of the list of files, as they are."""
        return checksum(self.index), checksum(self.folder / FILES)


def checksum(path: Path, told: Callable[[bytes], None] = lambda part: None) -> str:
    """XXH3-128 of a file, whose parts are told on the way."""
    hashed = xxhash.xxh3_128()
    with path.open("rb") as file:
        while part := file.read(_STEP):
            hashed.update(part)
            told(part)
    return hashed.hexdigest()
