"""A web application of another project as that project publishes it: a folder of files.

Where its addresses are absolute, they begin at `/`, and its dynamic parts are loaded from there
too. Each of them is one slash in a few files, so the files are sent with a longer path in the
places of these slashes, and are nowhere changed.
"""

import mmap
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

PAGE: Final = "index.html"
CHUNK: Final = 256 << 10

# By the end of a file's name: before the slash, where an address that begins at `/` stands.
_SLASHES: Final = {
    ".html": re.compile(rb'="(?=/(?!/))'),
    ".css": re.compile(rb"url\([\"']?(?=/(?!/))"),
    ".js": re.compile(rb'\.p ?= ?"(?=/"[,;}\s])'),
    ".json": re.compile(rb'": ?"(?=/(?!/))'),
}
# A name that tells the content: it holds a hash, of webpack or vite.
_HASHED: Final = re.compile(r"(^|[./])[0-9a-f]{16}\.[a-z0-9]+$|(^|/)assets/[^/]*-[\w-]{8}\.\w+$")
_OF_A_PAGE: Final = re.compile(r"(^|/)[^/.]*$")


class WebFile(msgspec.Struct, frozen=True):
    """A file of an application; `slashes` are those in whose places the path is to be put."""

    path: Path
    size: int
    version: str  # changes with the content
    is_hashed: bool
    slashes: tuple[int, ...]

    @property
    def suffix(self) -> str:
        return self.path.suffix

    def length(self, base: str) -> int:
        """In bytes, below the path `base`."""
        return self.size + len(self.slashes) * (len(base) - 1)

    def content(self, base: str) -> Iterator[bytes]:
        """The bytes below the path `base`, in parts."""
        with self.path.open("rb") as file:
            for slash in self.slashes:
                yield from _until(slash, file.tell(), file.read)
                file.seek(1, 1)
                yield base.encode()
            yield from _until(self.size, file.tell(), file.read)


def _until(stop: int, position: int, read: Callable[[int], bytes]) -> Iterator[bytes]:
    while position < stop:
        part = read(min(CHUNK, stop - position))
        if not part:
            raise OSError("a file of the application has become shorter")
        position += len(part)
        yield part


class Application:
    """The files of an application; those that are added later are not seen before the next start.
    `is_relative`: its addresses are, so that the files are sent as they are."""

    def __init__(self, folder: Path, *, is_relative: bool = True) -> None:
        self.folder = folder
        self._patterns = {} if is_relative else _SLASHES
        self._known: dict[str, WebFile] = {}
        self._names = frozenset(
            str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
        )

    def file(self, name: str) -> WebFile | None:
        """The file of this name; for one without an extension the page, since applications show
        addresses of their own in the browser."""
        if name not in self._names:
            if not _OF_A_PAGE.search(name):
                return None
            name = PAGE
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._described(name)
        return found

    def _described(self, name: str) -> WebFile:
        path = self.folder / name
        status = path.stat()
        pattern = self._patterns.get(path.suffix)
        slashes: tuple[int, ...] = ()
        if pattern is not None and status.st_size:
            with (
                path.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            ):
                slashes = tuple(match.end() for match in pattern.finditer(content))
        version = f"{status.st_mtime_ns:x}-{status.st_size:x}"
        return WebFile(path, status.st_size, version, bool(_HASHED.search(name)), slashes)
