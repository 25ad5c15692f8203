"""/exports and /instances/{id}/export. Source: reference chapter 1, sections 4.5 and 7.3."""

import asyncio
from pathlib import Path

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadParameterType, ReadOnly
from orthanc_fast.index.lmdb.exports import exports, last_export
from orthanc_fast.model import Level
from orthanc_fast.rest.identifiers import require
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    PLAIN_JSON,
    Response,
    empty_response,
    json_response,
    text_response,
)
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.uri import integer, unsigned
from orthanc_fast.services.attachments.reading import dicom_attachment
from orthanc_fast.services.browse.exports import ClearExports, ExportEntry, export_entry, write_file

DEFAULT_LIMIT = 100
FORBIDDEN = 403


class ExportsAnswer(msgspec.Struct, omit_defaults=True, gc=False):
    """`GET /exports`; `First` is missing where there are no entries."""

    Done: bool
    Exports: list[ExportEntry]
    Last: int
    First: int | None = None


def add_routes(router: Router, settings: Settings) -> None:
    router.add("GET", "/exports", get_exports, arguments="since limit last", answer=ExportsAnswer)
    router.add("DELETE", "/exports", delete_exports, answer="text/plain")
    router.add("POST", "/instances/{}/export", post_export, body="text/plain", answer=dict)


async def get_exports(request: Request) -> Response:
    """The log of what was sent to other servers, oldest first."""
    arguments = request.arguments
    with request.services.index.view() as view:
        if "last" in arguments:
            since, done = 0, True
            newest = last_export(view)
            found = [] if newest is None else [newest]
        else:
            since, limit = _bounds(arguments)
            found, done = exports(view, since, limit)
    if not found:
        return json_response(ExportsAnswer(done, [], since))
    entries = [export_entry(*row) for row in found]
    return json_response(ExportsAnswer(done, entries, entries[-1].Seq, entries[0].Seq))


def _bounds(arguments: dict[str, str]) -> tuple[int, int]:
    """(since, limit); if one of them is no number both have their defaults."""
    try:
        limit = unsigned(arguments["limit"], 32) if "limit" in arguments else DEFAULT_LIMIT
        return integer(arguments.get("since", "0")), limit
    except BadParameterType:
        return 0, DEFAULT_LIMIT


async def delete_exports(request: Request) -> Response:
    """Empties the log; sequence numbers go on."""
    if request.services.settings.read_only:
        raise ReadOnly
    await request.services.write(ClearExports())
    return text_response()


async def post_export(request: Request) -> Response:
    """Writes the DICOM file to the path in the body, on the server's disks."""
    services = request.services
    if not services.settings.write_to_file_system_enabled:
        return empty_response(FORBIDDEN)
    with services.index.view() as view:
        instance = require(view, Level.INSTANCE, request.params[0])
    target = Path((await request.body()).decode("utf-8", "surrogateescape"))
    parts = services.attachments.files.content(dicom_attachment(instance))
    await asyncio.to_thread(write_file, target, parts)
    return Response(b"{}", PLAIN_JSON)
