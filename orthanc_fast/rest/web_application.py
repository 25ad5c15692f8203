"""A file of a web application as an answer."""

from orthanc_fast.rest import compression
from orthanc_fast.rest.entity_tags import is_any, is_named
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import OCTETS, HeaderField, Response, empty_response
from orthanc_fast.rest.streaming import begun
from orthanc_fast.services.viewers.application import WebFile

HTML = (b"content-type", b"text/html; charset=utf-8")
CSS = (b"content-type", b"text/css; charset=utf-8")
JAVASCRIPT = (b"content-type", b"application/javascript; charset=utf-8")
JSON = (b"content-type", b"application/json; charset=utf-8")
KINDS = {
    ".css": CSS,
    ".html": HTML,
    ".ico": (b"content-type", b"image/x-icon"),
    ".jpg": (b"content-type", b"image/jpeg"),
    ".js": JAVASCRIPT,
    ".json": JSON,
    ".jsonc": JSON,
    ".map": JSON,
    ".mjs": JAVASCRIPT,
    ".png": (b"content-type", b"image/png"),
    ".svg": (b"content-type", b"image/svg+xml"),
    ".ttf": (b"content-type", b"font/ttf"),
    ".wasm": (b"content-type", b"application/wasm"),
    ".woff": (b"content-type", b"font/woff"),
    ".woff2": (b"content-type", b"font/woff2"),
}
ALWAYS_ASK = (b"cache-control", b"private, no-cache")
NEVER_ASK = (b"cache-control", b"private, max-age=31536000, immutable")


async def sent(request: Request, file: WebFile, base: str = "/") -> Response:
    """The file as it is below the path `base`, or that the browser has it already."""
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
    await _compress(request, response)
    return response


async def sent_content(
    request: Request, content: bytes, kind: HeaderField, version: str
) -> Response:
    """What was made of files; `version` changes with it."""
    tag = f'"{version}"'.encode()
    headers: tuple[HeaderField, ...] = (ALWAYS_ASK, (b"etag", tag))
    if is_any(request) or is_named(request, tag):
        return empty_response(304, headers)
    response = Response(content, kind, headers=headers)
    await _compress(request, response)
    return response


async def _compress(request: Request, response: Response) -> None:
    """Applications have 20 MB of scripts: they are compressed in any case."""
    if request.services.settings.http_compression_enabled:
        return  # the application does so with every answer
    coding = compression.agreed(response, request.header(b"accept-encoding") or b"")
    if coding is not None:
        await compression.compress(response, coding)


def prefix_of(request: Request) -> str:
    """What a proxy has taken off the path."""
    return "" if request.proxied is None else request.proxied.prefix


def to_folder(request: Request) -> Response | None:
    """To the path with a slash at its end, without which relative addresses of a page lead
    elsewhere; None for a request that has it, or that asks for a file below."""
    if request.params or request.is_folder:
        return None
    return empty_response(307, ((b"location", f"{request.segments[-1]}/".encode()),))
