"""A DICOM peer that can misbehave: PDUs byte by byte. The A-ASSOCIATE PDUs are pynetdicom's, so
that our reading and writing of them is checked by somebody else's."""

import contextlib
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import build_context

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
RELEASE_RQ = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"

Context = tuple[str, Sequence[str]]


def associate_rq(
    contexts: Sequence[Context] = ((VERIFICATION, (IMPLICIT,)), (CT, (IMPLICIT, EXPLICIT))),
    calling: str = "PEER",
    called: str = "ORTHANC",
    window: tuple[int, int] | None = None,
    roles: Sequence[tuple[str, bool, bool]] = (),
) -> bytes:
    """An A-ASSOCIATE-RQ PDU; the contexts are numbered 1, 3, 5..."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title = calling
    primitive.called_ae_title = called
    length = MaximumLengthNotification()
    length.maximum_length_received = 16384
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = "1.2.3.4"
    primitive.user_information = [length, implementation]
    if window is not None:
        item = AsynchronousOperationsWindowNegotiation()
        item.maximum_number_operations_invoked, item.maximum_number_operations_performed = window
        primitive.user_information.append(item)
    for uid, scu, scp in roles:
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = uid, scu, scp
        primitive.user_information.append(role)
    proposals = []
    for number, (uid, syntaxes) in enumerate(contexts):
        context = build_context(uid, list(syntaxes))
        context.context_id = 2 * number + 1
        proposals.append(context)
    primitive.presentation_context_definition_list = proposals
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def element(tag: int, value: bytes) -> bytes:
    """An element of a command set: implicit VR little endian."""
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def uid_value(uid: str) -> bytes:
    raw = uid.encode()
    return raw + b"\0" * (len(raw) % 2)


def command(
    field: int,
    message: int = 1,
    data_set: bool = False,
    sop_class: str = VERIFICATION,
    sop_instance: str = "",
) -> bytes:
    """An encoded command set."""
    body = element(0x00000002, uid_value(sop_class)) + element(
        0x00000100, field.to_bytes(2, "little")
    )
    body += element(0x00000110, message.to_bytes(2, "little"))
    body += element(0x00000700, b"\0\0")
    body += element(0x00000800, (1 if data_set else 0x0101).to_bytes(2, "little"))
    if sop_instance:
        body += element(0x00001000, uid_value(sop_instance))
    return element(0x00000000, len(body).to_bytes(4, "little")) + body


def store_rq(sop_class: str, sop_instance: str, message: int = 1) -> bytes:
    return command(0x0001, message, True, sop_class, sop_instance)


def pdv(context: int, data: bytes, *, is_command: bool = False, last: bool = True) -> bytes:
    control = (1 if is_command else 0) | (2 if last else 0)
    return struct.pack(">IBB", len(data) + 2, context, control) + data


def p_data(*pdvs: bytes) -> bytes:
    body = b"".join(pdvs)
    return struct.pack(">BBI", 4, 0, len(body)) + body


def echo_rq(message: int = 1, context: int = 1) -> bytes:
    return p_data(pdv(context, command(0x0030, message), is_command=True))


def fragments(context: int, data: bytes, size: int) -> bytes:
    """A data set in P-DATA PDUs of one PDV with `size` bytes each."""
    parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
    return b"".join(
        p_data(pdv(context, part, last=number == len(parts) - 1))
        for number, part in enumerate(parts)
    )


class Peer:
    """A connection to a door."""

    def __init__(self, port: int, timeout: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> tuple[int, bytes]:
        """(type, whole PDU) of the next PDU; (0, b"") at the end of the stream."""
        header = self._exactly(6)
        if not header:
            return 0, b""
        return header[0], header + self._exactly(int.from_bytes(header[2:]))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except ConnectionResetError:
                return b""
            if not more:
                return b""
            data += more
        return data

    def associate(self, **arguments: Any) -> A_ASSOCIATE_AC:
        """Raises Rejected if that is the answer."""
        self.send(associate_rq(**arguments))
        kind, pdu = self.receive()
        if kind == 3:
            rejected = A_ASSOCIATE_RJ()
            rejected.decode(pdu)
            raise Rejected(rejected.result, rejected.source, rejected.reason_diagnostic)
        assert kind == 2, (kind, pdu)
        accepted = A_ASSOCIATE_AC()
        accepted.decode(pdu)
        return accepted

    def response(self) -> dict[int, bytes]:
        """The elements of the next command set, without padding of UIDs."""
        kind, pdu = self.receive()
        assert kind == 4, (kind, pdu)
        return parse_command(pdu[12:])

    def status(self) -> int:
        return int.from_bytes(self.response()[0x00000900], "little")

    def abort_source(self) -> tuple[int, int]:
        """(source, reason) of the A-ABORT that comes now, after which the stream must end."""
        kind, pdu = self.receive()
        assert kind == 7, (kind, pdu)
        assert self.receive() == (0, b"")
        return pdu[8], pdu[9]

    def release(self) -> None:
        self.send(RELEASE_RQ)
        assert self.receive()[0] == 6
        self.close()

    def close(self) -> None:
        self.socket.close()


class Rejected(Exception):
    """`args` is (result, source, reason)."""


def parse_command(data: bytes) -> dict[int, bytes]:
    found = {}
    at = 0
    while at < len(data):
        group, number, length = struct.unpack_from("<HHI", data, at)
        found[group << 16 | number] = data[at + 8 : at + 8 + length]
        at += 8 + length
    return found


@contextlib.contextmanager
def peer(port: int, timeout: float = 10.0) -> Iterator[Peer]:
    connection = Peer(port, timeout)
    try:
        yield connection
    finally:
        connection.close()
