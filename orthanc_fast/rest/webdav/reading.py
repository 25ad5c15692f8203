"""PROPFIND, GET and HEAD. Source: the running server."""

import asyncio
from collections.abc import Iterator

from orthanc_fast.errors import NetworkProtocol, ParameterOutOfRange
from orthanc_fast.model import Attachment, Level, Resource
from orthanc_fast.registries import RECEPTION_DATE
from orthanc_fast.rest.byte_range import byte_range
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    DICOM,
    NOT_FOUND,
    PATHSEND_FROM,
    HeaderField,
    Response,
)
from orthanc_fast.rest.streaming import begun
from orthanc_fast.rest.uri import integer_argument
from orthanc_fast.rest.webdav import multistatus
from orthanc_fast.services.attachments.reading import dicom_attachment
from orthanc_fast.services.webdav.instants import http_date, second_of
from orthanc_fast.services.webdav.nodes import (
    Branch,
    Document,
    Item,
    Node,
    Shelf,
    StoredFile,
    media_type,
)
from orthanc_fast.services.webdav.tree import VIEWS
from orthanc_fast.services.webdav.uploads import UploadFolder
from orthanc_fast.services.webdav.webdav import UPLOADS, WebDav

_MULTI_STATUS = 207
_RANGES: HeaderField = (b"accept-ranges", b"bytes")


# Folders


async def list_folder(request: Request) -> Response:
    depth = _depth(request)
    webdav, path = request.services.webdav, request.params
    if not path:
        names = (*VIEWS, UPLOADS) if _uploads(request) is not None else VIEWS
        return _folder(request, [Item(name) for name in names] if depth else [])
    if path[0] == UPLOADS and _uploads(request) is not None:
        return _of_uploads(request, depth)
    if path[0] not in VIEWS:
        return NOT_FOUND
    webdav.tree.check_listed(path)
    node = await find(request, webdav)
    if node is None:
        return NOT_FOUND
    if isinstance(node, Shelf | Branch):
        return await _listing(request, webdav, node, depth)
    item = _item(node)
    body = multistatus.of_file(request.segments, item)
    return _answer(multistatus.HEAD + body + multistatus.TAIL)


async def find(request: Request, webdav: WebDav) -> Node | None:
    """What the path leads to: at once where few folders are named on the way, else in a thread."""
    return await asyncio.to_thread(webdav.tree.find, request.caller, request.params)


def _depth(request: Request) -> int:
    """Raises BadParameterType for what is no number, NetworkProtocol for one that is not offered;
    without one RFC 4918 means all that lies below, which is not offered either."""
    given = request.header(b"depth")
    if given is None:
        raise NetworkProtocol("PROPFIND needs the header Depth: 0 or 1")
    depth = integer_argument(given.decode("latin-1"), 32)
    if depth not in (0, 1):
        raise NetworkProtocol(f"PROPFIND is answered for Depth 0 or 1, not {depth}")
    return depth


def _uploads(request: Request) -> UploadFolder | None:
    """The folder of what was put a moment ago; for who sees some studies only there is none, since
    names of files tell of others."""
    return None if request.who.is_limited else request.services.webdav.uploads


def _of_uploads(request: Request, depth: int) -> Response:
    uploads, path = _uploads(request), request.params[1:]
    assert uploads is not None
    found = uploads.find(path)
    if found is None:
        return NOT_FOUND
    if found.is_folder:
        return _folder(request, uploads.items(path) if depth else [])
    item = Item(path[-1], found.made, media_type(path[-1]), found.size or 0)
    body = multistatus.of_file(request.segments, item)
    return _answer(multistatus.HEAD + body + multistatus.TAIL)


def _folder(request: Request, items: list[Item]) -> Response:
    body = multistatus.of_itself(request.segments) + multistatus.responses(request.segments, items)
    return _answer(multistatus.HEAD + body + multistatus.TAIL)


def _answer(body: bytes) -> Response:
    return Response(body, multistatus.XML, _MULTI_STATUS)


async def _listing(request: Request, webdav: WebDav, node: Shelf | Branch, depth: int) -> Response:
    if not depth:
        return _folder(request, [])
    parts = webdav.tree.items(request.caller, node)
    if webdav.tree.is_small(node):
        items = await asyncio.to_thread(lambda: [item for part in parts for item in part])
        return _folder(request, items)
    stream = await begun(_written(request, parts))
    return Response(kind=multistatus.XML, status=_MULTI_STATUS, stream=stream)


def _written(request: Request, parts: Iterator[list[Item]]) -> Iterator[bytes]:
    """A large folder, some entries at a time."""
    head = multistatus.HEAD + multistatus.of_itself(request.segments)
    for part in parts:
        if part:
            yield head + multistatus.responses(request.segments, part)
            head = b""
    yield head + multistatus.TAIL


def _item(node: StoredFile | Document) -> Item:
    if isinstance(node, Document):
        return Item(node.name, None, media_type(node.name), len(node.body))
    size = dicom_attachment(node.instance).size
    return Item(node.name, _received(node.instance), media_type(node.name), size)


def _received(instance: Resource) -> int | None:
    return second_of(instance.metadata.get(RECEPTION_DATE))


# Files


async def get_file(request: Request) -> Response:
    webdav, path = request.services.webdav, request.params
    if path and path[0] == UPLOADS and _uploads(request) is not None:
        return await _get_upload(request)
    if not path or path[0] not in VIEWS:
        return NOT_FOUND
    node = await find(request, webdav)
    if isinstance(node, Document):
        kind = (b"content-type", media_type(node.name).encode())
        return Response(node.body, kind)
    return await _stored(request, node.instance) if isinstance(node, StoredFile) else NOT_FOUND


async def _get_upload(request: Request) -> Response:
    """A file that has been put a moment ago: the one of its instance, or nothing."""
    uploads, path = _uploads(request), request.params[1:]
    assert uploads is not None
    if not path:
        raise ParameterOutOfRange("a folder cannot be downloaded: ask for it by PROPFIND")
    found = uploads.find(path)
    if found is None or found.is_folder:
        return NOT_FOUND
    if not found.size:
        return Response(b"", (b"content-type", media_type(path[-1]).encode()))
    services = request.services
    instance = await services.reads.run(
        services.resources.find, request.caller, Level.INSTANCE, found.instance
    )
    return NOT_FOUND if instance is None else await _stored(request, instance)


async def _stored(request: Request, instance: Resource) -> Response:
    attachment = dicom_attachment(instance)
    received = _received(instance)
    headers = [_RANGES]
    if received is not None:
        headers.append((b"last-modified", http_date(received).encode()))
    asked = request.header(b"range")
    # What `If-Range` names may be another version: then all of it is sent.
    known = request.header(b"if-range")
    is_same = known is None or (b"last-modified", known) in headers
    part = byte_range(asked, attachment.size) if asked is not None and is_same else None
    response = await _content(request, attachment, part)
    if part is not None:
        first, stop = part
        response.status = 206
        span = b"bytes %d-%d/%d" % (first, stop - 1, attachment.size)
        headers.append((b"content-range", span))
    response.headers = tuple(headers)
    return response


async def _content(
    request: Request, attachment: Attachment, part: tuple[int, int] | None
) -> Response:
    services = request.services
    if part is not None:
        first, stop = part
        stream = await begun(services.attachments.parts.excerpt(attachment, first, stop - first))
        return Response(kind=DICOM, stream=stream, length=stop - first)
    if attachment.size < PATHSEND_FROM:
        return Response(await services.contents.content(attachment), DICOM)
    path = None if attachment.compressed else services.attachments.sendable(attachment)
    if path is not None:
        return Response(kind=DICOM, path=path, length=attachment.size)
    stream = await begun(services.attachments.parts.content(attachment))
    return Response(kind=DICOM, stream=stream, length=attachment.size)
