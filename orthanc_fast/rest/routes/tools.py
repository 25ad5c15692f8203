"""The routes below /tools. Source: reference chapter 1, sections 8.2, 9.7 and 10.2."""

import secrets
import uuid
from functools import cache
from typing import Any

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import from_text, to_text
from orthanc_fast.dicom.main_tags import level_named
from orthanc_fast.errors import BadRequest, ParameterOutOfRange
from orthanc_fast.model import Level
from orthanc_fast.rest.path_identifiers import NOBODY
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import NOT_FOUND, Response, json_response, text_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.describe import NAMES, PLURALS, now_text

# As Orthanc's, so that a script can tell the level from a UID: reference chapter 1, section 10.2.
# 100 random bits follow, which makes at most 56 characters of the 64 (PS3.5, section 9).
UID_ROOTS = {
    "study": "1.2.276.0.7230010.3.1.2",
    "series": "1.2.276.0.7230010.3.1.3",
    "instance": "1.2.276.0.7230010.3.1.4",
}


class BulkDeleteRequest(msgspec.Struct):
    """The body of /tools/bulk-delete: identifiers, or objects {"Level", "ID"}."""

    Resources: list[str | dict[str, str]]


def add_routes(router: Router, settings: Settings) -> None:
    router.add("GET", "/tools/now", get_now, answer="text/plain", needs=Right.BROWSE, limited=True)
    router.add(
        "GET",
        "/tools/now-local",
        get_now_local,
        answer="text/plain",
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/tools/generate-uid",
        get_generate_uid,
        arguments="level",
        answer="text/plain",
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "POST",
        "/tools/lookup",
        post_lookup,
        body="text/plain",
        answer=list[dict[str, str]],
        needs=Right.BROWSE,
        limited=True,
    )
    if not settings.read_only:
        router.add(
            "POST",
            "/tools/bulk-delete",
            post_bulk_delete,
            body=BulkDeleteRequest,
            answer="text/plain",
            needs=Right.DELETE,
            limited=True,
        )

    @cache
    def names() -> list[str]:  # complete when all families have added their routes
        routes = (route.path for route in router.routes)
        return sorted({path.split("/")[2] for path in routes if path.startswith("/tools/")})

    async def get_tools(request: Request) -> Response:
        """The names of the routes below /tools."""
        return json_response(names())

    router.add("GET", "/tools", get_tools, answer=list[str], needs=Right.BROWSE, limited=True)


async def get_now(request: Request) -> Response:
    """The present moment in UTC."""
    return text_response(now_text())


async def get_now_local(request: Request) -> Response:
    """The present moment in the server's time zone."""
    return text_response(now_text(local=True))


async def get_generate_uid(request: Request) -> Response:
    """A new UID of the given level; a UUID for a patient."""
    level = request.arguments.get("level")
    if level == "patient":
        return text_response(str(uuid.uuid4()))
    if level in UID_ROOTS:
        return text_response(f"{UID_ROOTS[level]}.{secrets.randbits(100)}")
    return NOT_FOUND


async def post_lookup(request: Request) -> Response:
    """The resources that have the text of the body as their DICOM identifier."""
    text = (await request.body()).decode("utf-8", "replace")
    if not text:
        return json_response([])
    if "*" in text or "?" in text:
        raise ParameterOutOfRange("Wildcards are not allowed in a lookup")
    services = request.services
    found = await services.reads.run(services.resources.with_dicom_identifier, request.caller, text)
    return json_response([_entry(level, public) for level, public in found])


def _entry(level: Level, public: bytes) -> dict[str, str]:
    text = to_text(public)
    return {"ID": text, "Path": f"/{PLURALS[level]}/{text}", "Type": NAMES[level]}


async def post_bulk_delete(request: Request) -> Response:
    """Deletes the resources that the body lists; unknown ones are ignored."""
    body = await request.json_object()
    listed = body.get("Resources")
    if not isinstance(listed, list):
        raise BadRequest('The field "Resources" must be a list of identifiers')
    wanted = [_wanted(item) for item in listed]
    await request.services.deletion.delete_listed(request.caller, wanted)
    return text_response()


def _wanted(item: Any) -> tuple[Level | None, bytes]:
    if isinstance(item, str):
        return None, from_text(item) or NOBODY
    if isinstance(item, dict) and isinstance(item.get("ID"), str):
        level = level_named(str(item.get("Level", "")))
        return level, from_text(item["ID"]) or NOBODY
    raise BadRequest('An item of "Resources" must be an identifier, or an object {"Level", "ID"}')
