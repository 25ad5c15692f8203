"""Storage commitment: /modalities/{id}/storage-commitment and /storage-commitment/{uid}. Source:
reference chapter 4, section 5.8."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadFileFormat, BadRequest, ParameterOutOfRange
from orthanc_fast.rest.asking import answered
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import PLAIN_JSON, Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.scu_fields import timeout_field
from orthanc_fast.rights import Right
from orthanc_fast.services.storage_commitment.reasons import description
from orthanc_fast.services.storage_commitment.reports import Reference, Report


class TransactionPath(msgspec.Struct, gc=False):
    """Where the report of a transaction is."""

    ID: str
    Path: str


class KeptInstance(msgspec.Struct, gc=False):
    """One that the other side keeps."""

    SOPClassUID: str
    SOPInstanceUID: str


class LostInstance(msgspec.Struct, gc=False):
    """One that the other side does not keep, and why."""

    Description: str
    FailureReason: int
    SOPClassUID: str
    SOPInstanceUID: str


class ReportAnswer(msgspec.Struct, gc=False, omit_defaults=True):
    """What the other side has said; lists are there once it has."""

    RemoteAET: str
    Status: str
    Failures: list[LostInstance] | None = None
    Success: list[KeptInstance] | None = None


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "POST",
        "/modalities/{}/storage-commitment",
        post_request,
        body=dict[str, Any],
        answer=TransactionPath,
        needs=Right.MODIFY,
    )
    router.add("GET", "/storage-commitment/{}", get_report, answer=ReportAnswer, needs=Right.MODIFY)
    router.add(
        "POST",
        "/storage-commitment/{}/remove",
        post_remove,
        answer=dict[str, Any],
        needs=Right.MODIFY,
    )


async def post_request(request: Request) -> Response:
    """Asks a modality to keep instances for good: those of `Resources` of any level, and those that
    `DicomInstances` names by UIDs. It reports later: see the path in the answer. `Timeout` is in
    seconds for each step."""
    body = await _body(request)
    names = _list(body, "Resources", "Orthanc resources")
    if not all(isinstance(name, str) for name in names):
        raise BadFileFormat('The "Resources" field must provide an array of strings')
    commitments = request.services.commitments
    references = await asyncio.to_thread(commitments.references, request.caller, names)
    references += [_reference(each) for each in _list(body, "DicomInstances", "DICOM instances")]
    modality = request.services.modalities.get(request.caller, request.params[0])
    _check_uids(references)
    timeout = timeout_field(body)
    associations = commitments.associations
    target = associations.target(modality, local_aet=associations.aet, timeout=timeout)
    transaction = f"2.25.{uuid4().int}"
    ask, until = commitments.request, associations.until
    await answered(request, lambda stop: ask(target, transaction, references, until(stop)))
    return json_response(TransactionPath(transaction, f"/storage-commitment/{transaction}"))


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = await request.json_object()
    except BadRequest as error:
        raise BadFileFormat("Must provide a JSON object with a list of resources") from error
    if not body.keys() & {"Resources", "DicomInstances"}:
        raise BadFileFormat(
            "Empty storage commitment request, one of these fields is mandatory: "
            '"Resources" or "DicomInstances"'
        )
    return body


def _list(body: dict[str, Any], field: str, content: str) -> list[Any]:
    value = body.get(field, [])
    if not isinstance(value, list):
        raise BadFileFormat(f'The "{field}" field must provide an array of {content}')
    return value


def _reference(value: Any) -> Reference:
    if isinstance(value, list):
        uids, expected = value, "an array with 2 strings: SOP Class UID and SOP Instance UID"
    elif isinstance(value, dict):
        uids = [value.get(name) for name in ("SOPClassUID", "SOPInstanceUID")]
        expected = 'an object with 2 strings: "SOPClassUID" and "SOPInstanceUID"'
    else:
        raise BadFileFormat("JSON array or object is expected to specify one instance")
    if len(uids) != 2 or not all(isinstance(uid, str) for uid in uids):
        raise BadFileFormat(f"An instance entry must provide {expected}")
    return Reference(*uids)


def _check_uids(references: Sequence[Reference]) -> None:
    for each in references:
        if not all(each):
            raise ParameterOutOfRange(
                "The SOP class/instance UIDs cannot be empty, found: "
                f'"{each.sop_class}" / "{each.sop_instance}"'
            )


def get_report(request: Request) -> Response:
    """What a modality has said of a transaction."""
    report = request.services.commitment_reports.get(request.caller, request.params[0])
    return json_response(_answer(report))


def _answer(report: Report) -> ReportAnswer:
    if not report.is_complete:
        return ReportAnswer(report.remote_aet, report.status)
    return ReportAnswer(
        report.remote_aet,
        report.status,
        [
            LostInstance(description(each.reason), each.reason, each.sop_class, each.sop_instance)
            for each in report.failures
        ],
        [KeptInstance(*each) for each in report.success],
    )


async def post_remove(request: Request) -> Response:
    """Deletes the instances of a transaction here, if the modality keeps all of them."""
    await request.services.commitments.remove(request.caller, request.params[0])
    return Response(b"{}", PLAIN_JSON)
