"""Sending to modalities: /modalities/{id}/store and store-straight. Source: reference chapter 4,
section 5.5."""

import asyncio
from typing import Any
from uuid import uuid4

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.rest.asking import answered
from orthanc_fast.rest.job_submission import DESCRIPTION, answer_job, job_fields
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.scu_fields import (
    MAX_UINT16,
    flag_field,
    number_field,
    port_field,
    text_field,
    timeout_field,
)
from orthanc_fast.rest.sent_resources import sent_resources
from orthanc_fast.rights import Right
from orthanc_fast.services.exchange.instances import chosen
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.scu.sending import Originator
from orthanc_fast.services.scu.store_orders import JobOptions, StoreOrder, submission


class SentFile(msgspec.Struct, gc=False):
    """What `store-straight` answers."""

    SOPClassUID: str
    SOPInstanceUID: str


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "POST",
        "/modalities/{}/store",
        post_store,
        body=dict[str, Any],
        answer=dict[str, Any],
        needs=Right.MODIFY,
    )
    router.add(
        "POST",
        "/modalities/{}/store-straight",
        post_store_straight,
        body="application/dicom",
        answer=SentFile,
        needs=Right.MODIFY,
    )


async def post_store(request: Request) -> Response:
    """Sends resources of any level by C-STORE, as a job: `Resources`, or just a list or one
    identifier. `LocalAet`, `CalledAet`, `Host`, `Port` and `Timeout` (seconds) replace what the
    modality has; `MoveOriginatorAet` and `MoveOriginatorID` are told to the receiver;
    `StorageCommitment` asks it afterwards to keep all; and the fields of all jobs."""
    services, name = request.services, request.params[0]
    body, names = await sent_resources(request)
    # A patient may have a hundred thousand instances: that is no work for an event loop.
    sent = await asyncio.to_thread(chosen, services.reads, request.caller, names)
    modality = services.modalities.get(request.caller, name)
    order = StoreOrder(
        modality=_changed(modality, body),
        instances=sent.instances,
        local_aet=text_field(body, "LocalAet", modality.local_aet or services.settings.dicom_aet),
        timeout=timeout_field(body),
        originator=_originator(body, services.settings),
        commitment=f"2.25.{uuid4().int}" if flag_field(body, "StorageCommitment") else "",
    )
    fields = job_fields(body)
    order = msgspec.structs.replace(order, permissive=fields.permissive)
    options = JobOptions(
        description=DESCRIPTION, priority=fields.priority, user_data=fields.user_data
    )
    await services.exports.log(request.caller, name, [each.public for each in sent.resources])
    return await answer_job(
        request, submission(order, sent.content(), options), fields.is_synchronous
    )


def _changed(modality: Modality, body: dict[str, Any]) -> Modality:
    """The modality with what the request says of its address."""
    return msgspec.structs.replace(
        modality,
        aet=text_field(body, "CalledAet", modality.aet),
        host=text_field(body, "Host", modality.host),
        port=port_field(body, modality.port),
    )


def _originator(body: dict[str, Any], settings: Settings) -> Originator | None:
    title = text_field(body, "MoveOriginatorAet", settings.dicom_aet)
    message = number_field(body, "MoveOriginatorID", 0)
    if not 0 <= message <= MAX_UINT16:
        raise ParameterOutOfRange("MoveOriginatorID is a number from 1 to 65535, 0 for none")
    return (title, message) if message else None


async def post_store_straight(request: Request) -> Response:
    """Sends the DICOM file in the body by C-STORE, as it is, and stores nothing."""
    services = request.services
    modality = services.modalities.get(request.caller, request.params[0])
    body = await request.upload()
    try:
        sent = await answered(request, lambda stop: services.straight.send(modality, body, stop))
    finally:
        if not isinstance(body, bytes):
            await asyncio.to_thread(body.drop)
    return json_response(SentFile(sent.sop_class, sent.sop_instance))
