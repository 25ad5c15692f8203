"""The VolView viewer below its path, where the option `VolView` names its folder. Source:
reference chapter 6, section 1.2 (links to viewers)."""

import asyncio
from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import NOT_FOUND, Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.web_application import sent, to_folder
from orthanc_fast.rights import Right


def add_routes(router: Router, settings: Settings) -> None:
    if settings.volview is None:
        return
    path = f"{settings.volview.base}{{*}}"
    router.add("GET", path, get_file, answer="text/html", needs=Right.BROWSE, limited=True)
    path = "/plugins/volview"
    router.add("GET", path, get_plugin, answer=dict[str, Any], needs=Right.BROWSE, limited=True)


async def get_plugin(request: Request) -> Response:
    """As Orthanc describes its plugin: pages that link viewers learn from it that VolView is
    there."""
    options = request.services.settings.volview
    assert options is not None
    return json_response(
        {
            "Description": "VolView viewer.",
            "ExtendsOrthancExplorer": False,
            "ID": "volview",
            "RootUri": f"..{options.base}index.html",
        }
    )


async def get_file(request: Request) -> Response:
    """A file of the viewer."""
    if (there := to_folder(request)) is not None:
        return there
    applications = request.services.applications
    name = "/".join(request.params)
    found = await asyncio.to_thread(lambda: applications.volview.file(name))
    return NOT_FOUND if found is None else await sent(request, found)
