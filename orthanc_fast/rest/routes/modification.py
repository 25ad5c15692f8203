"""Modify and anonymize. Source: reference chapter 3, sections 3.2 to 3.4."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from orthanc_fast.config import Settings
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import BadFileFormat, BadRequest
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import DICOM, Response
from orthanc_fast.rest.router import Router

# Files of up to so many bytes are joined; larger ones are sent part by part.
_JOINED: Final = 4 << 20
_CHUNK: Final = 1 << 20


def add_routes(router: Router, settings: Settings) -> None:
    body, answer = dict[str, Any], "application/dicom"
    router.add("POST", "/instances/{}/modify", post_modify_instance, body=body, answer=answer)
    if settings.read_only:
        return  # anonymizations are counted
    router.add("POST", "/instances/{}/anonymize", post_anonymize_instance, body=body, answer=answer)


async def post_modify_instance(request: Request) -> Response:
    """A modified copy of the DICOM file, which is not stored: `Replace`, `Remove` and `Keep` with
    tags or paths, `RemovePrivateTags`, `PrivateCreator`, `Force` (for the identifiers), `Transcode`
    with `LossyQuality`."""
    return await _instance(request, is_anonymization=False)


async def post_anonymize_instance(request: Request) -> Response:
    """An anonymized copy of the DICOM file, which is not stored: `DicomVersion` names the profile,
    `KeepPrivateTags`, `Replace`, `Remove` and `Keep` change it, the rest is as in modify."""
    return await _instance(request, is_anonymization=True)


async def _instance(request: Request, is_anonymization: bool) -> Response:
    body = await json_fields(request)
    parts = await request.services.modification.instance(
        request.caller, public_id(request), body, is_anonymization
    )
    size = sum(map(len, parts))
    if size <= _JOINED:
        return Response(b"".join(parts), DICOM)
    return Response(kind=DICOM, stream=_chunks(parts), length=size)


async def json_fields(request: Request) -> dict[str, Any]:
    """The fields of the body. Raises BadFileFormat where it is no JSON object."""
    try:
        return await request.json_object()
    except BadRequest as error:
        raise BadFileFormat("The body must contain a JSON object") from error


async def _chunks(parts: list[Buffer]) -> AsyncGenerator[bytes]:
    """What lies in files comes from the disk, for which a thread waits."""
    for part in parts:
        view = memoryview(part)
        for at in range(0, len(view), _CHUNK):
            yield await asyncio.to_thread(bytes, view[at : at + _CHUNK])
