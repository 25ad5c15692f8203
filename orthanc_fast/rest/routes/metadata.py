"""/{level}/{id}/metadata. Source: reference chapter 1, section 6.1."""

from orthanc_fast.config import Settings
from orthanc_fast.model import Level
from orthanc_fast.registries import is_user_number
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    NOT_FOUND,
    TEXT,
    Response,
    empty_response,
    json_response,
    text_response,
)
from orthanc_fast.rest.revisions import etag, if_match, if_match_of_deletion, not_modified
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rest.uri import boolean
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.describe import PLURALS
from orthanc_fast.services.browse.metadata_names import MetadataNames

FORBIDDEN = 403


def add_routes(router: Router, settings: Settings) -> None:
    names = MetadataNames(settings.user_metadata)
    put, delete = _put(names), _delete(names)
    for level, plural in PLURALS.items():
        if level == Level.PATIENT and not settings.patient_level_enabled:
            continue
        path = f"/{plural}/{{}}/metadata"
        router.add(
            "GET",
            path,
            _list(level, names),
            arguments="expand numeric",
            needs=Right.BROWSE,
            limited=True,
        )
        router.add(
            "GET",
            f"{path}/{{}}",
            _get(level, names),
            answer="text/plain",
            needs=Right.BROWSE,
            limited=True,
        )
        router.add(
            "PUT",
            f"{path}/{{}}",
            put,
            body="text/plain",
            answer="text/plain",
            needs=Right.MODIFY,
            limited=level > Level.PATIENT,
        )
        router.add(
            "DELETE",
            f"{path}/{{}}",
            delete,
            answer="text/plain",
            needs=Right.MODIFY,
            limited=level > Level.PATIENT,
        )


def _list(level: Level, names: MetadataNames) -> Handler:
    def get_metadata(request: Request) -> Response:
        """The names of the metadata of a resource; `expand` adds the values, `numeric` gives
        numbers."""
        found = request.services.metadata.texts(request.caller, level, public_id(request))
        numeric = "numeric" in request.arguments
        if not boolean(request.arguments, "expand"):
            return json_response([n if numeric else names.name(n) for n in found])
        return json_response(
            {str(n) if numeric else names.name(n): text for n, text in found.items()}
        )

    return get_metadata


def _get(level: Level, names: MetadataNames) -> Handler:
    def get_value(request: Request) -> Response:
        """One value, as it was given."""
        number = names.number(request.params[1])
        found = request.services.metadata.value(request.caller, level, public_id(request), number)
        if found is None:
            return NOT_FOUND
        content, version = found
        known = not_modified(request, version)
        return known or Response(content, TEXT, headers=(etag(version),))

    return get_value


def _put(names: MetadataNames) -> Handler:
    async def put_value(request: Request) -> Response:
        """Sets a value of the user's; the level of the path does not matter."""
        number = names.number(request.params[1])
        if not is_user_number(number):
            return empty_response(FORBIDDEN)
        expected, content = if_match(request), await request.body()
        version = await request.services.metadata.put(
            request.caller, public_id(request), number, content, expected
        )
        return Response(b"", TEXT, headers=(etag(version),))

    return put_value


def _delete(names: MetadataNames) -> Handler:
    async def delete_value(request: Request) -> Response:
        """Removes a value of the user's."""
        number = names.number(request.params[1])
        if not is_user_number(number):
            return empty_response(FORBIDDEN)
        expected = if_match_of_deletion(request)
        await request.services.metadata.delete(request.caller, public_id(request), number, expected)
        return text_response()

    return delete_value
