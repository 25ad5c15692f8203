"""Jobs that send instances to a peer, before they run. Source: reference chapter 4, section 8.3."""

from typing import Any, Final

import msgspec

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.model import SHA1
from orthanc_fast.services.exchange.instances import Chosen
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.peers.peer import Peer, job_content
from orthanc_fast.transfer_syntaxes import SYNTAXES

KIND: Final = "OrthancPeerStore"
_MB: Final = 1 << 20


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How instances are sent, and how the job is run; `description` is what it is called."""

    description: str
    compress: bool = False
    transcode: str | None = None
    permissive: bool = False
    priority: int = 0
    user_data: msgspec.Raw | None = None


class StoreOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a job. `peer` is as it was at the submission; `instances` are packed, in the
    order in which they are sent; `transcode` is a transfer syntax."""

    peer: Peer
    instances: bytes
    compress: bool = False
    transcode: str | None = None
    permissive: bool = False

    @property
    def count(self) -> int:
        return len(self.instances) // SHA1


encode_store_order = msgspec.msgpack.Encoder().encode
decode_store_order = msgspec.msgpack.Decoder(StoreOrder).decode


def check_transcode(uid: str) -> str:
    """Raises BadFileFormat for what is no transfer syntax."""
    if uid not in SYNTAXES:
        raise BadFileFormat(f"Unknown transfer syntax UID: {uid}")
    return uid


def size_content(size: int) -> dict[str, Any]:
    """How many bytes have been sent, as clients see it."""
    return {"Size": str(size), "SizeMB": size // _MB}


def submission(
    order: StoreOrder,
    chosen: Chosen,
    description: str,
    priority: int,
    user_data: msgspec.Raw | None,
) -> Submission:
    """The job that sends."""
    content: dict[str, Any] = {
        "Compress": order.compress,
        "Description": description,
        "FailedInstancesCount": 0,
        "InstancesCount": order.count,
        "Peer": job_content(order.peer),
        **chosen.content(),
        **size_content(0),
    }
    if order.transcode is not None:
        content["Transcode"] = order.transcode
    return Submission(
        kind=KIND,
        payload=encode_store_order(order),
        content=content,
        priority=priority,
        user_data=user_data,
    )
