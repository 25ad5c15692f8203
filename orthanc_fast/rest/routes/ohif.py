"""The OHIF viewer below its path, where the option `OHIF` names its folder.

Source: reference chapter 6, section 4; the address and the options are those of Orthanc's plugin.
"""

import asyncio
from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.rest import compression
from orthanc_fast.rest.entity_tags import is_any, is_named
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    NOT_FOUND,
    OCTETS,
    HeaderField,
    Response,
    empty_response,
    json_response,
)
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import begun
from orthanc_fast.rights import Right
from orthanc_fast.services.viewers.ohif import CONFIGURATION, WebFile

JAVASCRIPT = (b"content-type", b"application/javascript; charset=utf-8")
KINDS = {
    ".css": (b"content-type", b"text/css; charset=utf-8"),
    ".html": (b"content-type", b"text/html; charset=utf-8"),
    ".ico": (b"content-type", b"image/x-icon"),
    ".js": JAVASCRIPT,
    ".json": (b"content-type", b"application/json; charset=utf-8"),
    ".jsonc": (b"content-type", b"application/json; charset=utf-8"),
    ".map": (b"content-type", b"application/json; charset=utf-8"),
    ".png": (b"content-type", b"image/png"),
    ".svg": (b"content-type", b"image/svg+xml"),
    ".wasm": (b"content-type", b"application/wasm"),
    ".woff2": (b"content-type", b"font/woff2"),
}
ALWAYS_ASK = (b"cache-control", b"private, no-cache")
NEVER_ASK = (b"cache-control", b"private, max-age=31536000, immutable")


def add_routes(router: Router, settings: Settings) -> None:
    if settings.ohif is not None:
        router.add(
            "GET",
            f"{settings.ohif.base}{{*}}",
            get_file,
            answer="text/html",
            needs=Right.BROWSE,
            limited=True,
        )
        router.add(
            "GET",
            "/plugins/ohif",
            get_plugin,
            answer=dict[str, Any],
            needs=Right.BROWSE,
            limited=True,
        )


async def get_plugin(request: Request) -> Response:
    """As Orthanc describes its plugin: pages that link viewers learn from it that OHIF is there."""
    options = request.services.settings.ohif
    assert options is not None
    return json_response(
        {
            "Description": "OHIF viewer.",
            "ExtendsOrthancExplorer": False,
            "ID": "ohif",
            "RootUri": f"..{options.base}",
        }
    )


async def get_file(request: Request) -> Response:
    """A file of the viewer, or its page for the addresses that it shows in the browser."""
    files = await request.services.ohif_files()
    options = request.services.settings.ohif
    assert options is not None
    prefix = "" if request.proxied is None else request.proxied.prefix
    name = "/".join(request.params)
    if name == CONFIGURATION:
        web = request.services.settings.dicom_web
        roots = (prefix + options.base, prefix + web.public_root, prefix + web.wado_root)
        script = await asyncio.to_thread(files.configuration, *roots)
        return Response(script, JAVASCRIPT, headers=(ALWAYS_ASK,))
    found = await asyncio.to_thread(files.file, name)
    return NOT_FOUND if found is None else await _sent(request, found, prefix + options.base)


async def _sent(request: Request, file: WebFile, base: str) -> Response:
    tag = f'"{file.version}{base}"'.encode()
    caching = NEVER_ASK if file.is_hashed else ALWAYS_ASK
    headers: tuple[HeaderField, ...] = (caching, (b"etag", tag))
    if is_any(request) or is_named(request, tag):
        return empty_response(304, headers)
    response = Response(
        kind=KINDS.get(file.suffix, OCTETS),
        headers=headers,
        length=file.length(base),
        stream=await begun(file.content(base)),
    )
    if not request.services.settings.http_compression_enabled:
        # The viewer has 20 MB of scripts: they are compressed in any case.
        coding = compression.agreed(response, request.header(b"accept-encoding") or b"")
        if coding is not None:
            await compression.compress(response, coding)
    return response
