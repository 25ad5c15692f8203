"""Sending to modalities: /modalities/{id}/store and store-straight. Source: reference chapter 4,
section 5.5."""

import asyncio
from typing import Any

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.rest.job_submission import (
    DESCRIPTION,
    answer_job,
    boolean_field,
    integer_field,
    job_fields,
)
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.sent_resources import sent_resources
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.exchange.instances import chosen
from orthanc_fast.services.scu.sending import Originator
from orthanc_fast.services.scu.store_orders import JobOptions, StoreOrder, submission


class SentFile(msgspec.Struct, gc=False):
    """What `store-straight` answers."""

    SOPClassUID: str
    SOPInstanceUID: str


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "POST", "/modalities/{}/store", post_store, body=dict[str, Any], answer=dict[str, Any]
    )
    router.add(
        "POST",
        "/modalities/{}/store-straight",
        post_store_straight,
        body="application/dicom",
        answer=SentFile,
    )


async def post_store(request: Request) -> Response:
    """Sends resources of any level by C-STORE, as a job: `Resources`, or just a list or one
    identifier. `LocalAet`, `CalledAet`, `Host`, `Port` and `Timeout` (seconds) replace what the
    modality has; `MoveOriginatorAet` and `MoveOriginatorID` are told to the receiver;
    `StorageCommitment` asks it afterwards to keep all; and the fields of all jobs."""
    services, name = request.services, request.params[0]
    body, names = await sent_resources(request)
    modality = services.modalities.get(request.caller, name)
    fields = job_fields(body)
    sent = await services.reads.run(chosen, services.reads, request.caller, names)
    await services.exports.log(request.caller, name, [each.public for each in sent.resources])
    order = StoreOrder(
        modality=_changed(modality, body),
        instances=sent.instances,
        local_aet=text_field(body, "LocalAet", modality.local_aet or services.settings.dicom_aet),
        timeout=integer_field(body, "Timeout", 0) if "Timeout" in body else None,
        originator=_originator(body, services.settings),
        permissive=fields.permissive,
        commitment=new_transaction() if boolean_field(body, "StorageCommitment", False) else "",
    )
    options = JobOptions(
        description=DESCRIPTION, priority=fields.priority, user_data=fields.user_data
    )
    return await answer_job(
        request, submission(order, sent.content(), options), fields.is_synchronous
    )
