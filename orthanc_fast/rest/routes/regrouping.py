"""Split and merge of studies. Source: reference chapter 3, section 3.5."""

import asyncio
from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.rest.job_submission import DESCRIPTION, answer_job, boolean_field, job_fields
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.routes.modification import json_fields
from orthanc_fast.rights import Right
from orthanc_fast.services.modification.orders import Options


def add_routes(router: Router, settings: Settings) -> None:
    if settings.read_only:
        return
    body = dict[str, Any]
    router.add("POST", "/studies/{}/split", post_split, body=body, answer=body, needs=Right.MODIFY)
    router.add("POST", "/studies/{}/merge", post_merge, body=body, answer=body, needs=Right.MODIFY)


async def post_split(request: Request) -> Response:
    """Puts series (`Series`) and single instances (`Instances`) of a study into a new one, as a
    job: `Replace` and `Remove` for tags of patient and study, `KeepSource` (false by default: they
    leave the old study), and the fields of all jobs."""
    body = await json_fields(request)
    regrouping = request.services.regrouping
    series = texts_field(body, "Series", [])
    instances = texts_field(body, "Instances", [])
    leaving = await asyncio.to_thread(
        regrouping.to_split, request.caller, request.params[0], series, instances
    )
    keep_source = boolean_field(body, "KeepSource", False)
    changes = regrouping.changes(body)
    options, is_synchronous = _options(request, body, keep_source)
    submission = regrouping.split(leaving, changes, options)
    return await answer_job(request, submission, is_synchronous)


async def post_merge(request: Request) -> Response:
    """Puts studies, series and single instances (`Resources`) into this study, with its tags of
    patient and study, as a job: `KeepSource` (false by default: they are moved), and the fields of
    all jobs."""
    body = await json_fields(request)
    regrouping = request.services.regrouping
    study = request.params[0]
    found = await asyncio.to_thread(
        regrouping.to_merge, request.caller, study, texts_field(body, "Resources", None)
    )
    keep_source = boolean_field(body, "KeepSource", False)
    options, is_synchronous = _options(request, body, keep_source)
    submission = await asyncio.to_thread(regrouping.merge, study, *found, options)
    return await answer_job(request, submission, is_synchronous)


def texts_field(body: dict[str, Any], name: str, default: list[str] | None) -> list[str]:
    """A list of texts. Raises BadFileFormat."""
    value = body.get(name, default)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadFileFormat(f"List of strings expected in field: {name}")
    return value


def _options(request: Request, body: dict[str, Any], keep_source: bool) -> tuple[Options, bool]:
    """How the job is to be run, and whether it is waited for. Raises ForbiddenAccess where sources
    are deleted by who may not."""
    if not keep_source:
        request.who.require(Right.DELETE)
    fields = job_fields(body)
    options = Options(
        description=DESCRIPTION,
        keep_source=keep_source,
        permissive=fields.permissive,
        priority=fields.priority,
        user_data=fields.user_data,
    )
    return options, fields.is_synchronous
