"""The file that says what of the index is on the disk for certain: to what a start goes back before
it repeats the journal.

LMDB never changes a page that its last snapshots use: it writes new ones, and at the end one of the
two meta pages at the start of its file, which name the root. A checkpoint holds these two
pages as they were; written back, they bring back the snapshot, whatever was written to the other
pages since then, as long as a reader of that snapshot has kept LMDB from using its pages again.

    file    two slots, written in turn, in place: a full disk does not keep a checkpoint from being
            made, which is what frees space
    slot    checksum:8 number:8 size:4 the checkpoint as MessagePack      (little endian)
"""

import os
import struct
from pathlib import Path

import msgspec
import xxhash

from orthanc_fast.errors import StorageFault
from orthanc_fast.index.lmdb.disk import create_as_owner, fault, sync, sync_folder, write_all

_FILE = "checkpoint"
_DATA = "data.mdb"
_SLOT = 256 << 10  # two pages of up to 64 KB, and more than the rest takes
_HEADER = struct.Struct("<QQI")
_CHECKSUM = 8


class Checkpoint(msgspec.Struct, array_like=True, frozen=True):
    """`clean`: nothing was written to the index after it, so there is nothing to go back to."""

    clean: bool
    metas: bytes


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Checkpoint)


def read_metas(folder: Path, page_size: int) -> bytes:
    """The meta pages of the index as they are; no write may end meanwhile. Raises StorageFault."""
    path = folder / _DATA
    try:
        with path.open("rb") as file:
            return file.read(2 * page_size)
    except OSError as error:
        raise fault(error, path) from error


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Returns when it has replaced the one before, durably. Raises FullStorage or StorageFault;
    SyncFailed if one cannot tell what the disk has of it."""
    path = folder / _FILE
    number = _newest(path)[0] + 1
    data = _encode(checkpoint)
    rest = _HEADER.pack(0, number, len(data))[_CHECKSUM:] + data
    slot = xxhash.xxh3_64_digest(rest) + rest
    try:
        if number == 1:
            _create(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            write_all(descriptor, slot, number % 2 * _SLOT)
            sync(descriptor, path)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise fault(error, path) from error


def _create(path: Path) -> None:
    """Both slots, with nothing in them."""
    new = path.with_suffix(".new")
    descriptor = create_as_owner(new, os.O_WRONLY)
    try:
        write_all(descriptor, bytes(2 * _SLOT), 0)
        sync(descriptor, new)
    finally:
        os.close(descriptor)
    os.replace(new, path)
    sync_folder(path.parent)


def load(folder: Path) -> Checkpoint | None:
    """The last one that was saved; None for an index that never had one. Raises StorageFault."""
    return _newest(folder / _FILE)[1]


def _newest(path: Path) -> tuple[int, Checkpoint | None]:
    try:
        with path.open("rb") as file:
            content = file.read()
    except FileNotFoundError:
        return 0, None
    except OSError as error:
        raise fault(error, path) from error
    found: list[tuple[int, Checkpoint]] = []
    for start in (0, _SLOT):
        slot = content[start : start + _SLOT]
        if len(slot) < _SLOT:
            continue
        _, number, size = _HEADER.unpack_from(slot)
        end = _HEADER.size + size
        if number and xxhash.xxh3_64_digest(slot[_CHECKSUM:end]) == slot[:_CHECKSUM]:
            found.append((number, _decoder.decode(slot[_HEADER.size : end])))
    if found:
        return max(found, key=lambda each: each[0])
    if any(content[:_SLOT]) and any(content[_SLOT:]):
        raise StorageFault(
            "the checkpoint is damaged: restore the index folder from a backup", private=path
        )
    return 0, None


def forget(folder: Path) -> None:
    """The index is about to be written without a journal. Raises StorageFault if the last
    checkpoint is needed: what follows it is in the journal alone."""
    path = folder / _FILE
    last = load(folder)
    if last is None:
        return
    if not last.clean:
        raise StorageFault(
            "the index was not closed: start and stop the server once before", private=folder
        )
    try:
        path.unlink()
        sync_folder(folder)
    except OSError as error:
        raise fault(error, path) from error


def go_back(folder: Path, checkpoint: Checkpoint) -> None:
    """Makes the snapshot of a checkpoint the present one; nobody may have the index open.
    Raises StorageFault."""
    path = folder / _DATA
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            write_all(descriptor, checkpoint.metas, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise fault(error, path) from error
