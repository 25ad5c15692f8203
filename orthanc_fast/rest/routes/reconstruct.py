"""/{level}/{id}/reconstruct, /tools/reconstruct and /tools/invalidate-tags. Source: reference
chapter 1, section 5.3."""

from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.config_file import parse
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.model import Level
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, text_response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.services.administration.reconstruct import Options
from orthanc_fast.services.browse.describe import PLURALS


def add_routes(router: Router, settings: Settings) -> None:
    if settings.read_only:
        return
    for level, plural in PLURALS.items():
        if level == Level.PATIENT and not settings.patient_level_enabled:
            continue
        router.add("POST", f"/{plural}/{{}}/reconstruct", _reconstruct(level), body=dict[str, bool])
    router.add("POST", "/tools/reconstruct", post_reconstruct_all, body=dict[str, bool])
    router.add("POST", "/tools/invalidate-tags", post_invalidate_tags, answer="text/plain")


def _reconstruct(level: Level) -> Handler:
    async def post_reconstruct(request: Request) -> Response:
        """Reads the main tags of the resource, of what is below and above it, anew from the files.

        `ReconstructFiles` stores the files anew, too; `LimitToThisLevelMainDicomTags` reads one
        file, for the tags of the resource alone.
        """
        options = await _options(request)
        await request.services.reconstruction.run(
            request.caller, level, public_id(request), options
        )
        return text_response()

    return post_reconstruct


async def post_reconstruct_all(request: Request) -> Response:
    """The same for all studies."""
    await request.services.reconstruction.run_all(request.caller, await _options(request))
    return text_response()


async def _options(request: Request) -> Options:
    """Those in the body, which need not be JSON. Raises BadFileFormat."""
    try:
        given: Any = parse(await request.body())
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return Options()
    return Options(_flag(given, "ReconstructFiles"), _flag(given, "LimitToThisLevelMainDicomTags"))


def _flag(given: dict[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise BadFileFormat(f"The field {name!r} must be true or false")
    return value


async def post_invalidate_tags(request: Request) -> Response:
    """Removes the attachments `dicom-as-json`, which Orthanc up to 1.9.0 made: here there are
    none, since nobody can add them."""
    return text_response()
