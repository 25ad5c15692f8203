"""The OHIF viewer as its project publishes it, served below a path.

A build of OHIF has absolute addresses that begin at `/`, and its dynamic parts are loaded from
there too. Each of them is one slash in a few files, so the files are sent with a longer path in
the places of these slashes, and are nowhere changed.
"""

import mmap
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from orthanc_fast.config_sections import Ohif

PAGE: Final = "index.html"
CONFIGURATION: Final = "app-config.js"
CHUNK: Final = 256 << 10

# By the end of a file's name: before the slash, where an address that begins at `/` stands.
_SLASHES: Final = {
    ".html": re.compile(rb'="(?=/(?!/))'),
    ".css": re.compile(rb"url\([\"']?(?=/(?!/))"),
    ".js": re.compile(rb'\.p ?= ?"(?=/"[,;}\s])'),
    ".json": re.compile(rb'": ?"(?=/(?!/))'),
}
# A name that tells the content: it is made of a hash.
_HASHED: Final = re.compile(r"(^|[./])[0-9a-f]{16}\.[a-z0-9]+$")
_OF_A_PAGE: Final = re.compile(r"(^|/)[^/.]*$")


class WebFile(msgspec.Struct, frozen=True):
    """A file of the viewer; `slashes` are those in whose places the path is to be put."""

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
            raise OSError("a file of the viewer has become shorter")
        position += len(part)
        yield part


class OhifFiles:
    """The files of the viewer; those that are added later are not seen before the next start."""

    def __init__(self, options: Ohif) -> None:
        self._folder = options.folder
        self._user_configuration = options.user_configuration
        self._known: dict[str, WebFile] = {}
        self._names = frozenset(
            str(path.relative_to(self._folder))
            for path in self._folder.rglob("*")
            if path.is_file()
        )

    def file(self, name: str) -> WebFile | None:
        """The file of this name; for one without an extension the page, since the viewer shows
        addresses of its own in the browser."""
        if name not in self._names:
            if not _OF_A_PAGE.search(name):
                return None
            name = PAGE
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = _described(self._folder / name, name)
        return found

    def configuration(self, base: str, dicom_web: str, wado: str) -> bytes:
        """The script that tells the viewer where it is (`base`) and where DICOMweb and WADO-URI
        are; what the user's script says comes first."""
        theirs = self._user_configuration
        return _CONFIGURATION.format(
            defaults=msgspec.json.encode(_defaults(base, dicom_web, wado)).decode(),
            user="" if theirs is None else theirs.read_text(),
        ).encode()


def _described(path: Path, name: str) -> WebFile:
    status = path.stat()
    pattern = _SLASHES.get(path.suffix)
    slashes: tuple[int, ...] = ()
    if pattern is not None and status.st_size:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            slashes = tuple(match.end() for match in pattern.finditer(content))
    version = f"{status.st_mtime_ns:x}-{status.st_size:x}"
    return WebFile(path, status.st_size, version, bool(_HASHED.search(name)), slashes)


_CONFIGURATION: Final = """\
(() => {{
const defaults = {defaults};
window.config = {{...defaults}};
{user}
window.config = {{...defaults, ...window.config}};
}})();
"""


def _defaults(base: str, dicom_web: str, wado: str) -> dict[str, object]:
    """What the viewer has to know of this server, and what its own default configuration says that
    it cannot do without."""
    root = dicom_web.rstrip("/")
    return {
        "routerBasename": base,
        "showStudyList": True,
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "maxNumberOfWebWorkers": 3,
        "showWarningMessageForCrossOrigin": True,
        "showCPUFallbackMessage": True,
        "showLoadingIndicator": True,
        "strictZSpacingForVolumeViewport": True,
        "groupEnabledModesFirst": True,
        "maxNumRequests": {"interaction": 100, "thumbnail": 75, "prefetch": 25},
        "defaultDataSourceName": "orthanc",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "orthanc",
                "configuration": {
                    "friendlyName": "This server",
                    "name": "orthanc",
                    "wadoUriRoot": wado,
                    "qidoRoot": root,
                    "wadoRoot": root,
                    "qidoSupportsIncludeField": True,
                    "imageRendering": "wadors",
                    "thumbnailRendering": "wadors",
                    "enableStudyLazyLoad": True,
                    "supportsFuzzyMatching": True,
                    "supportsWildcard": True,
                    "dicomUploadEnabled": True,
                    "omitQuotationForMultipartRequest": True,
                    "bulkDataURI": {"enabled": True},
                    "singlepart": "pdf,video",
                },
            }
        ],
    }
