"""What all associations of one worker share."""

from collections.abc import Callable, Mapping

import msgspec

from orthanc_fast.model import Caller
from orthanc_fast.network.admission import Admission
from orthanc_fast.network.meters import AssociationMeters
from orthanc_fast.network.negotiation import Negotiator
from orthanc_fast.network.options import DicomOptions
from orthanc_fast.network.store import InstanceSink
from orthanc_fast.services.ingest.contract import UploadMemory
from orthanc_fast.upper_layer.handover import Handlers
from orthanc_fast.upper_layer.operation import Operation

Serve = Callable[[Operation, Caller], None]
"""Answers one request. Raises PduError, UserAbort or OSError where the association is over."""

Operations = Mapping[str, Mapping[int, Serve]]
"""SOP class -> field of a request -> who answers it, with responses of our own."""


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
