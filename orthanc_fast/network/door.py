"""What all associations of one worker share."""

from collections.abc import Callable, Mapping

import msgspec

from orthanc_fast.model import Caller
from orthanc_fast.network.admission import Admission
from orthanc_fast.network.meters import AssociationMeters
from orthanc_fast.network.negotiation import Negotiator
from orthanc_fast.network.options import DicomOptions
from orthanc_fast.services.ingest.contract import Stored, UploadMemory
from orthanc_fast.services.ingest.receiving import InstanceSink
from orthanc_fast.upper_layer.handover import Handlers
from orthanc_fast.upper_layer.operation import Operation

Serve = Callable[[Operation, Caller], None]
"""Answers one request. Raises PduError, UserAbort or OSError where the association is over."""

Operations = Mapping[str, Mapping[int, Serve]]
"""SOP class -> field of a request -> who answers it, with responses of our own."""


Moved = Callable[[str, int, Stored], None]
"""Is told of an instance that somebody's C-MOVE brings: AE title and message ID of that."""


Refused = Callable[[str, Caller], None]
"""Is told of a request that was not allowed: its name, and whose it was."""


def unnoted(request: str, caller: Caller) -> None:
    """For a door that keeps no audit log."""


def not_ours(aet: str, message_id: int, stored: Stored) -> None:
    """For a door whose server moves nothing."""


class Door(msgspec.Struct, frozen=True):
    """What one worker serves with. Commands that are in neither table get no answer, but for C-ECHO
    and C-STORE; `handlers` are pynetdicom's."""

    options: DicomOptions
    admission: Admission
    negotiator: Negotiator
    store: InstanceSink
    handlers: Handlers
    operations: Operations
    memory: UploadMemory
    meters: AssociationMeters = AssociationMeters()
    moved: Moved = not_ours
    refused: Refused = unnoted
