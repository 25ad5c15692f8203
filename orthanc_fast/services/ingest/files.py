"""The files of an attachment that is stored for the first time: hashed, compressed if the
configuration says so, and ready to be written with those of others."""

import os
from collections.abc import Iterator

import xxhash

from orthanc_fast.model import Attachment
from orthanc_fast.services.attachments.parts import STEP, compressed_spool
from orthanc_fast.storage.compression import compress
from orthanc_fast.storage.contract import Content, Pending, Spool, Storage

# What is compressed in memory; more goes through a spool.
COMPRESSED_IN_MEMORY = 16 << 20

Filed = tuple[Attachment, Pending]


def from_memory(
    storage: Storage, owner: bytes, data: Content, compressed: bool, is_cold: bool = False
) -> Filed:
    """The file of bytes that are in memory; for `is_cold` see `Storage.new_file`."""
    digest = xxhash.xxh3_128_digest(data)
    stored: Content | Spool = data
    if compressed and len(data) > COMPRESSED_IN_MEMORY:
        view = memoryview(data)
        parts = (view[at : at + STEP] for at in range(0, len(view), STEP))
        stored = compressed_spool(storage, parts, len(data))
    elif compressed:
        stored = compress(memoryview(data))
    return _filed(storage, owner, len(data), digest, compressed, stored, is_cold)


def from_spool(storage: Storage, owner: bytes, spool: Spool, compressed: bool) -> Filed:
    """The file of a body in a spool, which is this attachment's from now on. It is read in parts:
    the pages of its buffer may count as memory of the process."""
    hashed, size = xxhash.xxh3_128(), spool.size

    def parts() -> Iterator[bytes]:
        for part in spool.parts(STEP):
            hashed.update(part)
            yield part

    if not compressed:
        for _ in parts():
            pass
        return _filed(storage, owner, size, hashed.digest(), False, spool)
    stored = compressed_spool(storage, parts(), size)
    spool.drop()
    return _filed(storage, owner, size, hashed.digest(), True, stored)


def _filed(
    storage: Storage,
    owner: bytes,
    size: int,
    digest: bytes,
    compressed: bool,
    stored: Content | Spool,
    is_cold: bool = False,
) -> Filed:
    stored_size = stored.size if isinstance(stored, Spool) else len(stored)
    attachment = Attachment(_new_uuid(), size, stored_size, compressed, digest)
    return attachment, storage.new_file(owner, attachment.uuid, stored, is_cold)


def _new_uuid() -> str:
    """A random UUID (RFC 9562, version 4) as text, at half of what `uuid.uuid4` takes for it."""
    number = int.from_bytes(os.urandom(16), "big")
    number = number & ~(0xF << 76 | 3 << 62) | 4 << 76 | 2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
