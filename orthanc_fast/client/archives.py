"""The files to upload: plain ones, and the members of ZIP and tar archives, however deep they lie
in one another. An archive is known by its content, so its name does not matter."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final, NamedTuple, cast

DEEPEST: Final = 16  # archives in one another
UNREADABLE: Final = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    ValueError,  # a ZIP member whose name is no text
    RuntimeError,  # a ZIP member that is encrypted
    NotImplementedError,  # compressed by a method that zipfile lacks
)

_DICOM: Final = (128, b"DICM")
_TAR: Final = (257, b"ustar")
_ZIPS: Final = (b"PK\x03\x04", b"PK\x05\x06")
Open = Callable[[IO[bytes]], io.BufferedIOBase]
_COMPRESSED: Final[tuple[tuple[bytes, Open], ...]] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)
_HEAD: Final = 512  # bytes that tell what a file is
_SPOOLED: Final = 64 << 20  # an inner archive of more bytes goes to the disk
_STEP: Final = 1 << 20


class Found(NamedTuple):
    """One file: its name with those of the archives around it, and its bytes."""

    name: str
    data: bytes
    is_member: bool

    @property
    def is_dicom(self) -> bool:
        """It says so itself; a data set without preamble does not."""
        return _has(self.data, *_DICOM)


class Member(NamedTuple):
    """A file in an archive: its name there, its size in bytes, and what opens it."""

    name: str
    size: int
    open: Callable[[], io.BufferedIOBase]


Refuse = Callable[[str, str], None]


def files(path: Path, refuse: Refuse) -> Iterator[Found]:
    """The file at `path`, or what it holds if it is an archive. `refuse` hears the name of what
    cannot be read, and why; the rest goes on."""
    try:
        with path.open("rb") as file:
            yield from _contents(str(path), file, 0, refuse)
    except UNREADABLE as error:
        refuse(str(path), f"cannot read: {error}")


def _contents(name: str, file: IO[bytes], depth: int, refuse: Refuse) -> Iterator[Found]:
    head = file.read(_HEAD)
    file.seek(0)
    opened = None if _has(head, *_DICOM) else _opener(head)
    if opened is None and not _is_archive(name, head):
        yield Found(name, file.read(), depth > 0)
    elif depth == DEEPEST:
        refuse(name, f"cannot read: more than {DEEPEST} archives in one another")
    elif opened is not None:
        with opened(file) as plain, SpooledTemporaryFile(_SPOOLED) as copy:
            damage: Exception | None = None
            try:
                _copy(plain, copy)
            except UNREADABLE as error:
                damage = error
            # Of a compressed tar the members count as its own; a compressed file is one itself.
            if damage is None or _is_tar(copy):
                yield from _contents(name, copy, depth + 1, refuse)
            if damage is not None:
                raise damage
    elif head[:4] in _ZIPS:
        with zipfile.ZipFile(file) as archive:
            zipped = (
                Member(each.filename, each.file_size, partial(_in_zip, archive, each))
                for each in archive.infolist()
                if not each.is_dir()
            )
            yield from _members(name, zipped, depth, refuse)
    else:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            yield from _members(name, _tar_members(tar, file), depth, refuse)


def _tar_members(tar: tarfile.TarFile, file: IO[bytes]) -> Iterator[Member]:
    """One after the other: a tar has no list of them, and may be cut behind those that are whole.
    Raises ReadError, after them, where it does not end as it must."""
    while (entry := tar.next()) is not None:
        if entry.isfile():
            yield Member(entry.name, entry.size, partial(_in_tar, tar, entry))
    # POSIX.1-2017, pax: blocks of zeros are the end. To tarfile whatever is no header is one too.
    file.seek(tar.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it is cut off or damaged behind its last member")


def _in_tar(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> io.BufferedIOBase:
    return cast(io.BufferedIOBase, tar.extractfile(entry))


def _in_zip(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> io.BufferedIOBase:
    return cast(io.BufferedIOBase, archive.open(entry))


def _members(name: str, members: Iterable[Member], depth: int, refuse: Refuse) -> Iterator[Found]:
    """Each member by itself: one that is damaged does not hide the others."""
    for member in members:
        full = f"{name}:{member.name}"
        try:
            with SpooledTemporaryFile(_SPOOLED) as copy:
                with member.open() as source:
                    copied = _copy(source, copy)
                if copied != member.size:
                    raise EOFError(f"it ends after {copied} of {member.size} bytes")
                yield from _contents(full, copy, depth + 1, refuse)
        except UNREADABLE as error:
            refuse(full, f"cannot read: {error}")


def _copy(source: io.BufferedIOBase, target: IO[bytes]) -> int:
    """The number of bytes. After an error `target` has what came before it; it is rewound."""
    copied = 0
    try:
        while part := source.read1(_STEP):
            copied += target.write(part)
    finally:
        target.seek(0)
    return copied


def _is_tar(file: IO[bytes]) -> bool:
    head = file.read(_HEAD)
    file.seek(0)
    return _has(head, *_TAR)


def _opener(head: bytes) -> Open | None:
    for magic, opened in _COMPRESSED:
        if head.startswith(magic):
            return opened
    return None


def _is_archive(name: str, head: bytes) -> bool:
    if _has(head, *_DICOM):
        return False
    # The oldest tar archives say what they are by their name alone.
    return head[:4] in _ZIPS or _has(head, *_TAR) or name.lower().endswith(".tar")


def _has(head: bytes, at: int, magic: bytes) -> bool:
    return head[at : at + len(magic)] == magic
