"""What tells clients of DICOMweb: its entry among the plugins, /info.

Source: reference chapter 5, sections 1.1 and 1.2.
"""

from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.config_sections import DicomWeb
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    PLAIN_JSON,
    Response,
    empty_response,
    encode_json,
    json_response,
)
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right

DESCRIPTION = "DICOMweb (QIDO-RS, STOW-RS and WADO-RS) and WADO-URI, built in."
# Of Orthanc's plugin that this behaves like.
VERSION = "1.24"
_PAGE = "app/client/index.html"


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "GET",
        "/plugins/dicom-web",
        get_plugin,
        answer=dict[str, Any],
        needs=Right.BROWSE,
        limited=True,
    )
    if settings.dicom_web.enable:
        router.add(
            "GET",
            f"{settings.dicom_web.root}info",
            get_info,
            answer=dict[str, str],
            needs=Right.BROWSE,
            limited=True,
        )
        router.add(
            "GET",
            f"{settings.dicom_web.root}{_PAGE}",
            get_page,
            answer="text/html",
            needs=Right.BROWSE,
            limited=True,
        )


async def get_plugin(request: Request) -> Response:
    """As Orthanc describes its plugin: clients learn from it that DICOMweb is there, and where."""
    options = request.services.settings.dicom_web
    answer: dict[str, Any] = {
        "Description": DESCRIPTION,
        "ExtendsOrthancExplorer": options.enable,
        "ID": "dicom-web",
        "Version": VERSION,
    }
    if options.enable:
        answer["RootUri"] = f"..{options.root}{_PAGE}"
    return json_response(dict(sorted(answer.items())))


async def get_info(request: Request) -> Response:
    """Where DICOMweb and the REST API are, for pages served below it."""
    options = request.services.settings.dicom_web
    answer = {"DicomWebRoot": options.root, "OrthancApiRoot": way_up(options)}
    return Response(encode_json(answer), PLAIN_JSON)


async def get_page(request: Request) -> Response:
    """Where the plugin has its page, and RootUri leads to: the front page, which shows studies."""
    to = f"../../{way_up(request.services.settings.dicom_web)}app/explorer.html"
    return empty_response(307, ((b"location", to.encode()),))


def way_up(options: DicomWeb) -> str:
    """From a page in the root of DICOMweb to that of the REST API."""
    return "./" + "../" * (options.root.count("/") - 1)
