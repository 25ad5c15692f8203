"""What else the module offers: compression, media types, metrics, and what describes the plugin.
Source: reference chapter 7, section 3."""

import gzip
import struct
import zlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from orthanc_fast.log import Category, logger
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.enumerations import MEMBERS
from orthanc_fast.scripting.python.exceptions import (
    INTERNAL_ERROR,
    NOT_IMPLEMENTED,
    PARAMETER_OUT_OF_RANGE,
    OrthancException,
    failure,
)
from orthanc_fast.scripting.python.server_functions import Peers
from orthanc_fast.scripting.python.surroundings import SERVER, Surroundings
from orthanc_fast.services.scripts.registered import Described

_KINDS: Final = MEMBERS["CompressionType"]
_SIZE: Final = struct.Struct("<Q")
_PLUGIN_ERRORS: Final = 1_000_000

_MEDIA_TYPES: Final = {
    "css": "text/css",
    "dcm": "application/dicom",
    "gif": "image/gif",
    "html": "text/html",
    "ico": "image/x-icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "application/javascript",
    "json": "application/json",
    "nexe": "application/x-nacl",
    "nmf": "application/json",
    "pam": "image/x-portable-arbitrarymap",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "ttf": "application/x-font-ttf",
    "txt": "text/plain",
    "wasm": "application/wasm",
    "woff": "application/x-font-woff",
    "woff2": "font/woff2",
    "xml": "application/xml",
    "zip": "application/zip",
}


class Description:
    """What `/plugins/python` shows; `changed` is told of each change."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.value = Described("Run Python scripts as Orthanc plugins")
        self._changed = changed

    def change(self, **fields: Any) -> None:
        self.value = msgspec.structs.replace(self.value, **fields)
        self._changed()


class OtherFunctions:
    def __init__(self, around: Surroundings, described: Description) -> None:
        self._around = around
        self._described = described

    @takes("bii")
    def BufferCompression(self, data: bytes, kind: int, uncompress: int) -> bytes:
        if kind not in _KINDS.values() or kind == _KINDS["NONE"]:
            raise failure(PARAMETER_OUT_OF_RANGE)
        return _uncompressed(data, kind) if uncompress else _compressed(data, kind)

    @takes("s")
    def AutodetectMimeType(self, path: str) -> str:
        _, dot, extension = path.rpartition(".")
        return _MEDIA_TYPES.get(extension if dot else "", "application/octet-stream")

    @takes("sfi")
    def SetMetricsValue(self, name: str, value: float, kind: int) -> None:
        self._metric(name, value)

    @takes("sii")
    def SetMetricsIntegerValue(self, name: str, value: int, kind: int) -> None:
        self._metric(name, float(value))

    def _metric(self, name: str, value: float) -> None:
        self._around.early_services.metrics.gauge(name).set(value)

    @takes("ssisso")
    def EmitAuditLog(
        self, source: str, user: str, level: int, resource: str, action: str, data: Any
    ) -> None:
        """No effect: no handler of audit logs can be installed."""

    @takes("s")
    def ExtendOrthancExplorer(self, javascript: str) -> None:
        self._ignore_explorer()

    @takes("ss")
    def ExtendOrthancExplorer2(self, plugin: str, javascript: str) -> None:
        self._ignore_explorer()

    def _ignore_explorer(self) -> None:
        self._described.change(extends_explorer=True)
        logger.warning(
            Category.PLUGINS,
            "ExtendOrthancExplorer has no effect: this server has an interface of its own",
        )

    @takes("s")
    def SetDescription(self, text: str) -> None:
        self._described.change(description=text)

    @takes("ss")
    def SetDescription2(self, plugin: str, text: str) -> None:
        self._described.change(description=text)

    @takes("s")
    def SetRootUri(self, uri: str) -> None:
        self._described.change(root_uri=uri)

    @takes("ss")
    def SetRootUri2(self, plugin: str, uri: str) -> None:
        self._described.change(root_uri=uri)

    @takes()
    def GetPeers(self) -> Peers:
        known = self._around.early_services.peers.all(SERVER)
        return Peers([(name, peer.url, peer.properties) for name, peer in sorted(known.items())])

    @takes("iis")
    def RegisterErrorCode(self, code: int, status: int, message: str) -> None:
        raise OrthancException(_PLUGIN_ERRORS, "Error encountered within some plugin")

    @takes("ooo")
    def RegisterStorageArea(self, create: Any, read: Any, remove: Any) -> None:
        _refuse_storage_area("RegisterStorageArea")

    @takes("ooo")
    def RegisterStorageArea3(self, create: Any, read: Any, remove: Any) -> None:
        _refuse_storage_area("RegisterStorageArea3")


def _refuse_storage_area(name: str) -> None:
    raise failure(
        NOT_IMPLEMENTED,
        f"{name}: this server keeps its files itself, since what it acknowledges has to survive "
        "a power cut; see docs/scripting.md",
    )


def _compressed(data: bytes, kind: int) -> bytes:
    size = _SIZE.pack(len(data))
    if kind == _KINDS["ZLIB"]:
        return zlib.compress(data)
    if kind == _KINDS["ZLIB_WITH_SIZE"]:
        return size + zlib.compress(data)
    packed = gzip.compress(data, mtime=0)
    return packed if kind == _KINDS["GZIP"] else size + packed


def _uncompressed(data: bytes, kind: int) -> bytes:
    try:
        if kind == _KINDS["ZLIB_WITH_SIZE"]:
            return zlib.decompress(data[_SIZE.size :])
        if kind == _KINDS["GZIP"]:
            return gzip.decompress(data)
        if kind == _KINDS["GZIP_WITH_SIZE"]:
            return gzip.decompress(data[_SIZE.size :])
    except (OSError, EOFError, zlib.error) as error:
        raise failure(INTERNAL_ERROR) from error
    raise failure(INTERNAL_ERROR)  # plain ZLIB, as Orthanc: its size is not known
