"""The worklists that this server gives to modalities. Source: reference chapter 7, section 7.2."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.errors import BadFileFormat, BadRequest, InternalError, ParameterOutOfRange
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right

if TYPE_CHECKING:
    from orthanc_fast.services.worklists.registry import WorklistRegistry

_FORMATS: Final[Mapping[str, Format]] = {"Simplify": "simplify", "Short": "short", "Full": "full"}


class WorklistTags(msgspec.Struct, kw_only=True):
    """The data set of a worklist; items of sequences are objects in a list."""

    Tags: dict[str, str | list[Any] | None]


class NewWorklist(WorklistTags, kw_only=True):
    """With `Force` it need not say when its step begins, and with which modality."""

    Force: bool = False


class CreatedWorklist(msgspec.Struct):
    """Where a worklist is."""

    ID: str
    Path: str


class ShownWorklist(msgspec.Struct, omit_defaults=True):
    """A worklist. `CreationDate` is there where worklists are in the database."""

    ID: str
    Tags: dict[str, Any]
    CreationDate: str | None = None


def add_routes(router: Router, settings: Settings) -> None:
    if settings.worklists is None:
        return
    one = "/worklists/{}"
    router.add(
        "GET",
        "/worklists",
        get_worklists,
        arguments="format",
        answer=list[ShownWorklist],
        needs=Right.BROWSE,
    )
    router.add(
        "POST",
        "/worklists/create",
        post_create,
        body=NewWorklist,
        answer=CreatedWorklist,
        needs=Right.MODIFY,
    )
    router.add(
        "GET", one, get_worklist, arguments="format", answer=ShownWorklist, needs=Right.BROWSE
    )
    router.add(
        "PUT", one, put_worklist, body=WorklistTags, answer=CreatedWorklist, needs=Right.MODIFY
    )
    router.add("DELETE", one, delete_worklist, answer=dict[str, str], needs=Right.MODIFY)
    router.add("GET", "/plugins/worklists", get_plugin, answer=dict[str, Any], needs=Right.BROWSE)


async def get_plugin(request: Request) -> Response:
    """As Orthanc describes its plugin: clients learn from it that there are worklists."""
    return json_response(
        {
            "Description": "Worklists for modalities.",
            "ExtendsOrthancExplorer": False,
            "ID": "worklists",
        }
    )


async def get_worklists(request: Request) -> Response:
    """All worklists; `format` is Simplify, Short or Full."""
    registry, form = _registry(request), _form(request)
    return json_response(await asyncio.to_thread(registry.all, request.caller, form))


async def get_worklist(request: Request) -> Response:
    """One worklist; `format` is Simplify, Short or Full."""
    registry, form = _registry(request), _form(request)
    name = request.params[0]
    return json_response(await asyncio.to_thread(registry.get, request.caller, name, form))


async def post_create(request: Request) -> Response:
    """Creates a worklist."""
    body = await _body(request)
    force = body.get("Force", False)
    if not isinstance(force, bool):
        raise BadFileFormat("The field Force must be true or false")
    create = _registry(request).create
    return _created(await asyncio.to_thread(create, request.caller, body["Tags"], force))


async def put_worklist(request: Request) -> Response:
    """Replaces a worklist, or creates the one of this name."""
    body = await _body(request)
    name, put = request.params[0], _registry(request).put
    await asyncio.to_thread(put, request.caller, name, body["Tags"])
    return _created(name)


async def delete_worklist(request: Request) -> Response:
    """Deletes a worklist."""
    await asyncio.to_thread(_registry(request).delete, request.caller, request.params[0])
    return json_response({})


def _registry(request: Request) -> "WorklistRegistry":
    return request.services.worklist_registry


def _created(identifier: str) -> Response:
    return json_response(CreatedWorklist(identifier, f"/worklists/{identifier}"))


def _form(request: Request) -> Format:
    given = request.arguments.get("format", "Simplify")
    form = _FORMATS.get(given)
    if form is None:
        raise ParameterOutOfRange(f"format must be Simplify, Short or Full, not {given!r}")
    return form


async def _body(request: Request) -> dict[str, Any]:
    """A body with tags. A list fails otherwise than all else that is no object, as with Orthanc."""
    try:
        body = await request.json()
    except BadRequest as error:
        raise BadFileFormat("The body must be a JSON object with the field Tags") from error
    if isinstance(body, list):
        raise InternalError("The body must be a JSON object with the field Tags, not a list")
    if not isinstance(body, dict) or not isinstance(body.get("Tags"), dict):
        raise BadFileFormat("The body must be a JSON object whose field Tags is an object")
    return body
