"""The file that says what of the index is on the disk for certain: to what a start after a power
cut goes back before it repeats the journal.

LMDB never changes a page that its last snapshots use: it writes new ones, and at the end one of the
two meta pages at the start of its file, which name the root. A checkpoint holds these two
pages as they were; written back, they bring back the snapshot, whatever was written to the other
pages since then, as long as a reader of that snapshot has kept LMDB from using its pages again.
"""

import os
from pathlib import Path

import msgspec
import xxhash

from orthanc_fast.errors import StorageFault
from orthanc_fast.index.ring import fault, sync_folder

_FILE = "checkpoint"
_DATA = "data.mdb"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_CHECKSUM = 8


class Checkpoint(msgspec.Struct, array_like=True, frozen=True):
    """`boot` names the run of the machine that wrote it. `clean`: nothing was written to the index
    after it, so there is nothing to go back to."""

    boot: str
    clean: bool
    metas: bytes


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Checkpoint)


def boot_id() -> str | None:
    """What changes whenever the machine starts; None where the system does not tell."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return None


def read_metas(folder: Path, page_size: int) -> bytes:
    """The meta pages of the index as they are; no write may end meanwhile."""
    with (folder / _DATA).open("rb") as file:
        return file.read(2 * page_size)


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Returns when it has replaced the one before, durably. Raises FullStorage or StorageFault."""
    path = folder / _FILE
    data = _encode(checkpoint)
    new = path.with_suffix(".new")
    try:
        with new.open("wb", buffering=0) as file:
            file.write(xxhash.xxh3_64_digest(data) + data)
            os.fsync(file.fileno())
        os.replace(new, path)
        sync_folder(folder)
    except OSError as error:
        raise fault(error, path) from error


def load(folder: Path) -> Checkpoint | None:
    """The last one that was saved; None for an index that never had one. Raises StorageFault."""
    path = folder / _FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise fault(error, path) from error
    checksum, data = data[:_CHECKSUM], data[_CHECKSUM:]
    if xxhash.xxh3_64_digest(data) != checksum:
        raise StorageFault(f"{path} is damaged: restore the index folder from a backup")
    return _decoder.decode(data)


def forget(folder: Path) -> None:
    """The index is about to be written without a journal."""
    (folder / _FILE).unlink(missing_ok=True)


def go_back(folder: Path, checkpoint: Checkpoint) -> None:
    """Makes the snapshot of a checkpoint the present one; nobody may have the index open.
    Raises StorageFault."""
    path = folder / _DATA
    try:
        with path.open("r+b", buffering=0) as file:
            file.write(checkpoint.metas)
            os.fsync(file.fileno())
    except OSError as error:
        raise fault(error, path) from error
