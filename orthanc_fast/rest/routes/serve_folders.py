"""Folders of the site over HTTP. Source: reference chapter 4, section 10.4; chapter 7, section
7.5."""

import asyncio
from email.utils import formatdate
from typing import Any, Final

from orthanc_fast.config import Settings
from orthanc_fast.config_plugins import ServedFolder
from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.rest.entity_tags import is_any, is_named
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    PATHSEND_FROM,
    HeaderField,
    Response,
    empty_response,
    json_response,
)
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rights import Right
from orthanc_fast.services.viewers.folders import ServedFile

INEXISTENT_FILE: Final = 13
OVERVIEW: Final = "/app/plugin-serve-folders.html"
_NO_CACHE: Final[tuple[HeaderField, ...]] = (
    (b"cache-control", b"no-cache, no-store, must-revalidate"),
    (b"pragma", b"no-cache"),
    (b"expires", b"0"),
)


def add_routes(router: Router, settings: Settings) -> None:
    options = settings.serve_folders
    if options is None:
        return
    for served in options.folders:
        router.add(
            "GET", f"/{served.uri}/{{*}}", _files_of(served), answer="text/html", needs=Right.BROWSE
        )
    router.add("GET", OVERVIEW, get_overview, answer="text/html", needs=Right.BROWSE)
    router.add(
        "GET", "/plugins/serve-folders", get_plugin, answer=dict[str, Any], needs=Right.BROWSE
    )


async def get_plugin(request: Request) -> Response:
    """As Orthanc describes its plugin."""
    return json_response(
        {
            "Description": "Folders of this site.",
            "ExtendsOrthancExplorer": False,
            "ID": "serve-folders",
            "RootUri": f"..{OVERVIEW}",
        }
    )


async def get_overview(request: Request) -> Response:
    """A page with the served folders."""
    return await _sent(request, request.services.served_folders.overview())


def _files_of(served: ServedFolder) -> Handler:
    async def get_file(request: Request) -> Response:
        """A file of a served folder, or a listing where index.html is asked for and not there."""
        if not request.params:
            raise UnknownResource
        find = request.services.served_folders.find
        found = await asyncio.to_thread(find, served, request.params)
        if found is None:
            raise OrthancError(code=INEXISTENT_FILE)
        return await _sent(request, found)

    return get_file


async def _sent(request: Request, file: ServedFile) -> Response:
    options = request.services.settings.serve_folders
    headers: list[HeaderField] = []
    if options is None or not options.allow_cache:
        headers += _NO_CACHE
    if file.modified is not None:
        headers.append((b"last-modified", formatdate(file.modified, usegmt=True).encode()))
    if file.digest is not None:
        tag = f'"{file.digest}"'.encode()
        headers.append((b"etag", tag))
        if is_any(request) or is_named(request, tag):
            return empty_response(304, tuple(headers))
    kind = (b"content-type", file.kind.encode())
    if file.path is None:
        return Response(file.content, kind, headers=tuple(headers))
    if file.size >= PATHSEND_FROM:
        path = file.sendable
        return Response(kind=kind, headers=tuple(headers), path=path, length=file.size)
    try:
        content = await asyncio.to_thread(file.path.read_bytes)
    except OSError as error:
        raise OrthancError(code=INEXISTENT_FILE) from error
    return Response(content, kind, headers=tuple(headers))
