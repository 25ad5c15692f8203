"""Bundled plugins: how far housekeeper and delayed deletion are; that there are tenants. Source:
reference chapter 7, sections 7.3 to 7.5."""

import asyncio
from typing import Any

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response
from orthanc_fast.rest.router import METHODS, Router
from orthanc_fast.rest.routes.system import server_identifier
from orthanc_fast.rights import Right


class PendingDeletions(msgspec.Struct, rename="pascal"):
    """How many files nobody can see any more that are still on the disk."""

    database_server_identifier: str
    files_pending_deletion: int


def add_routes(router: Router, settings: Settings) -> None:
    if settings.housekeeper is not None:
        for path in ("/housekeeper/status", "/plugins/housekeeper/status"):
            router.add(
                "GET", path, get_housekeeper, answer=dict[str, Any], needs=Right.ADMINISTRATE
            )
        router.add(
            "GET",
            "/plugins/housekeeper",
            get_housekeeper_plugin,
            answer=dict[str, Any],
            needs=Right.ADMINISTRATE,
        )
    if settings.delayed_deletion:
        path = "/plugins/delayed-deletion"
        router.add(
            "GET", path, get_deletion_plugin, answer=dict[str, Any], needs=Right.ADMINISTRATE
        )
        for method in METHODS:
            router.add(
                method,
                f"{path}/status",
                get_pending,
                answer=PendingDeletions,
                needs=Right.ADMINISTRATE,
            )
    if settings.tenants:
        path = "/plugins/multitenant-dicom"
        router.add("GET", path, get_tenants_plugin, answer=dict[str, Any], needs=Right.ADMINISTRATE)


async def get_housekeeper(request: Request) -> Response:
    """What is being reconstructed since the configuration has changed."""
    return json_response(await asyncio.to_thread(request.services.housekeeper.status))


async def get_housekeeper_plugin(request: Request) -> Response:
    """As Orthanc describes its plugin."""
    return _described("housekeeper", "What was stored under other settings is reconstructed.")


async def get_deletion_plugin(request: Request) -> Response:
    """As Orthanc describes its plugin."""
    return _described("delayed-deletion", "Files are deleted after the answer.")


async def get_tenants_plugin(request: Request) -> Response:
    """As Orthanc describes its plugin."""
    return _described("multitenant-dicom", "DICOM servers that show what has some labels.")


def _described(name: str, text: str) -> Response:
    return json_response({"Description": text, "ExtendsOrthancExplorer": False, "ID": name})


async def get_pending(request: Request) -> Response:
    """The number of files that are still to be deleted."""
    services = request.services
    pending = await asyncio.to_thread(services.pending_deletions)
    return json_response(PendingDeletions(server_identifier(services.settings), pending))
