"""The OHIF viewer below its path, where the option `OHIF` names its folder.

Source: reference chapter 6, section 4; the address and the options are those of Orthanc's plugin.
"""

import asyncio
from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import NOT_FOUND, Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.web_application import ALWAYS_ASK, JAVASCRIPT, prefix_of, sent
from orthanc_fast.rights import Right
from orthanc_fast.services.viewers.ohif import CONFIGURATION, configuration


def add_routes(router: Router, settings: Settings) -> None:
    if settings.ohif is None:
        return
    path = f"{settings.ohif.base}{{*}}"
    router.add("GET", path, get_file, answer="text/html", needs=Right.BROWSE, limited=True)
    router.add(
        "GET", "/plugins/ohif", get_plugin, answer=dict[str, Any], needs=Right.BROWSE, limited=True
    )


async def get_plugin(request: Request) -> Response:
    """As Orthanc describes its plugin: pages that link viewers learn from it that OHIF is there."""
    options = request.services.settings.ohif
    assert options is not None
    return json_response(
        {
            "Description": "OHIF viewer.",
            "ExtendsOrthancExplorer": False,
            "ID": "ohif",
            "RootUri": f"..{options.base}",
        }
    )


async def get_file(request: Request) -> Response:
    """A file of the viewer, or its page for the addresses that it shows in the browser."""
    options = request.services.settings.ohif
    assert options is not None
    prefix = prefix_of(request)
    name = "/".join(request.params)
    if name == CONFIGURATION:
        web = request.services.settings.dicom_web
        roots = (prefix + options.base, prefix + web.public_root, prefix + web.wado_root)
        script = await asyncio.to_thread(configuration, options.user_configuration, *roots)
        return Response(script, JAVASCRIPT, headers=(ALWAYS_ASK,))
    applications = request.services.applications
    found = await asyncio.to_thread(lambda: applications.ohif.file(name))
    return NOT_FOUND if found is None else await sent(request, found, prefix + options.base)
