"""WebDAV below /webdav. Source: reference chapter 4, section 10.1.

What answers is loaded with the first request, so that workers that get none are not larger. Bodies
of PROPFIND, PROPPATCH and LOCK are not looked at, as in Orthanc: no XML is ever read.
"""

from collections.abc import Awaitable, Callable
from functools import wraps

from orthanc_fast.config import Settings
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rest.uri import segments
from orthanc_fast.rights import Right

ROOT = "webdav"


def add_routes(router: Router, settings: Settings) -> None:
    if not settings.webdav_enabled:
        return
    for method, handler, right in (
        ("GET", get_file, Right.BROWSE),
        ("PUT", put_file, Right.UPLOAD),
        ("DELETE", delete, Right.DELETE),
        ("OPTIONS", describe, Right.BROWSE),
        ("PROPFIND", list_folder, Right.BROWSE),
        ("PROPPATCH", set_properties, Right.UPLOAD),
        ("MKCOL", make_folder, Right.UPLOAD),
        ("LOCK", lock, Right.UPLOAD),
        ("UNLOCK", unlock, Right.UPLOAD),
    ):
        path, limited = f"/{ROOT}/{{*}}", right == Right.BROWSE
        answering = _with_plus(handler)
        router.add(method, path, answering, only=True, needs=right, limited=limited)


def _with_plus(handler: Callable[[Request], Awaitable[Response]]) -> Handler:
    """A plus sign in a path is one here, as in every path but Orthanc's: rclone and others leave
    it as it is, and names have some."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        if b"+" in request.raw_path:
            request.segments = segments(request.raw_path.replace(b"+", b"%2B"))
            request.params = request.segments[1:]
        return await handler(request)

    return answer


async def describe(request: Request) -> Response:
    """What the server offers."""
    from orthanc_fast.rest.webdav import locks

    return locks.describe(request)


async def get_file(request: Request) -> Response:
    """A file of the folders, or the part of it that `Range` asks for."""
    from orthanc_fast.rest.webdav import reading

    return await reading.get_file(request)


async def list_folder(request: Request) -> Response:
    """A folder, and what lies in it with the header `Depth: 1`."""
    from orthanc_fast.rest.webdav import reading

    return await reading.list_folder(request)


async def put_file(request: Request) -> Response:
    """Stores a DICOM file or a ZIP archive that is put into the folder `uploads`."""
    from orthanc_fast.rest.webdav import writing

    return await writing.put_file(request)


async def make_folder(request: Request) -> Response:
    """Makes a folder below `uploads`."""
    from orthanc_fast.rest.webdav import writing

    return await writing.make_folder(request)


async def delete(request: Request) -> Response:
    """Deletes what a folder or file stands for, if WebDavDeleteAllowed."""
    from orthanc_fast.rest.webdav import writing

    return await writing.delete(request)


async def lock(request: Request) -> Response:
    """Grants every lock, and holds none."""
    from orthanc_fast.rest.webdav import locks

    return locks.lock(request)


async def unlock(request: Request) -> Response:
    """Ends a lock."""
    from orthanc_fast.rest.webdav import locks

    return locks.unlock(request)


async def set_properties(request: Request) -> Response:
    """Accepts every property, and keeps none."""
    from orthanc_fast.rest.webdav import locks

    return locks.set_properties(request)
