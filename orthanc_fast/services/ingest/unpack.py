"""Uploads that hold other uploads: gzip bodies and ZIP archives, unpacked within bounds.

Names of members are never used as paths and archives inside archives are not opened. Source:
reference chapter 1, sections 1.7, 2.1, 2.3.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from orthanc_fast.errors import BadFileFormat

ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

_CANNOT_OPEN = "Cannot open ZIP archive from memory buffer"
_STEP = 1 << 20
_GZIP_WINDOW = 31


def is_zip(head: bytes | bytearray | memoryview) -> bool:
    """Whether a body that begins with these bytes is treated as a ZIP archive."""
    return bytes(head[:4]) in ZIP_MAGICS


def gunzip(data: bytes | memoryview, limit: int) -> bytes:
    """The content of a gzip body, at most `limit` bytes (0: no limit).

    Raises BadFileFormat for a damaged or truncated stream and for one that exceeds the limit.
    """
    parts: list[bytes] = []
    size = 0
    stream = zlib.decompressobj(_GZIP_WINDOW)
    pending: bytes | memoryview = data
    try:
        while not stream.eof:
            part = stream.decompress(pending, _STEP)
            pending = stream.unconsumed_tail
            size += len(part)
            if limit and size > limit:
                raise BadFileFormat(_exceeds(limit))
            if not part and not pending:
                raise BadFileFormat("the gzip stream is truncated")
            parts.append(part)
    except zlib.error as error:
        raise BadFileFormat(f"the gzip stream is damaged: {error}") from error
    return b"".join(parts)


def members(archive: bytes | Path, limit: int) -> Iterator[bytes]:
    """The contents of the files in a ZIP archive, in its order, one in memory at a time.

    Empty members and folders are left out. Raises BadFileFormat for what is no archive, for a
    damaged member, and for one larger than `limit` bytes (0: no limit).
    """
    source: IO[bytes] | Path = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    try:
        opened = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadFileFormat(_CANNOT_OPEN) from error
    with opened:
        if not opened.infolist():  # nor can Orthanc open one without members
            raise BadFileFormat(_CANNOT_OPEN)
        for entry in opened.infolist():
            if entry.is_dir() or entry.file_size == 0:
                continue
            yield _read_member(opened, entry, limit)


def _read_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    if limit and entry.file_size > limit:
        raise BadFileFormat(_exceeds(limit))
    parts: list[bytes] = []
    size = 0
    try:
        with archive.open(entry) as file:
            while part := file.read(_STEP):
                size += len(part)
                # The announced size may be a lie.
                if limit and size > limit:
                    raise BadFileFormat(_exceeds(limit))
                parts.append(part)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise BadFileFormat(f"the archive member {entry.filename!r} is damaged: {error}") from error
    except (NotImplementedError, RuntimeError) as error:  # unknown method; encrypted
        raise BadFileFormat(f"cannot unpack the member {entry.filename!r}: {error}") from error
    return b"".join(parts)


def _exceeds(limit: int) -> str:
    return f"Uncompressed size exceeds limit ({limit / (1 << 20):.1f}MB)"
