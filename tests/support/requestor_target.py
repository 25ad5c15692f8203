"""One association of ours whose peer says what a fuzzer wants: from the A-ASSOCIATE-AC to the
release, with requests of every kind."""

import socket

from pydicom.dataset import Dataset

from orthanc_fast._ext.pdata import PduError
from orthanc_fast.errors import NoPresentationContext
from orthanc_fast.services.scu.retrieval import Retrieval
from orthanc_fast.upper_layer import pdu
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.failures import AssociationFailed, RequestFailed
from orthanc_fast.upper_layer.requestor import MAXIMUM_PDU, proposals
from orthanc_fast.upper_layer.requests import Requests
from orthanc_fast.upper_layer.sending import Sender

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
VERIFICATION, FIND = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.2.2.1"
MOVE, COMMITMENT = "1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.1.20.1"
CT = "1.2.840.10008.5.1.4.1.1.2"

REQUEST = pdu.Request(
    called=b"PEER".ljust(16),
    calling=b"US".ljust(16),
    application_context=pdu.APPLICATION_CONTEXT,
    proposals=tuple(
        proposals(
            (VERIFICATION, (IMPLICIT,)),
            (FIND, (EXPLICIT, IMPLICIT)),
            (MOVE, (IMPLICIT,)),
            (COMMITMENT, (IMPLICIT,)),
            (CT, (EXPLICIT,)),
        )
    ),
    maximum_length=MAXIMUM_PDU,
    roles=(pdu.Role(COMMITMENT, True, True),),
    operations=None,
    implementation_version="",
)
IDENTIFIER = Dataset()
IDENTIFIER.QueryRetrieveLevel = "STUDY"
QUERY = b"\x08\0\x52\0CS\6\0STUDY "
LONGEST = 100_000  # bytes, which a socket takes without being read

# How an association may fail; nothing else may come out of it.
FAILURES = (AssociationFailed, RequestFailed, PduError, NoPresentationContext, OSError)


def target(data: bytes) -> None:
    """The first byte chooses the requests, the rest is all that the peer says; then it closes."""
    if len(data) < 2:
        return
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(data[1 : LONGEST + 1])
        theirs.shutdown(socket.SHUT_WR)
        association = Association(ours, "127.0.0.1")
        try:
            association.request(REQUEST, 1, 1)
            ask(association, data[0])
            association.release(1)
        except FAILURES:
            association.break_off()
    assert ours.fileno() == -1


def ask(association: Association, which: int) -> None:
    requests = Requests(association, 1)
    if which & 1:
        assert 0 <= requests.echo() <= 0xFFFF
    if which & 2:
        for status, answer in requests.find(FIND, QUERY):
            assert bool(answer) == (status in (0xFF00, 0xFF01))
    if which & 4:
        requests.move(MOVE, QUERY, "US", 7)
        following = Retrieval("C-MOVE", MOVE, association, requests, 1, lambda told: None)
        assert 0 <= following.result().status <= 0xFFFF
    if which & 8:
        requests.n_action(COMMITMENT, "1.2", 1, IDENTIFIER)
    if which & 16:
        requests.n_event_report(COMMITMENT, "1.2", 1, IDENTIFIER)
    if which & 32:
        Sender(association).store(association.context_of(CT).number, CT, "1.2", [b"1234"], 9)
    assert not association.in_operation


def command(field: int, message: int, status: int, data_set: bool = False) -> bytes:
    body = bytes.fromhex("0000020004000000312e3200")
    body += b"\0\0\0\1\2\0\0\0" + (field | 0x8000).to_bytes(2, "little")
    body += b"\0\0\x20\1\2\0\0\0" + message.to_bytes(2, "little")
    body += b"\0\0\0\x08\2\0\0\0" + (b"\1\0" if data_set else b"\1\1")
    body += b"\0\0\0\x09\2\0\0\0" + status.to_bytes(2, "little")
    return b"\0\0\0\0\4\0\0\0" + len(body).to_bytes(4, "little") + body


def p_data(context: int, control: int, data: bytes) -> bytes:
    body = (len(data) + 2).to_bytes(4, "big") + bytes((context, control)) + data
    return b"\x04\0" + len(body).to_bytes(4, "big") + body


def accept(maximum: int = 16384) -> bytes:
    answers = [
        pdu.Answer(each.number, 0, "", each.transfer_syntaxes[0]) for each in REQUEST.proposals
    ]
    return pdu.encode_accept(REQUEST, answers, maximum, list(REQUEST.roles), None)


SUB_OPERATIONS = bytes.fromhex("0000201002000000030000002110020000000100")
SEEDS = [
    b"\x01" + accept() + p_data(1, 3, command(0x30, 1, 0)) + pdu.RELEASE_RESPONSE,
    b"\x02"
    + accept()
    + p_data(3, 3, command(0x20, 1, 0xFF00, True))
    + p_data(3, 2, QUERY)
    + p_data(3, 3, command(0x20, 1, 0))
    + pdu.RELEASE_REQUEST
    + pdu.RELEASE_RESPONSE,
    b"\x04"
    + accept(0)
    + p_data(5, 3, command(0x21, 7, 0xFF00) + SUB_OPERATIONS)
    + p_data(5, 3, command(0x21, 7, 0xB000, True))
    + p_data(5, 2, b"\x08\0\x58\0\4\0\0\0001.2\0"),
    b"\x18"
    + accept()
    + p_data(7, 3, command(0x130, 1, 0))
    + p_data(7, 1, command(0x100, 2, 0)[:9])
    + p_data(7, 3, command(0x100, 2, 0)[9:])
    + pdu.RELEASE_RESPONSE,
    b"\x21" + accept(8) + p_data(1, 3, command(0x30, 1, 0)) + p_data(9, 3, command(1, 9, 0)),
    b"\x20" + accept() + p_data(9, 3, command(1, 9, 0xB007)) + pdu.encode_abort(2, 1),
    b"\x01" + pdu.encode_reject(1, 1, 7),
]
