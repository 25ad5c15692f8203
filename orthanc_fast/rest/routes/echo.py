"""C-ECHO to modalities: /modalities/{id}/echo and /tools/dicom-echo. Source: reference chapter 4,
section 5.4."""

from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadFileFormat, BadRequest
from orthanc_fast.rest.asking import answered
from orthanc_fast.rest.job_submission import boolean_field
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import PLAIN_JSON, Response, empty_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.scu_fields import timeout_field
from orthanc_fast.rights import Right
from orthanc_fast.services.exchange.modalities import Modality, parse_modality

_FAILED = empty_response(500)  # without any body, as Orthanc answers it


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "POST",
        "/modalities/{}/echo",
        post_echo,
        body=dict[str, Any],
        answer=dict[str, Any],
        needs=Right.MODIFY | Right.ADMINISTRATE,
    )
    router.add(
        "POST",
        "/tools/dicom-echo",
        post_tool,
        body=dict[str, Any],
        answer=dict[str, Any],
        needs=Right.ADMINISTRATE,
    )


async def post_echo(request: Request) -> Response:
    """Whether a modality answers to C-ECHO, and with `CheckFind` (`DicomEchoChecksFind` without it)
    to C-FIND too, within `Timeout` seconds for each step."""
    body = await _json(request) if await request.body() else None
    modality = request.services.modalities.get(request.caller, request.params[0])
    return await _echo(request, modality, body)


async def post_tool(request: Request) -> Response:
    """The same for a modality that is not in the configuration: the body holds its parameters, in
    either format; those of an object may be followed by `CheckFind` and `Timeout`."""
    body = await _json(request)
    return await _echo(request, parse_modality("anonymous", body), body)


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except BadRequest as error:
        raise BadFileFormat(error.details) from error


async def _echo(request: Request, modality: Modality, body: Any) -> Response:
    fields = body if isinstance(body, dict) else {}
    timeout = timeout_field(fields)
    check_find = boolean_field(fields, "CheckFind", False) if "CheckFind" in fields else None
    echo = request.services.echo
    succeeded = await answered(request, lambda stop: echo(modality, check_find, timeout, stop))
    return Response(b"{}", PLAIN_JSON) if succeeded else _FAILED
