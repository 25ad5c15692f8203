"""Whether a stored file still holds what the index says, read in parts and never as a whole."""

import os
from collections.abc import Callable, Iterable, Iterator
from hashlib import md5
from typing import Literal, NamedTuple

import xxhash

from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Attachment
from orthanc_fast.services.attachments.parts import STEP, Checksums
from orthanc_fast.services.store.content_check import ContentCheck
from orthanc_fast.storage.compression import uncompress_parts
from orthanc_fast.storage.contract import Handle, Storage

FaultKind = Literal["missing", "unreadable", "size", "checksum"]


class Fault(NamedTuple):
    """What is wrong with a file."""

    kind: FaultKind
    explanation: str


class Verified(NamedTuple):
    """What one reading has shown. `checksums` are there where they were asked for and the file is
    sound, and so is `digest` where the index has none, since another server has stored the file."""

    fault: Fault | None
    checksums: Checksums | None = None
    digest: bytes = b""


def verify(
    storage: Storage,
    attachment: Attachment,
    with_md5: bool = False,
    pace: Callable[[int], None] = lambda size: None,
) -> Verified:
    """Compares size and checksums, `with_md5` those too of which the index knows; what it does not
    know is no fault. `pace` is told the bytes of each part before it is read, and may wait, or
    raise what ends the reading."""
    try:
        handle = storage.open(attachment.uuid)
    except OrthancError:
        return Verified(Fault("missing", "the file is not in the storage area"))
    except OSError as error:
        return _unreadable(error)
    with handle:
        size = handle.size
        if size != attachment.stored_size:
            text = f"has {size} bytes, the index says {attachment.stored_size}"
            return Verified(Fault("size", text))
        try:
            return _compared(_parts(handle, size, pace), attachment, with_md5)
        except OSError as error:
            return _unreadable(error)
        except OrthancError as error:
            return Verified(Fault("checksum", str(error)))


def _parts(handle: Handle, size: int, pace: Callable[[int], None]) -> Iterator[bytes]:
    for start in range(0, size, STEP):
        wanted = min(STEP, size - start)
        pace(wanted)
        yield handle.read(start, wanted)


def _compared(stored: Iterable[bytes], attachment: Attachment, with_md5: bool) -> Verified:
    outer, inner = md5(usedforsecurity=False), md5(usedforsecurity=False)
    check = ContentCheck(attachment)
    fast = None if attachment.digest or not with_md5 else xxhash.xxh3_128()

    def noted() -> Iterator[bytes]:
        for part in stored:
            outer.update(part)
            yield part

    content = stored
    if attachment.compressed:
        content = uncompress_parts(noted() if with_md5 else stored, STEP)
    for part in content:
        check.update(part)
        if with_md5:
            inner.update(part)
        if fast is not None:
            fast.update(part)
    if not check.holds():
        return _changed("its bytes are not those that were stored")
    if not with_md5:
        return Verified(None)
    plain = inner.hexdigest()
    found = Checksums(plain, outer.hexdigest() if attachment.compressed else plain)
    if attachment.md5 is not None and attachment.md5 != found.md5:
        return _changed(f"its MD5 is {found.md5}, the index says {attachment.md5}")
    if attachment.stored_md5 is not None and attachment.stored_md5 != found.stored_md5:
        return _changed(
            f"the MD5 of its stored form is {found.stored_md5}, the index says "
            f"{attachment.stored_md5}"
        )
    return Verified(None, found, b"" if fast is None else fast.digest())


def _changed(text: str) -> Verified:
    return Verified(Fault("checksum", text))


def _unreadable(error: OSError) -> Verified:
    return Verified(Fault("unreadable", f"cannot be read: {os.strerror(error.errno or 0)}"))
