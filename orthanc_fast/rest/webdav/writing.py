"""PUT, MKCOL and DELETE. Source: the running server."""

import asyncio

import msgspec

from orthanc_fast.model import Caller
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, empty_response
from orthanc_fast.rest.webdav.reading import find
from orthanc_fast.services.webdav.tree import VIEWS
from orthanc_fast.services.webdav.uploads import Place, UploadFolder
from orthanc_fast.services.webdav.webdav import UPLOADS

_NO_CONTENT, _FORBIDDEN = 204, 403
_OF_PLACE = {Place.FREE: 201, Place.NOWHERE: 409, Place.TAKEN: 405, Place.TOO_DEEP: _FORBIDDEN}


async def put_file(request: Request) -> Response:
    uploads, path = _uploads(request)
    if uploads is None:
        return empty_response(_FORBIDDEN)
    place = uploads.place(path)
    if place == Place.FREE:
        place = await uploads.put(_uploader(request.caller), path, await request.upload())
    return empty_response(_OF_PLACE[place])


async def make_folder(request: Request) -> Response:
    uploads, path = _uploads(request)
    if uploads is None:
        return empty_response(_FORBIDDEN)
    return empty_response(_OF_PLACE[uploads.make_folder(path)])


async def delete(request: Request) -> Response:
    uploads, path = _uploads(request)
    if uploads is not None:
        return empty_response(_NO_CONTENT if uploads.delete(path) else _FORBIDDEN)
    webdav, settings = request.services.webdav, request.services.settings
    is_allowed = settings.webdav_delete_allowed and not settings.read_only
    if not is_allowed or not request.params or request.params[0] not in VIEWS:
        return empty_response(_FORBIDDEN)
    if request.params == ["by-uids"]:
        return empty_response(_FORBIDDEN)
    node = await find(request, webdav)
    if node is None:
        return empty_response(_FORBIDDEN)
    below = await asyncio.to_thread(webdav.tree.below, request.caller, node)
    await webdav.delete(request.caller, below)
    return empty_response(_NO_CONTENT)


def _uploads(request: Request) -> tuple[UploadFolder | None, list[str]]:
    """The folder of uploads and the path in it; None for what lies elsewhere."""
    uploads, path = request.services.webdav.uploads, request.params
    if uploads is None or not path or path[0] != UPLOADS:
        return None, []
    return uploads, path[1:]


def _uploader(caller: Caller) -> Caller:
    """Orthanc keeps of an upload that it came by WebDAV, and neither the user nor the address."""
    return msgspec.structs.replace(caller, origin="WebDav", user=None, address=None)
