"""/{level}/{id}/reconstruct, /tools/reconstruct and /tools/invalidate-tags. Source: reference
chapter 1, section 5.3."""

from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.config_file import parse
from orthanc_fast.errors import BadFileFormat, InternalError
from orthanc_fast.model import Level
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, text_response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rights import Right
from orthanc_fast.services.administration.reconstruct import Options
from orthanc_fast.services.browse.describe import PLURALS


def add_routes(router: Router, settings: Settings) -> None:
    if settings.read_only:
        return
    for level, plural in PLURALS.items():
        if level == Level.PATIENT and not settings.patient_level_enabled:
            continue
        router.add(
            "POST",
            f"/{plural}/{{}}/reconstruct",
            _reconstruct(level),
            body=dict[str, bool],
            needs=Right.MODIFY,
        )
    router.add(
        "POST",
        "/tools/reconstruct",
        post_reconstruct_all,
        body=dict[str, bool],
        needs=Right.ADMINISTRATE,
    )
    router.add(
        "POST",
        "/tools/invalidate-tags",
        post_invalidate_tags,
        answer="text/plain",
        needs=Right.ADMINISTRATE,
    )


def _reconstruct(level: Level) -> Handler:
    async def post_reconstruct(request: Request) -> Response:
        """Reads the main tags of the resource, of what is below and above it, anew from the files.

        `ReconstructFiles` stores the files anew, too; `LimitToThisLevelMainDicomTags` reads one
        file, for the tags of the resource alone.
        """
        given = await _fields(request)
        options = Options(
            files=_flag(given, "ReconstructFiles"),
            this_level=_flag(given, "LimitToThisLevelMainDicomTags"),
        )
        await request.services.reconstruction.run(
            request.caller, level, public_id(request), options
        )
        return text_response()

    return post_reconstruct


async def post_reconstruct_all(request: Request) -> Response:
    """The same for all studies, whose tags are never read alone."""
    options = Options(files=_flag(await _fields(request), "ReconstructFiles"))
    await request.services.reconstruction.run_all(request.caller, options)
    return text_response()


async def _fields(request: Request) -> dict[str, Any]:
    """Those of the body, which need not be JSON. Raises InternalError for other JSON than an
    object, whose type Orthanc does not check: section 1.3."""
    try:
        given: Any = parse(await request.body())
    except ValueError:
        return {}
    if given is not None and not isinstance(given, dict):
        raise InternalError("An unhandled exception was generated inside the HTTP server")
    return given or {}


def _flag(given: dict[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise BadFileFormat(f"The field {name!r} must be true or false")
    return value


async def post_invalidate_tags(request: Request) -> Response:
    """Removes the attachments `dicom-as-json`, which Orthanc up to 1.9.0 made: here there are
    none, since nobody can add them."""
    return text_response()
