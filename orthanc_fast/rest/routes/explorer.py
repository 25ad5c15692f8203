"""The front page and its files below /app, and /plugins. Source: reference chapter 1, sections
1.10 and 10.2.

The files are part of the package, built from `web/`, and are read once, at the first request of a
process.
"""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.imaging.unsupported import unsupported_png
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    NOT_FOUND,
    HeaderField,
    Response,
    empty_response,
    json_response,
)
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import SERVER_FACTS, Right

JAVASCRIPT = (b"content-type", b"application/javascript")
PNG = (b"content-type", b"image/png")

KINDS = {
    ".html": (b"content-type", b"text/html; charset=utf-8"),
    ".css": (b"content-type", b"text/css; charset=utf-8"),
    ".js": JAVASCRIPT,
    ".ico": (b"content-type", b"image/svg+xml"),
    ".txt": (b"content-type", b"text/plain; charset=utf-8"),
    ".wasm": (b"content-type", b"application/wasm"),
}
UNSUPPORTED = "images/unsupported.png"

# What a page may do: nothing but ask this server. Previews and downloads are blobs and data; the
# viewer shows documents in a frame, and plays videos.
_SAFETY: tuple[HeaderField, ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        b"connect-src 'self'; frame-src 'self'; media-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    ),
    (b"referrer-policy", b"no-referrer"),
)
HEADERS = (*_SAFETY, (b"cache-control", b"no-cache"))
# Names in this folder hold a hash of the content.
ASSETS = "assets/"
ASSET_HEADERS = (*_SAFETY, (b"cache-control", b"private, max-age=31536000, immutable"))

FRONT_PAGE = "app/explorer.html"
PYTHON_PLUGIN = "7.1"  # whose API scripts have
EXTENSIONS = b"// Extensions of the front page by plugins: there are none\n"


def add_routes(router: Router, settings: Settings) -> None:
    if settings.orthanc_explorer_enabled:
        router.add("GET", "/", get_root, needs=SERVER_FACTS, limited=True)
        router.add("GET", "/favicon.ico", get_icon, needs=SERVER_FACTS, limited=True)
        router.add(
            "GET", "/app/{*}", get_file, answer="text/html", needs=SERVER_FACTS, limited=True
        )
    router.add("GET", "/plugins", get_plugins, answer=list[str], needs=Right.BROWSE, limited=True)
    router.add("GET", "/plugins/{}", get_plugin, needs=Right.BROWSE, limited=True)
    if has_python(settings):
        router.add(
            "GET",
            "/plugins/python",
            get_python,
            answer=dict[str, Any],
            needs=Right.BROWSE,
            limited=True,
        )
    router.add(
        "GET",
        "/plugins/explorer.js",
        get_extensions,
        answer="application/javascript",
        needs=Right.BROWSE,
        limited=True,
    )


async def get_root(request: Request) -> Response:
    """To the front page, or to the one that the site has put in its place."""
    other = request.services.settings.explorer_2
    page = f"{other.base[1:]}app/" if other is not None and other.is_default else FRONT_PAGE
    return empty_response(307, ((b"location", page.encode()),))


async def get_icon(request: Request) -> Response:
    """To the icon of the front page."""
    return empty_response(307, ((b"location", b"app/images/favicon.ico"),))


async def get_file(request: Request) -> Response:
    """A file of the front page."""
    name = "/".join(request.params)
    if name == UNSUPPORTED:
        return Response(unsupported_png(), PNG)
    content = _files().get(name)
    if content is None:
        return NOT_FOUND
    headers = ASSET_HEADERS if name.startswith(ASSETS) else HEADERS
    return Response(content, KINDS[Path(name).suffix], headers=headers)


@cache
def _files() -> dict[str, bytes]:
    root = resources.files("orthanc_fast.rest") / "static" / "app"
    return dict(_files_of(root, ""))


def _files_of(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files_of(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.read_bytes()


async def get_plugins(request: Request) -> Response:
    """The names of the plugins: what every Orthanc lists, and what is built in here and clients
    look for."""
    settings = request.services.settings
    optional = {
        "delayed-deletion": settings.delayed_deletion,
        "housekeeper": settings.housekeeper is not None,
        "multitenant-dicom": bool(settings.tenants),
        "ohif": settings.ohif is not None,
        "orthanc-explorer-2": settings.explorer_2 is not None,
        "python": has_python(settings),
        "serve-folders": settings.serve_folders is not None,
        "volview": settings.volview is not None,
        "worklists": settings.worklists is not None,
    }
    enabled = [name for name, is_enabled in optional.items() if is_enabled]
    return json_response(["explorer.js", "dicom-web", *enabled])


def has_python(settings: Settings) -> bool:
    """Whether there is a script in Python."""
    return settings.scripting is not None and settings.scripting.python_script is not None


async def get_python(request: Request) -> Response:
    """What the script in Python says of itself."""
    calls = request.services.script_calls
    found = None if calls is None else calls.registered.described("python")
    if found is None:
        return NOT_FOUND
    answer = {
        "Description": found.description,
        "ExtendsOrthancExplorer": found.extends_explorer,
        "ID": "python",
        "Version": PYTHON_PLUGIN,
    }
    if found.root_uri is not None:
        answer["RootUri"] = f"..{found.root_uri}"
    return json_response(answer)


async def get_plugin(request: Request) -> Response:
    """What a plugin says of itself."""
    return NOT_FOUND


async def get_extensions(request: Request) -> Response:
    """What plugins add to the front page: nothing."""
    return Response(EXTENSIONS, JAVASCRIPT)
