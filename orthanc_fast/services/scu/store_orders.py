"""Jobs that send instances to a modality, before they run: what is sent, to whom, and what clients
see of it. Source: reference chapter 4, section 5.5; chapter 3, section 3.9.
"""

from typing import Any, Final

import msgspec

from orthanc_fast.model import SHA1
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.scu.sending import Originator

KIND: Final = "DicomModalityStore"


class StoreOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a job. `modality` is as it was at the submission, with what the request has
    changed of it; `instances` are packed, in the order in which they are sent."""

    modality: Modality
    instances: bytes
    local_aet: str
    timeout: int | None = None  # seconds, None for that of the modality
    originator: Originator | None = None
    permissive: bool = False
    commitment: str = ""  # UID of the transaction of a storage commitment, "" for none

    @property
    def count(self) -> int:
        return len(self.instances) // SHA1


encode_store_order = msgspec.msgpack.Encoder().encode
decode_store_order = msgspec.msgpack.Decoder(StoreOrder).decode


class JobOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a job is to be run; `description` is what it is called in its content."""

    description: str
    priority: int = 0
    user_data: msgspec.Raw | None = None


def submission(order: StoreOrder, content: dict[str, Any], options: JobOptions) -> Submission:
    """The job that sends; `content` is `Chosen.content`, or {} where no client has chosen."""
    shown: dict[str, Any] = {
        "Description": options.description,
        "FailedInstancesCount": 0,
        "InstancesCount": order.count,
        "LocalAet": order.local_aet,
        "RemoteAet": order.modality.aet,
        **content,
    }
    if order.originator is not None:
        shown["MoveOriginatorAET"], shown["MoveOriginatorID"] = order.originator
    if order.commitment:
        shown["StorageCommitmentTransactionUID"] = order.commitment
    return Submission(
        kind=KIND,
        payload=encode_store_order(order),
        content=shown,
        priority=options.priority,
        user_data=options.user_data,
    )
