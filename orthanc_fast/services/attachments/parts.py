"""The files of attachments of any size, read in parts and never held as a whole. All of it waits
for the disk: use it in a thread."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import md5
from typing import NamedTuple

import xxhash

from orthanc_fast.errors import CorruptedFile
from orthanc_fast.model import Attachment
from orthanc_fast.services.store.content_check import ContentCheck
from orthanc_fast.storage.compression import compress_parts, uncompress_parts
from orthanc_fast.storage.contract import Content, Spool, Storage

STEP = 1 << 20  # bytes of one part


class Checksums(NamedTuple):
    """MD5 texts, of the content and of what lies on the disk."""

    md5: str
    stored_md5: str


class Summary(NamedTuple):
    """What an attachment record says of a content."""

    size: int
    digest: bytes
    md5: str


class ContentParts:
    """Reading of attachments. Where the file is missing OrthancError 2006 is raised, where it is
    too short ParameterOutOfRange, where it is damaged CorruptedFile."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def stored(
        self, attachment: Attachment, start: int = 0, size: int | None = None
    ) -> Iterator[bytes]:
        """`size` bytes of what lies on the disk (None: to the end)."""
        size = attachment.stored_size - start if size is None else size
        return self._storage.parts(attachment.uuid, start, size, STEP)

    def content(self, attachment: Attachment) -> Iterator[bytes]:
        """The uncompressed content."""
        found = self.stored(attachment)
        return uncompress_parts(found, STEP) if attachment.compressed else found

    def excerpt(self, attachment: Attachment, start: int, size: int) -> Iterator[bytes]:
        """`size` bytes of the content, which has that many from `start`."""
        if not attachment.compressed:
            yield from self.stored(attachment, start, size)
            return
        skip = start
        for part in self.content(attachment):
            wanted = part[skip : skip + size]
            skip = max(0, skip - len(part))
            size -= len(wanted)
            if wanted:
                yield wanted
            if not size:
                return

    def verify(self, attachment: Attachment) -> None:
        """Raises if the content is not what was stored."""
        check = ContentCheck(attachment)
        for part in self.content(attachment):
            check.update(part)
        check.finish()

    def checksums(self, attachment: Attachment) -> Checksums:
        """The MD5s, from one reading of the file that also verifies it."""
        outer, inner = md5(usedforsecurity=False), md5(usedforsecurity=False)
        check = ContentCheck(attachment)
        stored = self.stored(attachment)
        if attachment.compressed:
            stored = _tapped(stored, outer.update)
            content = uncompress_parts(stored, STEP)
        else:
            content, outer = stored, inner
        for part in content:
            inner.update(part)
            check.update(part)
        check.finish()
        return Checksums(inner.hexdigest(), outer.hexdigest())

    def rewritten(self, attachment: Attachment, compressed: bool) -> Spool:
        """The content anew, compressed or not. Verifies what it reads. Raises FullStorage or
        StorageFault too."""
        check = ContentCheck(attachment)
        content = _tapped(self.content(attachment), check.update)
        if compressed:
            spool = compressed_spool(self._storage, content, attachment.size)
        else:
            spool = _spooled(self._storage, content)
        try:
            check.finish()
        except CorruptedFile:
            spool.drop()
            raise
        return spool


def summary_of(spool: Spool) -> Summary:
    """What a body holds."""
    plain, fast = md5(usedforsecurity=False), xxhash.xxh3_128()
    for part in spool.parts(STEP):
        plain.update(part)
        fast.update(part)
    return Summary(spool.size, fast.digest(), plain.hexdigest())


def compressed_spool(storage: Storage, parts: Iterable[Content], size: int) -> Spool:
    """The stored form of a content of `size` bytes. Raises FullStorage or StorageFault."""
    return _spooled(storage, compress_parts(parts, size))


def _spooled(storage: Storage, parts: Iterable[Content]) -> Spool:
    spool = storage.new_spool()
    try:
        for part in parts:
            spool.write(part)
        spool.flush()
    except BaseException:
        spool.drop()
        raise
    return spool


def _tapped(parts: Iterable[bytes], tap: Callable[[bytes], None]) -> Iterator[bytes]:
    for part in parts:
        tap(part)
        yield part
