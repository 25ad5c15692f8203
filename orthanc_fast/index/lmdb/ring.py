"""The file that holds the journal: a ring of records, written directly to the disk.

    record    header payload, filled up with zeros to a multiple of 4096 bytes
    header    magic:8 ring:16 tail:8 length of payload:8 checksum:8      (little endian)

A position counts bytes since the ring was made and never goes back: `position % size` is the place
in the file. A record begins at the tail, where the last one ended. One that does not fit before the
end of the file begins at its start; at the tail there is a record of one block then that says so
(magic "wrap"). Reading stops where no record names this ring and this tail with the right checksum:
what earlier rounds left does not, nor does a record that was cut off; and what a failed write left
at the tail is overwritten by whatever comes next.
"""

import errno
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import xxhash

from orthanc_fast.index.lmdb.disk import create_as_owner, fault, sync_folder

BLOCK = 4096
_MAGIC = b"OFASTJ02"
_WRAP = b"OFASTJ2W"
_HEADER = struct.Struct("<8s16sQQQ")
_UNCHECKED = struct.Struct("<8s16sQQ")  # the header without its checksum
_ZEROS = bytes(1 << 20)

# What the buffer for one write keeps between writes.
_KEPT_BUFFER = 1 << 20

# Linux has what the ring is written with.
CAN_WRITE_THROUGH = hasattr(os, "O_DIRECT") and hasattr(os, "RWF_DSYNC")

_NOT_SUPPORTED = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)


def create(path: Path, size: int) -> bytes:
    """Makes a ring of `size` bytes, all of them on the disk, and returns its 16-byte name.

    Written out because a write into a part of a file that was never written changes the file
    system's own tables too, which costs a second flush. Raises FullStorage or StorageFault.
    """
    new = path.with_suffix(".new")
    try:
        descriptor = create_as_owner(new, os.O_WRONLY | os.O_TRUNC)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for start in range(0, size, len(_ZEROS)):
                file.write(_ZEROS[: size - start])
            os.fsync(descriptor)
        os.replace(new, path)
        sync_folder(path.parent)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise fault(error, path) from error
    return uuid4().bytes


class Ring:
    """An open ring of one process; not safe for use from several threads or processes at a time."""

    def __init__(self, path: Path, name: bytes) -> None:
        """Raises StorageFault if the file cannot be opened."""
        self.name = name
        self._path = path
        self._buffer = mmap.mmap(-1, BLOCK)  # aligned, as direct writing wants it
        self._direct = True
        try:
            self._fd = self._open(os.O_DIRECT)
            self.size = os.fstat(self._fd).st_size
        except OSError as error:
            raise fault(error, path) from error

    def _open(self, flags: int) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CLOEXEC | flags)
        except OSError as error:
            if not flags or error.errno not in _NOT_SUPPORTED:
                raise
            self._direct = False
            return os.open(self._path, os.O_RDWR | os.O_CLOEXEC)

    def write(self, tail: int, payload: bytes) -> int:
        """Writes a record after the one that ended at `tail`, and returns where it ends itself once
        it is on the disk. Raises FullStorage or StorageFault."""
        position = tail
        if tail % self.size + _padded(len(payload)) > self.size:
            self._write_at(tail, _WRAP, tail, b"")
            position += self.size - tail % self.size
        self._write_at(position, _MAGIC, tail, payload)
        return position + _padded(len(payload))

    def _write_at(self, position: int, magic: bytes, tail: int, payload: bytes) -> None:
        length = _padded(len(payload))
        if len(self._buffer) < length:
            self._buffer = mmap.mmap(-1, length)
        buffer = self._buffer
        unchecked = _UNCHECKED.pack(magic, self.name, tail, len(payload))
        checksum = xxhash.xxh3_64_intdigest(payload, xxhash.xxh3_64_intdigest(unchecked))
        end = _HEADER.size + len(payload)
        buffer[: _HEADER.size] = unchecked + checksum.to_bytes(8, "little")
        buffer[_HEADER.size : end] = payload
        buffer[end:length] = bytes(length - end)
        try:
            with memoryview(buffer) as view, view[:length] as record:
                self._write_through(record, position % self.size)
        except OSError as error:
            raise fault(error, self._path) from error
        finally:
            if len(buffer) > _KEPT_BUFFER:
                self._buffer = mmap.mmap(-1, BLOCK)

    def _write_through(self, record: memoryview, offset: int) -> None:
        while record:
            try:
                done = os.pwritev(self._fd, [record], offset, os.RWF_DSYNC)
            except OSError as error:
                if not self._direct or error.errno not in _NOT_SUPPORTED:
                    raise
                buffered = self._open(0)  # the file system only promised to write directly
                os.close(self._fd)
                self._fd = buffered
                self._direct = False
                continue
            record, offset = record[done:], offset + done

    def read(self, tail: int) -> Iterator[tuple[bytes, int]]:
        """The payloads of the records after `tail`, each with the position of its end. Raises
        StorageFault if the disk fails."""
        while True:
            position = tail
            if self._read_at(position, _WRAP, tail) is not None:
                position += self.size - tail % self.size
            found = self._read_at(position, _MAGIC, tail)
            if found is None:
                return
            tail = position + _padded(len(found))
            yield found, tail

    def _read_at(self, position: int, magic: bytes, tail: int) -> bytes | None:
        place = position % self.size
        try:
            with self._path.open("rb") as file:
                file.seek(place)
                header = file.read(_HEADER.size)
                kind, name, after, length, checksum = _HEADER.unpack(header)
                if kind != magic or name != self.name or after != tail:
                    return None
                if place + _padded(length) > self.size:
                    return None
                payload = file.read(length)
        except OSError as error:
            raise fault(error, self._path) from error
        unchecked = header[: _UNCHECKED.size]
        if xxhash.xxh3_64_intdigest(payload, xxhash.xxh3_64_intdigest(unchecked)) != checksum:
            return None
        return payload

    def close(self) -> None:
        os.close(self._fd)


def _padded(payload: int) -> int:
    return -(-(_HEADER.size + payload) // BLOCK) * BLOCK
