"""The files of an attachment that is stored for the first time: hashed, compressed if the
configuration says so, and ready to be written with those of others."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import xxhash

from orthanc_fast.model import Attachment
from orthanc_fast.services.attachments.parts import STEP, file_parts, write_parts
from orthanc_fast.storage.compression import compress, compress_parts
from orthanc_fast.storage.contract import Content, Pending, Storage

# What is compressed in memory; more goes through a file.
COMPRESSED_IN_MEMORY = 16 << 20

Filed = tuple[Attachment, Pending]


def from_memory(storage: Storage, owner: bytes, data: Content, compressed: bool) -> Filed:
    """The file of bytes that are in memory."""
    digest = xxhash.xxh3_128_digest(data)
    if compressed and len(data) > COMPRESSED_IN_MEMORY:
        target = storage.new_partial()
        view = memoryview(data)
        parts = (view[at : at + STEP] for at in range(0, len(view), STEP))
        size = _compressed_into(target, parts, len(data))
        return _filed(storage, owner, len(data), size, digest, True, None, target)
    stored: Content = compress(memoryview(data)) if compressed else data
    return _filed(storage, owner, len(data), len(stored), digest, compressed, stored, None)


def from_partial(storage: Storage, owner: bytes, partial: Path, compressed: bool) -> Filed:
    """The file of a body that lies in a partial file, which is this attachment's from now on. It is
    read in parts: pages of a mapped file count as memory of the process."""
    hashed, size = xxhash.xxh3_128(), partial.stat().st_size

    def parts() -> Iterator[bytes]:
        for part in file_parts(partial):
            hashed.update(part)
            yield part

    if not compressed:
        for _ in parts():
            pass
        return _filed(storage, owner, size, size, hashed.digest(), False, None, partial)
    target = storage.new_partial()
    stored_size = _compressed_into(target, parts(), size)
    partial.unlink()
    return _filed(storage, owner, size, stored_size, hashed.digest(), True, None, target)


def _compressed_into(target: Path, parts: Iterator[bytes | memoryview], size: int) -> int:
    try:
        return write_parts(compress_parts(parts, size), target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _filed(
    storage: Storage,
    owner: bytes,
    size: int,
    stored_size: int,
    digest: bytes,
    compressed: bool,
    data: Content | None,
    partial: Path | None,
) -> Filed:
    attachment = Attachment(str(uuid4()), size, stored_size, compressed, digest)
    return attachment, storage.new_file(owner, attachment.uuid, data, partial)
