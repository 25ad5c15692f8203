"""/exports and /instances/{id}/export. Source: reference chapter 1, sections 4.5 and 7.3."""

from pathlib import Path

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadParameterType
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    PLAIN_JSON,
    Response,
    empty_response,
    json_response,
    text_response,
)
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.uri import integer_argument, unsigned_argument
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.exports import ExportEntry, export_entry

DEFAULT_LIMIT = 100
FORBIDDEN = 403


class ExportsAnswer(msgspec.Struct, omit_defaults=True, gc=False):
    """`GET /exports`; `First` is missing where there are no entries."""

    Done: bool
    Exports: list[ExportEntry]
    Last: int
    First: int | None = None


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "GET",
        "/exports",
        get_exports,
        arguments="since limit last",
        answer=ExportsAnswer,
        needs=Right.BROWSE,
    )
    router.add("DELETE", "/exports", delete_exports, answer="text/plain", needs=Right.ADMINISTRATE)
    router.add(
        "POST",
        "/instances/{}/export",
        post_export,
        body="text/plain",
        answer=dict,
        needs=Right.ADMINISTRATE,
    )


def get_exports(request: Request) -> Response:
    """The log of what was sent to other servers, oldest first."""
    arguments, exports = request.arguments, request.services.exports
    if "last" in arguments:
        since, done = 0, True
        newest = exports.newest(request.caller)
        found = [] if newest is None else [newest]
    else:
        since, limit = _bounds(arguments)
        found, done = exports.page(request.caller, since, limit)
    if not found:
        return json_response(ExportsAnswer(done, [], since))
    entries = [export_entry(*row) for row in found]
    return json_response(ExportsAnswer(done, entries, entries[-1].Seq, entries[0].Seq))


def _bounds(arguments: dict[str, str]) -> tuple[int, int]:
    """(since, limit); if one of them is no number both have their defaults."""
    try:
        limit = unsigned_argument(arguments["limit"], 32) if "limit" in arguments else DEFAULT_LIMIT
        return integer_argument(arguments.get("since", "0")), limit
    except BadParameterType:
        return 0, DEFAULT_LIMIT


async def delete_exports(request: Request) -> Response:
    """Empties the log; sequence numbers go on."""
    await request.services.exports.clear(request.caller)
    return text_response()


async def post_export(request: Request) -> Response:
    """Writes the DICOM file to the path in the body, on the server's disks."""
    services = request.services
    if not services.settings.write_to_file_system_enabled:
        return empty_response(FORBIDDEN)
    target = Path((await request.body()).decode("utf-8", "surrogateescape"))
    await services.exports.write_instance(request.caller, public_id(request), target)
    return Response(b"{}", PLAIN_JSON)
