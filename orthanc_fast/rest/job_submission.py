"""The fields that all bodies which submit jobs have in common, and the answers. Source: reference
chapter 3, section 3.1."""

from typing import Any

import msgspec

from orthanc_fast.errors import BadFileFormat, BadParameterType
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import JSON, Response, json_response
from orthanc_fast.services.jobs.contract import Submission

DESCRIPTION = "REST API"  # the `Description` of every job that REST submits

_LARGEST = 1 << 31


class JobPath(msgspec.Struct, gc=False):
    """The answer to a job that is submitted and not waited for."""

    ID: str
    Path: str


class JobFields(msgspec.Struct, frozen=True, kw_only=True):
    """How a job is to be run. `user_data` is any JSON, None where there is none."""

    is_synchronous: bool = True
    priority: int = 0
    permissive: bool = False
    user_data: msgspec.Raw | None = None


def job_fields(body: dict[str, Any]) -> JobFields:
    """The common fields of a body. Raises BadFileFormat for the wrong type, BadParameterType for a
    priority that does not fit into 32 bits: in the order in which Orthanc reads them."""
    permissive = boolean_field(body, "Permissive", False)
    is_synchronous = synchronous_field(body)
    user_data = body.get("UserData")
    return JobFields(
        is_synchronous=is_synchronous,
        priority=integer_field(body, "Priority", 0),
        permissive=permissive,
        user_data=None if user_data is None else msgspec.Raw(msgspec.json.encode(user_data)),
    )


def synchronous_field(body: dict[str, Any]) -> bool:
    """Whether the client waits for the job. Raises BadFileFormat."""
    if "Synchronous" in body:
        return boolean_field(body, "Synchronous", True)
    return not boolean_field(body, "Asynchronous", False)


def boolean_field(body: dict[str, Any], name: str, default: bool) -> bool:
    """Raises BadFileFormat."""
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise BadFileFormat(f"Boolean value expected in field: {name}")
    return value


def integer_field(body: dict[str, Any], name: str, default: int) -> int:
    """A number of 32 bits. Raises BadFileFormat, BadParameterType."""
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadFileFormat(f"Integer value expected in field: {name}")
    if not -_LARGEST <= value < _LARGEST:
        raise BadParameterType(f"Value too large to fit in an integer in field '{name}'")
    return value


async def answer_job(request: Request, submission: Submission, is_synchronous: bool) -> Response:
    """Submits a job: answers with its content once it is completed, or at once with its path.
    Raises the error of the job."""
    jobs = request.services.jobs
    if is_synchronous:
        return Response(bytes(await jobs.run(request.caller, submission)), JSON)
    job = await jobs.submit(request.caller, submission)
    return json_response(JobPath(job, f"/jobs/{job}"))
