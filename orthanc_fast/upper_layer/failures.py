"""How associations and requests of ours fail, in the words of Orthanc's toolkit, which clients
see. Source: reference chapter 4, section 5.3."""

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduReader
from orthanc_fast.upper_layer import pdu

REJECTED = "DUL Association Rejected"
READ_TIMEOUT = "DUL network read timeout"
NO_DATA = "DIMSE No data available (timeout in non-blocking mode)"
PEER_ABORTED = "Peer aborted Association (or never connected)"
PEER_RELEASED = "DUL Peer Requested Release"


class AssociationFailed(Exception):
    """The association did not come about; the text says why."""


class RequestFailed(Exception):
    """A request got no proper answer, and the association is of no more use."""

    def __init__(self, operation: str, text: str) -> None:
        """`operation` is the name of the service, as "C-ECHO"."""
        super().__init__(f"{operation}: {text}")
        self.operation = operation
        self.text = text


def unanswered(event: int, reader: PduReader) -> str:
    """What happened instead of an answer, by the event of the reader."""
    if event == pdata.TIMEOUT:
        return NO_DATA
    if event == pdata.PDU:
        kind = reader.pdu[0]
        if kind == pdu.RELEASE_RQ:
            return PEER_RELEASED
        if kind != pdu.ABORT:
            return f"DUL Unexpected PDU of type {kind}"
    return PEER_ABORTED


def unsent(error: OSError) -> str:
    """Why a message could not be sent."""
    return "DUL network write timeout" if isinstance(error, TimeoutError) else PEER_ABORTED
