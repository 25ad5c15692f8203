"""Uploads that hold other uploads: gzip bodies and ZIP archives, unpacked within bounds.

Names of members are never used as paths and archives inside archives are not opened. Source:
reference chapter 1, sections 1.7, 2.1, 2.3.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import IO

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadFileFormat, BadRequest
from orthanc_fast.storage.arriving import ArrivingBody, Body
from orthanc_fast.storage.contract import Spool
from orthanc_fast.storage.upload_memory import Share

ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

_CANNOT_OPEN = "Cannot open ZIP archive from memory buffer"
_STEP = 1 << 18
_GZIP_WINDOW = 31
_TOO_LARGE = 413

# By these alone Orthanc unpacks. What `zipfile` makes of bzip2 and LZMA comes in one piece for each
# that is read, and a hundred bytes of those may hold as many megabytes.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_ENTRY = b"PK\x01\x02"  # begins each entry of the directory of an archive
_ENTRY_BYTES = 256  # of an entry with its name, generously


class Bounds(msgspec.Struct, frozen=True):
    """What unpacking may cost; 0 for no bound. Sizes are bytes of unpacked content."""

    member: int = 0
    total: int = 0
    members: int = 0
    ratio: int = 0  # of unpacked to packed bytes; deflate reaches 1,032
    judged_from: int = 1 << 30  # less is not judged by its ratio
    memory: int = 16 << 20  # a larger content goes through a spool

    @staticmethod
    def of(settings: Settings) -> "Bounds":
        """Those of the configuration."""
        return Bounds(
            settings.maximum_file_size_in_archive_mb << 20,
            settings.maximum_archive_size_mb << 20,
            settings.maximum_archive_members,
            settings.maximum_archive_ratio,
            memory=settings.maximum_upload_memory_mb << 20,
        )


class Unpacking:
    """The unpacked bytes of one upload, counted."""

    def __init__(
        self, bounds: Bounds, packed: int, new_spool: Callable[[], Spool], share: Share
    ) -> None:
        """`packed` are the bytes of the upload itself; contents in memory are of `share`."""
        self.bounds = bounds
        self._packed = packed
        self._new_spool = new_spool
        self._share = share
        self._total = 0

    def content(self, parts: Iterator[bytes]) -> Body:
        """The whole of `parts`, in memory or in a spool.

        Raises BadFileFormat if it is larger than one member may be, BadRequest (413) if the upload
        holds too much, FullStorage.
        """
        body = ArrivingBody(self.bounds.memory, self._new_spool, self._share)
        try:
            for part in parts:
                if 0 < self.bounds.member < body.size + len(part):
                    raise BadFileFormat(_exceeds(self.bounds.member))
                self._count(len(part))
                body.add(part)
            return body.finish()
        except BaseException:
            body.discard()
            raise

    def announced(self, members: list[zipfile.ZipInfo]) -> None:
        """Refuses what admits to be too much, before anything of it is stored. Raises BadRequest
        (413)."""
        self._judge(sum(entry.file_size for entry in members))

    def _count(self, size: int) -> None:
        self._total += size
        self._judge(self._total)

    def _judge(self, total: int) -> None:
        bounds = self.bounds
        if 0 < bounds.total < total:
            raise _refused("MaximumArchiveSizeMB", f"{bounds.total >> 20} MB unpacked")
        if bounds.ratio and total > max(bounds.judged_from, bounds.ratio * self._packed):
            raise _refused("MaximumArchiveRatio", f"{bounds.ratio} times its packed size")


def is_zip(head: bytes | bytearray | memoryview) -> bool:
    """Whether a body that begins with these bytes is treated as a ZIP archive."""
    return bytes(head[:4]) in ZIP_MAGICS


def gunzip(packed: Body, bounds: Bounds, new_spool: Callable[[], Spool], share: Share) -> Body:
    """The content of a gzip body, in memory or in a spool.

    Raises BadFileFormat for a damaged or truncated stream, and as `Unpacking.content` does.
    """
    with _opened(packed) as file:
        unpacking = Unpacking(bounds, _size(file), new_spool, share)
        return unpacking.content(_inflated(file))


def members(
    archive: Body, bounds: Bounds, new_spool: Callable[[], Spool], share: Share
) -> Generator[Body]:
    """The contents of the files in a ZIP archive, in its order, one at a time; each is in memory or
    in a spool that belongs to the caller.

    Empty members and folders are left out. Raises BadFileFormat for what is no archive and for a
    damaged member, and as `Unpacking.content` does.
    """
    with _opened(archive) as file:
        directory = _Directory(file, bounds.members)
        try:
            opened = zipfile.ZipFile(directory)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise BadFileFormat(_CANNOT_OPEN) from error
        directory.is_read = True
        unpacking = Unpacking(bounds, _size(file), new_spool, share)
        with opened:
            unpacking.announced(opened.infolist())
            for entry in opened.infolist():
                if not entry.is_dir() and entry.file_size:
                    yield unpacking.content(_read_member(opened, entry, bounds.member))


class _Directory:
    """An archive as `zipfile` reads it: its directory is refused, before objects are made of it,
    where it has too many entries."""

    def __init__(self, file: IO[bytes], entries: int) -> None:
        self._file = file
        self._entries = entries
        self.is_read = False
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable
        self.close = file.close

    def read(self, size: int = -1) -> bytes:
        if self.is_read or not self._entries:
            return self._file.read(size)
        if size > self._entries * _ENTRY_BYTES + (1 << 20):
            raise self._refused()
        data = self._file.read(size)
        if data.count(_ENTRY) > self._entries:
            raise self._refused()
        return data

    def _refused(self) -> BadRequest:
        return _refused("MaximumArchiveMembers", f"{self._entries} members")


def _read_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> Iterator[bytes]:
    if 0 < limit < entry.file_size:
        raise BadFileFormat(_exceeds(limit))
    if entry.compress_type not in _METHODS:
        raise BadFileFormat(
            f"cannot unpack the member {entry.filename!r}: compression method {entry.compress_type}"
        )
    try:
        with archive.open(entry) as file:
            while part := file.read(_STEP):
                yield part
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, UnicodeDecodeError) as error:
        raise BadFileFormat(f"the archive member {entry.filename!r} is damaged: {error}") from error
    except (NotImplementedError, RuntimeError) as error:  # patched; encrypted
        raise BadFileFormat(f"cannot unpack the member {entry.filename!r}: {error}") from error


def _inflated(file: IO[bytes]) -> Iterator[bytes]:
    stream = zlib.decompressobj(_GZIP_WINDOW)
    pending = b""
    try:
        while not stream.eof:
            pending = pending or file.read(_STEP)
            part = stream.decompress(pending, _STEP)
            ends = not pending
            pending = stream.unconsumed_tail
            if part:
                yield part
            elif ends:
                raise BadFileFormat("the gzip stream is truncated")
    except zlib.error as error:
        raise BadFileFormat(f"the gzip stream is damaged: {error}") from error


class _SpoolFile(io.RawIOBase):
    """A spool as a file to be read."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._spool.size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, out: memoryview) -> int:  # type: ignore[override]  # nobody brings others
        data = self._spool.read(self._at, len(out))
        out[: len(data)] = data
        self._at += len(data)
        return len(data)


def _opened(source: Body) -> IO[bytes]:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    return io.BufferedReader(_SpoolFile(source), _STEP)


def _size(file: IO[bytes]) -> int:
    at = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(at)
    return size


def _refused(option: str, bound: str) -> BadRequest:
    return BadRequest(
        f"The upload holds more than {bound}: see the option {option}", http_status=_TOO_LARGE
    )


def _exceeds(limit: int) -> str:
    return f"Uncompressed size exceeds limit ({limit / (1 << 20):.1f}MB)"
