"""The routes of /modalities that need no network. Source: reference chapter 4, section 5.2."""

from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadFileFormat, BadRequest
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import NOT_FOUND, Response, json_response, text_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.uri import boolean
from orthanc_fast.rights import SERVER_FACTS, Right
from orthanc_fast.services.exchange.modalities import parse_modality

OPERATIONS = (
    "configuration",
    "echo",
    "find",
    "find-instance",
    "find-patient",
    "find-series",
    "find-study",
    "find-worklist",
    "get",
    "move",
    "query",
    "storage-commitment",
    "store",
    "store-straight",
)


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "GET",
        "/modalities",
        get_modalities,
        arguments="expand",
        answer=list[str],
        needs=SERVER_FACTS,
    )
    router.add("GET", "/modalities/{}", get_modality, answer=list[str], needs=SERVER_FACTS)
    router.add(
        "PUT",
        "/modalities/{}",
        put_modality,
        body=dict[str, Any],
        answer="text/plain",
        needs=Right.ADMINISTRATE,
    )
    router.add(
        "DELETE", "/modalities/{}", delete_modality, answer="text/plain", needs=Right.ADMINISTRATE
    )
    router.add(
        "GET",
        "/modalities/{}/configuration",
        get_configuration,
        answer=dict[str, Any],
        needs=SERVER_FACTS,
    )


def get_modalities(request: Request) -> Response:
    """The symbolic names; with `expand` the configurations by name."""
    known = request.services.modalities.all(request.caller)
    return json_response(known if boolean(request.arguments, "expand") else list(known))


def get_modality(request: Request) -> Response:
    """What can be done with a modality."""
    if request.params[0] not in request.services.modalities.all(request.caller):
        return NOT_FOUND
    return json_response(OPERATIONS)


def get_configuration(request: Request) -> Response:
    """The object format, whatever the modality was given in."""
    return json_response(request.services.modalities.get(request.caller, request.params[0]))


async def put_modality(request: Request) -> Response:
    """Adds or replaces a modality, given in either format."""
    name = request.params[0]
    try:
        value = await request.json()
    except BadRequest as error:
        raise BadFileFormat(error.details) from error
    modality = parse_modality(name, value)
    await request.services.modalities.put(request.caller, name, modality)
    return text_response()


async def delete_modality(request: Request) -> Response:
    """Removes a modality."""
    await request.services.modalities.delete(request.caller, request.params[0])
    return text_response()
