"""Small pictures of studies, series and instances by Orthanc's identifiers. This server's own:
docs/imaging.md. The pictures are those of DICOMweb, whose option does not matter here."""

import asyncio

from orthanc_fast.config import Settings
from orthanc_fast.errors import InexistentItem, UnknownResource
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.rest.dicom_web import rendered
from orthanc_fast.rest.dicom_web.content_ranges import conditional
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.describe import PLURALS
from orthanc_fast.services.processes.http import HttpServices

LEVELS = (Level.STUDY, Level.SERIES, Level.INSTANCE)


def add_routes(router: Router, settings: Settings) -> None:
    for level in LEVELS:
        router.add(
            "GET",
            f"/{PLURALS[level]}/{{}}/thumbnail",
            _get(level),
            arguments="accept",
            answer="image/jpeg",
            needs=Right.BROWSE,
            limited=True,
        )


def _get(level: Level) -> Handler:
    @conditional
    async def get_thumbnail(request: Request) -> Response:
        """A picture of at most 256 pixels: of the slice in the middle of the series in the middle,
        or a symbol where there is no image. It has an ETag, and browsers keep it."""
        where = (request.services, request.caller, level, public_id(request))
        return await rendered.thumbnail(request, await asyncio.to_thread(_shown, *where))

    return get_thumbnail


def _shown(services: HttpServices, caller: Caller, level: Level, public: bytes) -> Resource:
    """The instance that stands for a resource. Raises UnknownResource."""
    found = services.resources.require(caller, level, public)
    try:
        return services.dicom_web.renderings.standing_for(caller, [found])
    except InexistentItem as error:
        raise UnknownResource(str(error)) from None
