"""Modify and anonymize. Source: reference chapter 3, sections 3.2 to 3.4."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from orthanc_fast.config import Settings
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import BadFileFormat, BadRequest, InternalError, ParameterOutOfRange
from orthanc_fast.model import Level
from orthanc_fast.rest.job_submission import (
    DESCRIPTION,
    answer_job,
    boolean_field,
    job_fields,
)
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import DICOM, Response, json_response
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.describe import PLURALS
from orthanc_fast.services.modification.orders import Options, Target

# Files of up to so many bytes are joined; larger ones are sent part by part.
_JOINED: Final = 4 << 20
_CHUNK: Final = 1 << 20

_ANSWERED: Final = Options(description=DESCRIPTION)

_LEVELS: Final = {
    **{name: Level.PATIENT for name in ("patient", "patients")},
    **{name: Level.STUDY for name in ("study", "studies")},
    "series": Level.SERIES,
    **{name: Level.INSTANCE for name in ("instance", "instances", "image", "images")},
}


def add_routes(router: Router, settings: Settings) -> None:
    body, answer = dict[str, Any], "application/dicom"
    router.add(
        "POST",
        "/instances/{}/modify",
        post_modify_instance,
        body=body,
        answer=answer,
        needs=Right.MODIFY,
        also=Right.BROWSE,
    )
    if settings.read_only:
        return
    router.add(
        "POST",
        "/instances/{}/anonymize",
        post_anonymize_instance,
        body=body,
        answer=answer,
        needs=Right.MODIFY,
        also=Right.BROWSE,
    )

    for level, plural in PLURALS.items():
        if level == Level.INSTANCE or (
            level == Level.PATIENT and not settings.patient_level_enabled
        ):
            continue
        for is_anonymization, verb in ((False, "modify"), (True, "anonymize")):
            handler = _resource(level, is_anonymization)
            router.add(
                "POST",
                f"/{plural}/{{}}/{verb}",
                handler,
                body=body,
                answer=body,
                needs=Right.MODIFY,
            )
    router.add(
        "POST", "/tools/bulk-modify", post_bulk_modify, body=body, answer=body, needs=Right.MODIFY
    )
    router.add(
        "POST",
        "/tools/bulk-anonymize",
        post_bulk_anonymize,
        body=body,
        answer=body,
        needs=Right.MODIFY,
    )


async def post_modify_instance(request: Request) -> Response:
    """A modified copy of the DICOM file, which is not stored: `Replace`, `Remove` and `Keep` with
    tags or paths, `RemovePrivateTags`, `PrivateCreator`, `Force` (for the identifiers), `Transcode`
    with `LossyQuality`. `DryRun` answers with what would be done to each element, as JSON;
    `MaskPixels` blanks rectangles of the pixels."""
    return await _instance(request, is_anonymization=False)


async def post_anonymize_instance(request: Request) -> Response:
    """An anonymized copy of the DICOM file, which is not stored: `DicomVersion` names the profile,
    `Options` those of PS3.15, `KeepPrivateTags`, `Replace`, `Remove` and `Keep` change it,
    `PseudonymKey` makes new identifiers repeatable, the rest is as in modify."""
    return await _instance(request, is_anonymization=True)


async def _instance(request: Request, is_anonymization: bool) -> Response:
    body = await json_fields(request)
    if boolean_field(body, "DryRun", False):
        target = Target(names=request.params, level=Level.INSTANCE)
        return await _explained(request, target, body, is_anonymization)
    parts = await request.services.modification.instance(
        request.caller, public_id(request), body, is_anonymization
    )
    size = sum(map(len, parts))
    if size <= _JOINED:
        return Response(b"".join(parts), DICOM)
    return Response(kind=DICOM, stream=_chunks(parts), length=size)


def _resource(level: Level, is_anonymization: bool) -> Handler:
    async def post_modify(request: Request) -> Response:
        """Stores a modified copy of each instance, as a job: the fields of
        `/instances/{id}/modify`, `KeepSource` (false deletes the sources at the end), `KeepLabels`,
        and those of all jobs."""
        return await _job(request, Target(names=request.params, level=level), False)

    async def post_anonymize(request: Request) -> Response:
        """Stores an anonymized copy of each instance, as a job; references among them stay: the
        fields of `/instances/{id}/anonymize`, `KeepSource`, `KeepLabels`, and those of all jobs."""
        return await _job(request, Target(names=request.params, level=level), True)

    return post_anonymize if is_anonymization else post_modify


async def post_bulk_modify(request: Request) -> Response:
    """As `modify` of each of `Resources`, in one job. `Level` says what becomes a new resource;
    without it that follows from the identifiers that are replaced."""
    body = await json_fields(request)
    level = _level(body["Level"]) if "Level" in body else None
    return await _job(request, Target(names=_resources(body), level=level, is_list=True), False)


async def post_bulk_anonymize(request: Request) -> Response:
    """As `anonymize` of each of `Resources`, in one job."""
    body = await json_fields(request)
    return await _job(request, Target(names=_resources(body), level=None, is_list=True), True)


def _resources(body: dict[str, Any]) -> list[str]:
    value = body.get("Resources")
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadFileFormat("List of strings expected in field: Resources")
    return value


def _level(value: Any) -> Level:
    if not isinstance(value, str):
        raise InternalError("Level is the name of a level")
    level = _LEVELS.get(value.lower())
    if level is None:
        raise ParameterOutOfRange(f"Invalid resource type '{value}'")
    return level


async def _job(request: Request, target: Target, is_anonymization: bool) -> Response:
    body = await json_fields(request)
    fields = job_fields(body)
    keep_source = boolean_field(body, "KeepSource", True)
    if not keep_source:
        request.who.require(Right.DELETE)
    options = Options(
        description=DESCRIPTION,
        keep_source=keep_source,
        permissive=fields.permissive,
        priority=fields.priority,
        user_data=fields.user_data,
    )
    if boolean_field(body, "DryRun", False):
        return await _explained(request, target, body, is_anonymization, options)
    submission = await request.services.modification_orders.submission(
        request.caller, target, body, is_anonymization, options
    )
    return await answer_job(request, submission, fields.is_synchronous)


async def _explained(
    request: Request,
    target: Target,
    body: dict[str, Any],
    is_anonymization: bool,
    options: Options = _ANSWERED,
) -> Response:
    request.who.require(Right.BROWSE)
    return json_response(
        await request.services.dry_runs.explained(
            request.caller, target, body, is_anonymization, options
        )
    )


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
