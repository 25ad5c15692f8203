"""Compressed attachments as Orthanc stores them: 8 bytes of uncompressed size, then a zlib stream.

Source: reference chapter 1, section 2.5. Empty content is an empty file.
"""

import zlib
from struct import Struct

from orthanc_fast.errors import CorruptedFile

_SIZE = Struct("<Q")
LEVEL = 6


def compress(data: bytes | memoryview) -> bytes:
    """The stored form of `data`."""
    return _SIZE.pack(len(data)) + zlib.compress(data, LEVEL) if len(data) else b""


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
        raise CorruptedFile(f"a compressed attachment does not have the {size} bytes it announces")
    return data
