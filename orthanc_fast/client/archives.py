"""The files to upload: plain ones, and the members of ZIP and tar archives, however deep they lie
in one another. An archive is known by its content, so its name does not matter."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
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
Open = Callable[[IO[bytes]], IO[bytes]]
_COMPRESSED: Final[tuple[tuple[bytes, Open], ...]] = (
    (b"\x1f\x8b", lambda file: cast(IO[bytes], gzip.GzipFile(fileobj=file))),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
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
            _copy(plain, copy)
            # Of a compressed tar the members count as its own; a compressed file is one itself.
            yield from _contents(name, copy, depth + 1, refuse)
    elif head[:4] in _ZIPS:
        with zipfile.ZipFile(file) as archive:
            yield from _members(
                name,
                [(each.filename, each) for each in archive.infolist() if not each.is_dir()],
                archive.open,
                depth,
                refuse,
            )
    else:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            entries = [(each.name, each) for each in tar if each.isfile()]
            yield from _members(name, entries, tar.extractfile, depth, refuse)


def _members(
    name: str,
    entries: list[tuple[str, zipfile.ZipInfo]] | list[tuple[str, tarfile.TarInfo]],
    opened: Callable[..., IO[bytes] | None],
    depth: int,
    refuse: Refuse,
) -> Iterator[Found]:
    """Each member by itself: one that is damaged does not hide the others."""
    for inner, entry in entries:
        full = f"{name}:{inner}"
        try:
            with SpooledTemporaryFile(_SPOOLED) as copy:
                member = opened(entry)
                if member is not None:
                    with member:
                        _copy(member, copy)
                    yield from _contents(full, copy, depth + 1, refuse)
        except UNREADABLE as error:
            refuse(full, f"cannot read: {error}")


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while part := source.read(_STEP):
        target.write(part)
    target.seek(0)


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
