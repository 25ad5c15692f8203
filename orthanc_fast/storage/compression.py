"""Compressed attachments as Orthanc stores them: 8 bytes of uncompressed size, then a zlib stream.

Source: reference chapter 1, section 2.5. Empty content is an empty file.
"""

import zlib
from collections.abc import Iterable, Iterator
from struct import Struct

from isal import isal_zlib

from orthanc_fast.errors import CorruptedFile

_SIZE = Struct("<Q")
# Of isal: files of scanners become 3% larger than with zlib's level 6, at a twentieth of its CPU
# time. All of it gives the interpreter away to other threads.
LEVEL = 3


def compress(data: bytes | memoryview) -> bytes:
    """The stored form of `data`."""
    return _SIZE.pack(len(data)) + isal_zlib.compress(data, LEVEL) if len(data) else b""


def uncompress(stored: bytes | memoryview) -> bytes:
    """The content of a stored form. Raises CorruptedFile if it does not have the size it
    announces."""
    if not len(stored):
        return b""
    if len(stored) < _SIZE.size:
        raise CorruptedFile("a compressed attachment is shorter than its header")
    (size,) = _SIZE.unpack_from(stored)
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(memoryview(stored)[_SIZE.size :], size + 1)
    except zlib.error as error:
        raise CorruptedFile(f"a compressed attachment cannot be inflated: {error}") from error
    if len(data) != size:
        raise _wrong_size(size)
    return data


def compress_parts(parts: Iterable[bytes | bytearray | memoryview], size: int) -> Iterator[bytes]:
    """As `compress`, for a content of `size` bytes that comes in parts."""
    if not size:
        return
    yield _SIZE.pack(size)
    stream = isal_zlib.compressobj(LEVEL)
    for part in parts:
        yield stream.compress(part)
    yield stream.flush()


def uncompress_parts(stored: Iterable[bytes], step: int) -> Iterator[bytes]:
    """As `uncompress`, in parts of at most `step` bytes; what is wrong is only known at the end."""
    stream = zlib.decompressobj()
    head, size, done = b"", -1, 0
    for part in stored:
        pending = part
        if size < 0:
            head += part
            if len(head) < _SIZE.size:
                continue
            (size,) = _SIZE.unpack_from(head)
            pending = head[_SIZE.size :]
        for data in _inflated(stream, pending, step):
            done += len(data)
            if done > size:
                raise _wrong_size(size)
            yield data
    if (size >= 0 or head) and (done != size or not stream.eof):
        raise _wrong_size(size)


def _wrong_size(size: int) -> CorruptedFile:
    return CorruptedFile(f"a compressed attachment does not have the {size} bytes it announces")


def _inflated(stream: "zlib._Decompress", pending: bytes, step: int) -> Iterator[bytes]:
    try:
        while True:
            data = stream.decompress(pending, step)
            pending = stream.unconsumed_tail
            if data:
                yield data
            if len(data) < step and not pending:
                return
    except zlib.error as error:
        raise CorruptedFile(f"a compressed attachment cannot be inflated: {error}") from error
