"""POST /tools/create-dicom. Source: reference chapter 3, section 3.6."""

from typing import Any

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.model import Level
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.routes.instances import upload_answer
from orthanc_fast.rights import Right


class CreatedSeries(msgspec.Struct, gc=False):
    """The series of several instances that were created."""

    ID: str
    Path: str
    Status: str


def add_routes(router: Router, settings: Settings) -> None:
    if settings.read_only:
        return
    router.add(
        "POST",
        "/tools/create-dicom",
        post_create_dicom,
        body=dict[str, Any],
        answer=dict[str, str],
        needs=Right.UPLOAD,
    )


async def post_create_dicom(request: Request) -> Response:
    """Creates and stores an instance, or a series of them: `Tags` with its elements, `Content` with
    an image, PDF, STL, OBJ or MTL as data URI or a list of such, `Parent`, `Force` to override
    what is inherited, `InterpretBinaryTags`, `PrivateCreator`, `Encapsulate` for JPEG."""
    body = await request.json_object()
    stored = await request.services.creation.create(request.caller, body)
    if isinstance(body.get("Content"), list) and body["Content"]:
        return json_response(_series(stored[-1].publics[Level.SERIES]))
    return json_response(upload_answer(stored[0]))


def _series(public: bytes) -> CreatedSeries:
    series = to_text(public)
    return CreatedSeries(series, f"/series/{series}", "Success")
