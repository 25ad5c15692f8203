"""DELETE of studies, series and instances, as other servers of DICOMweb have it: not in PS3.18.

Source: reference chapter 5, section 14, item 19.
"""

import asyncio

from orthanc_fast.config import Settings
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, empty_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right

_PATHS = ("studies/{}", "studies/{}/series/{}", "studies/{}/series/{}/instances/{}")


def add_routes(router: Router, settings: Settings) -> None:
    options = settings.dicom_web
    if options.enable and options.enable_delete and not settings.read_only:
        for path in _PATHS:
            router.add(
                "DELETE", options.root + path, delete_resource, needs=Right.DELETE, limited=True
            )


async def delete_resource(request: Request) -> Response:
    """Deletes a study, series or instance with what is below, and parents that become empty; 204
    once that is durable, 404 where there is none."""
    services = request.services
    found = await asyncio.to_thread(
        services.dicom_web.targets.require, request.caller, request.params
    )
    # More than one where several patients have a study of this UID.
    resources = [(each.level, each.public) for each in found]
    await services.deletion.delete_listed(request.caller, resources)
    return empty_response(204)
