"""A requestor that does no more than it must, to measure servers with: C-ECHO, C-FIND, C-MOVE,
C-GET and C-STORE over associations of our own upper layer."""

import time
from collections.abc import Sequence

from support.dicom_peer import command, element, p_data, pdv, uid_value

from orthanc_fast._ext import pdata
from orthanc_fast.upper_layer import dimse
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.pdu import Role
from orthanc_fast.upper_layer.requestor import Target, associate, proposals
from orthanc_fast.upper_layer.sending import Sender

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

_MESSAGE = 7
_DESTINATION = 0x00000600
_LEVEL = 0x00080052
_PATIENT_ID = 0x00100020
_STUDY = 0x0020000D
_PRIORITY = element(0x00000700, b"\0\0")


def request(
    sop_class: str, field: int, destination: str = "", message: int = _MESSAGE, context: int = 1
) -> bytes:
    """The PDU of a command that an identifier follows."""
    body = command(field, message, True, sop_class)[12:]
    if destination:
        at = body.index(_PRIORITY)
        named = element(_DESTINATION, destination.ljust(16).encode())
        body = body[:at] + named + body[at:]
    whole = element(0, len(body).to_bytes(4, "little")) + body
    return p_data(pdv(context, whole, is_command=True))


def study_identifier(study: str, patient: str | None = None) -> bytes:
    """In implicit VR; "" for the patient asks for it."""
    found = element(_LEVEL, b"STUDY ")
    if patient is not None:
        found += element(_PATIENT_ID, patient.encode() + b" " * (len(patient) % 2))
    return found + element(_STUDY, uid_value(study))


class Requestor:
    """One association, on which one thread asks for one thing after the other."""

    def __init__(self, port: int, contexts: Sequence[tuple[str, str]], calling: str = "CLIENT"):
        """`contexts`: SOP class and transfer syntax of each, numbered 1, 3, 5..."""
        target = Target(called="ORTHANC", calling=calling, host="127.0.0.1", port=port, timeout=60)
        roles = [Role(CT, False, True)] if any(uid == STUDY_GET for uid, _ in contexts) else []
        offered = proposals(*((uid, (syntax,)) for uid, syntax in contexts))
        self._association: Association = associate(target, offered, roles)
        assert len(self._association.agreement.contexts) == len(contexts)
        self._buffer = bytearray(1 << 20)
        self._message = 0

    @property
    def local_port(self) -> int:
        return int(self._association.channel._socket.getsockname()[1])

    def echo(self) -> float:
        """How long it took, in seconds."""
        begin = time.perf_counter()
        self._association.channel.send(
            p_data(pdv(1, command(dimse.C_ECHO_RQ, _MESSAGE), is_command=True))
        )
        assert self._final(dimse.C_ECHO_RQ) == (0, 0)
        return time.perf_counter() - begin

    def find(self, identifier: bytes) -> int:
        """How many answers there are."""
        self._ask(STUDY_FIND, dimse.C_FIND_RQ, identifier)
        status, answers = self._final(dimse.C_FIND_RQ)
        assert status == 0, hex(status)
        return answers

    def move(self, identifier: bytes, destination: str) -> None:
        """Returns when the last response is there."""
        self._ask(STUDY_MOVE, dimse.C_MOVE_RQ, identifier, destination)
        status, _ = self._final(dimse.C_MOVE_RQ)
        assert status == 0, hex(status)

    def get(self, identifier: bytes) -> int:
        """How many instances have come."""
        self._ask(STUDY_GET, dimse.C_GET_RQ, identifier)
        self._stored = 0
        status, _ = self._final(dimse.C_GET_RQ)
        assert status == 0, hex(status)
        return self._stored

    def store(self, context: int, sop_instance: str, data_set: bytes) -> None:
        """One CT slice."""
        self._message = self._message % 0xFFFF + 1
        status = Sender(self._association).store(
            context, CT, sop_instance, [data_set], self._message
        )
        assert status == 0, hex(status)

    def release(self) -> None:
        self._association.release(10)

    def _ask(self, sop_class: str, field: int, identifier: bytes, destination: str = "") -> None:
        message = request(sop_class, field, destination) + p_data(pdv(1, identifier))
        self._association.channel.send(message)

    def _final(self, field: int) -> tuple[int, int]:
        """Status of the last response, and how many came before it; stores what comes meanwhile."""
        reader, channel = self._association.reader, self._association.channel
        pending = 0
        while True:
            event = channel.wait()
            assert event == pdata.COMMAND, event
            received, context, status = reader.command_field, reader.context_id, reader.status
            message, sop_class, instance = reader.message_id, reader.sop_class, reader.sop_instance
            if reader.has_data_set:
                reader.accept(self._buffer, 0)
                event = channel.wait()
                assert event == pdata.DATA_SET, event
            if received == dimse.C_STORE_RQ:
                answer = dimse.response(context, received, message, 0, sop_class, instance)
                channel.send(answer)
                self._stored += 1
            elif status in dimse.PENDING:
                pending += 1
            else:
                assert received == field | dimse.RESPONSE, received
                return status, pending
