"""Folders of the site that are served over HTTP. Source: reference chapter 4, section 10.4; chapter
7, section 7.5."""

import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from orthanc_fast.config_plugins import ServedFolder, ServeFolders
from orthanc_fast.model import SendablePath

INDEX: Final = "index.html"
OCTETS: Final = "application/octet-stream"
TYPES: Final[Mapping[str, str]] = {
    "css": "text/css",
    "gif": "image/gif",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "application/javascript",
    "json": "application/json",
    "nexe": "application/x-nacl",
    "nmf": "application/json",
    "pdf": "application/pdf",
    "pexe": "application/x-pnacl",
    "png": "image/png",
    "svg": "image/svg+xml",
    "wasm": "application/wasm",
    "woff": "application/x-font-woff",
    "woff2": "font/woff2",
    "xml": "application/xml",
}
_KEPT_DIGESTS: Final = 1000


class ServedFile(msgspec.Struct, frozen=True):
    """What is served: a file of `size` bytes at `path`, or a listing of a folder as `content`.
    `modified` is in seconds since the epoch, `digest` the MD5 where it is wanted."""

    kind: str
    size: int
    path: Path | None = None
    content: bytes = b""
    modified: float | None = None
    digest: str | None = None

    @property
    def sendable(self) -> SendablePath:
        """The path, for who sends it."""
        return SendablePath(str(self.path))


class Folders:
    """The folders that the configuration names."""

    def __init__(self, options: ServeFolders) -> None:
        self._options = options
        self._types = {**TYPES, **options.types}
        self._digests: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def find(self, served: ServedFolder, parts: Sequence[str]) -> ServedFile | None:
        """The file at a path below a folder; a listing where a folder has no index.html of its
        own. None where there is neither. Blocks."""
        if any(part == ".." or "\0" in part or "/" in part for part in parts):
            return None
        path = served.folder.joinpath(*parts)
        try:
            return self._file(path)
        except FileNotFoundError:
            return self._listing(path.parent) if path.name == INDEX else None
        except OSError:
            return None

    def _file(self, path: Path) -> ServedFile | None:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        return ServedFile(
            kind=self._types.get(path.suffix[1:].lower(), OCTETS),
            size=status.st_size,
            path=path,
            modified=status.st_mtime,
            digest=self._digest(path, status) if self._options.generate_etag else None,
        )

    def _digest(self, path: Path, status: os.stat_result) -> str:
        identity = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._digests.get(path)
        if known is None or known[0] != identity:
            with path.open("rb") as file:
                known = identity, hashlib.file_digest(file, "md5").hexdigest()
            if len(self._digests) >= _KEPT_DIGESTS:
                self._digests.clear()
            self._digests[path] = known
        return known[1]

    def _listing(self, folder: Path) -> ServedFile | None:
        folders: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir():
                        folders.append(entry.name)
                    elif entry.is_file():
                        files.append(entry.name)
        except OSError:  # there is no such folder, or none that may be read
            return None
        rows = [_row(f"{name}/{INDEX}", f"{name}/") for name in sorted(folders)]
        rows += [_row(name, name) for name in sorted(files)]
        lines = ["<html>", "  <body>", "    <ul>", *rows, "    </ul>", "  </body>", "</html>", ""]
        return self._page("\n".join(lines))

    def overview(self) -> ServedFile:
        """A page with the served folders."""
        rows = [
            f'<li><a href="../{quote(uri)}/{INDEX}">{escape(uri)}</a></li>'
            for uri in sorted(each.uri for each in self._options.folders)
        ]
        title = "<html><body><h1>Additional folders served by Orthanc</h1>"
        return self._page("\n".join([title, "<ul>", *rows, "</ul>", "</body></html>", ""]))

    def _page(self, text: str) -> ServedFile:
        content = text.encode("utf-8", "surrogateescape")
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return ServedFile(
            kind="text/html",
            size=len(content),
            content=content,
            digest=digest if self._options.generate_etag else None,
        )


def _row(address: str, name: str) -> str:
    quoted = quote(address.encode("utf-8", "surrogateescape"))
    return f'      <li><a href="{quoted}">{escape(name)}</a></li>'
