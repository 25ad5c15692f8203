"""Retrieval from modalities: /modalities/{id}/move and /get, and what queries have found. Source:
reference chapter 4, section 5.6."""

import asyncio
from typing import Any, Final, Literal

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.errors import BadFileFormat, BadParameterType, BadRequest, OrthancError
from orthanc_fast.numerals import MAX_UINT32
from orthanc_fast.rest.job_submission import (
    DESCRIPTION,
    JobPath,
    boolean_field,
    job_fields,
)
from orthanc_fast.rest.query_body import level_field
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import JSON, Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.scu_fields import timeout_field
from orthanc_fast.rest.uri import unsigned_argument
from orthanc_fast.rights import Right
from orthanc_fast.services.browse.describe import LevelName
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.scu.queries import Done
from orthanc_fast.services.scu.retrieving import C_GET, C_MOVE, RetrieveOptions

_NO_RESOURCES: Final = "Must provide a JSON body containing fields Resources and Level"


class AnswersRequest(msgspec.Struct, kw_only=True):
    """How to retrieve. Bodies are read field by field; this is how they are described."""

    Full: bool = False
    Permissive: bool = False
    Priority: int = 0
    RetrieveMethod: Literal["C-MOVE", "C-GET"] = "C-MOVE"
    Short: bool = True
    Simplify: bool = False
    Synchronous: bool = True
    TargetAet: str = ""
    Timeout: int = 0


class ResourcesRequest(msgspec.Struct, kw_only=True):
    """What to retrieve from a modality, and how."""

    Level: LevelName
    Resources: list[dict[str, str]]
    LocalAet: str = ""
    Permissive: bool = False
    Priority: int = 0
    Synchronous: bool = True
    TargetAet: str = ""
    Timeout: int = 0


def add_routes(router: Router, settings: Settings) -> None:
    answer = dict[str, Any]
    resources, answers = ResourcesRequest, AnswersRequest
    router.add(
        "POST", "/modalities/{}/move", post_move, body=resources, answer=answer, needs=Right.UPLOAD
    )
    router.add(
        "POST", "/modalities/{}/get", post_get, body=resources, answer=answer, needs=Right.UPLOAD
    )
    router.add(
        "POST",
        "/queries/{}/retrieve",
        post_all_answers,
        body=answers,
        answer=answer,
        needs=Right.UPLOAD,
    )
    path = "/queries/{}/answers/{}/retrieve"
    router.add("POST", path, post_answer, body=answers, answer=answer, needs=Right.UPLOAD)


async def post_move(request: Request) -> Response:
    """Has a modality send resources to `TargetAet`, this server by default, by C-MOVE, as a
    job."""
    return await _resources(request, C_MOVE)


async def post_get(request: Request) -> Response:
    """Retrieves resources of a modality by C-GET, as a job."""
    return await _resources(request, C_GET)


async def post_all_answers(request: Request) -> Response:
    """Retrieves all that a query has found, as a job."""
    done = _query(request)
    options, is_synchronous = await _answer_options(request)
    retrieving = request.services.retrieving
    submission = await asyncio.to_thread(retrieving.all_answers, request.caller, done, options)
    return await _answered(request, submission, is_synchronous)


async def post_answer(request: Request) -> Response:
    """Retrieves one answer of a query, as a job."""
    done = _query(request)
    number = unsigned_argument(request.params[1])
    answer = request.services.queries.answer(request.caller, done, number)
    options, is_synchronous = await _answer_options(request)
    submission = request.services.retrieving.answers(request.caller, done, [answer], options)
    return await _answered(request, submission, is_synchronous)


def _query(request: Request) -> Done:
    return request.services.queries.get(request.caller, request.params[0])


async def _resources(request: Request, method: str) -> Response:
    body = await _named_resources(request)
    services = request.services
    name = request.params[0]
    services.modalities.get(request.caller, name)
    level = level_field(body)
    resources = [_texts_by_tag(each, services.dictionary) for each in body["Resources"]]
    fields = job_fields(body)
    options = RetrieveOptions(
        description=DESCRIPTION,
        method=method,
        target=_title(body, "TargetAet"),
        local_aet=_title(body, "LocalAet"),
        timeout=timeout_field(body),
        permissive=fields.permissive,
        priority=fields.priority,
        user_data=fields.user_data,
    )
    submission = services.retrieving.resources(request.caller, name, level, resources, options)
    return await _answered(request, submission, fields.is_synchronous)


async def _named_resources(request: Request) -> dict[str, Any]:
    """The body. Raises BadFileFormat."""
    try:
        body = await request.json_object()
    except BadRequest as error:
        raise BadFileFormat(_NO_RESOURCES) from error
    if not isinstance(body.get("Resources"), list) or not isinstance(body.get("Level"), str):
        raise BadFileFormat(_NO_RESOURCES)
    return body


def _texts_by_tag(value: Any, dictionary: Dictionary) -> dict[int, str]:
    """Raises BadFileFormat, UnknownDicomTag."""
    if not isinstance(value, dict):
        raise BadFileFormat("Expecting an object in field 'Resources elements'")
    for name, text in value.items():
        if not isinstance(text, str):
            raise BadFileFormat(f"Expecting a string in field '{name}'")
    return {dictionary.parse(name): text for name, text in value.items()}


def _title(body: dict[str, Any], field: str) -> str | None:
    """Raises BadParameterType."""
    if field not in body:
        return None
    value = body[field]
    if not isinstance(value, str):
        raise BadParameterType(f"A text is expected in field: {field}")
    return value


async def _answer_options(request: Request) -> tuple[RetrieveOptions, bool]:
    """How answers are to be retrieved, and whether the client waits. A body that is no JSON object
    is the title of the target. Raises BadFileFormat, BadParameterType."""
    raw = await request.body()
    try:
        body = await request.json()
    except BadRequest:
        body = raw.decode("utf-8", "replace")
    if isinstance(body, str):
        return RetrieveOptions(description=DESCRIPTION, target=body or None), True
    if not isinstance(body, dict):
        raise BadFileFormat("The body must be the title of the target, or a JSON object")
    fields = job_fields(body)
    options = RetrieveOptions(
        description=DESCRIPTION,
        form=_form(body),
        method=_method(body),
        target=_title(body, "TargetAet"),
        timeout=_seconds(body),
        permissive=fields.permissive,
        priority=fields.priority,
        user_data=fields.user_data,
    )
    return options, fields.is_synchronous


def _form(body: dict[str, Any]) -> Format:
    """Of the members of `Query`. Raises BadFileFormat."""
    forms: tuple[Format, ...] = ("simplify", "short", "full")
    asked = [form for form in forms if boolean_field(body, form.capitalize(), False)]
    return asked[0] if asked else "short"


def _method(body: dict[str, Any]) -> str | None:
    """Raises BadFileFormat."""
    value = body.get("RetrieveMethod")
    if "RetrieveMethod" in body and not isinstance(value, str):
        raise BadFileFormat("String value expected in field: RetrieveMethod")
    return value


def _seconds(body: dict[str, Any]) -> int | None:
    """A time-out as Orthanc reads it here: negative ones are very long. Raises
    BadParameterType."""
    if "Timeout" not in body:
        return None
    value = body["Timeout"]
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadParameterType("A number of seconds is expected in field: Timeout")
    return value & MAX_UINT32


async def _answered(request: Request, submission: Submission, is_synchronous: bool) -> Response:
    """As `answer_job`; who waits for a job that fails gets what has become of each resource."""
    jobs = request.services.jobs
    if not is_synchronous:
        job = await jobs.submit(request.caller, submission)
        return json_response(JobPath(job, f"/jobs/{job}"))
    content = await jobs.run(request.caller, submission, _with_details)
    return Response(bytes(content), JSON)


def _with_details(error: OrthancError, content: bytes) -> OrthancError:
    details = msgspec.json.decode(content)["Details"]
    payload = {"Content": details, "Type": "RetrieveJob"}
    return OrthancError(error.details, code=error.code, payload=payload)
