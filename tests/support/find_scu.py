"""A C-FIND SCU that reads raw bytes: fast enough to measure servers by it, and free of what a
library would put right."""

import socket
import struct
import time
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any, NamedTuple, Self, TypeAlias

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from support.dicom_peer import EXPLICIT, IMPLICIT, Peer, command, p_data, pdv

PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"

PENDING = 0xFF00
_STATUS = b"\x00\x00\x00\x09\x02\x00\x00\x00"
_PDU = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")

LONG_VRS = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # noqa: SIM905 - a table

# A text in Latin-1, bytes, one number, or the items of a sequence.
Value: TypeAlias = "str | bytes | int | list[list[Element]]"
# Tag, VR and value.
Element: TypeAlias = "tuple[int, str, Value]"


class Outcome(NamedTuple):
    """`answers` are the encoded identifiers of all pending responses; times are in seconds since
    the request was sent."""

    status: int
    answers: list[bytes]
    first: float
    seconds: float


class Aborted(Exception):
    """The server has aborted the association or closed the connection."""


def encoded(elements: Sequence[Element], syntax: str = EXPLICIT) -> bytes:
    """An identifier, in which nothing is checked."""
    order = ">" if syntax == BIG_ENDIAN else "<"
    return b"".join(_element(*each, order, syntax != IMPLICIT) for each in elements)


def _element(tag: int, vr: str, value: Value, order: str, explicit: bool) -> bytes:
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if isinstance(value, list):
        items = [
            b"".join(_element(*each, order, explicit) for each in sorted(item)) for item in value
        ]
        item_head = struct.Struct(f"{order}HHI")
        raw = b"".join(item_head.pack(0xFFFE, 0xE000, len(item)) + item for item in items)
    elif isinstance(value, int):
        raw = struct.pack(order + ("H" if vr in ("US", "SS") else "I"), value)
    else:
        raw = value.encode("latin-1") if isinstance(value, str) else value
        raw += b"\0" if len(raw) % 2 and vr in ("UI", "OB", "UN") else b" " * (len(raw) % 2)
    if not explicit:
        return head + struct.pack(f"{order}I", len(raw)) + raw
    if vr in LONG_VRS:
        return head + vr.encode() + b"\0\0" + struct.pack(f"{order}I", len(raw)) + raw
    return head + vr.encode() + struct.pack(f"{order}H", len(raw)) + raw


def decoded(identifier: bytes, syntax: str = EXPLICIT) -> Dataset:
    """An identifier as pydicom reads it."""
    return read_dataset(BytesIO(identifier), syntax == IMPLICIT, syntax != BIG_ENDIAN)


Answer = tuple[tuple[int, str | None, Any], ...]


def comparable(dataset: Dataset) -> Answer:
    """Tags, VRs and encoded values without padding; the items of sequences likewise."""
    found: list[tuple[int, str | None, Any]] = []
    for tag in sorted(dataset.keys()):
        element = dataset.get_item(tag)
        value: Any = element.value
        if element.VR == "SQ":
            value = tuple(comparable(item) for item in dataset[tag].value)
        elif isinstance(element, RawDataElement):
            value = (element.value or b"").rstrip(b" \0")
        found.append((int(tag), element.VR, value))
    return tuple(found)


class FindScu:
    """One association for queries of one model."""

    def __init__(
        self,
        port: int,
        sop_class: str = STUDY_ROOT,
        syntax: str = EXPLICIT,
        calling: str = "PEER",
        timeout: float = 30.0,
    ) -> None:
        self.peer = Peer(port, timeout)
        self.peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sop_class = sop_class
        self._message = 0
        self._buffer, self._at = b"", 0  # what was received, and how much of it was read
        self.peer.associate(contexts=((sop_class, (syntax,)),), calling=calling)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.peer.close()

    def find(self, identifier: bytes, cancel_after: int | None = None) -> Outcome:
        """Asks, and reads all responses; cancels after so many answers. Raises Aborted."""
        begin = time.perf_counter()
        self.ask(identifier)
        first = 0.0
        answers: list[bytes] = []
        for status, answer in self.responses():
            if not first:
                first = time.perf_counter() - begin
            if status != PENDING:
                return Outcome(status, answers, first, time.perf_counter() - begin)
            answers.append(answer)
            if len(answers) == cancel_after:
                self.cancel()
        raise AssertionError("unreachable")

    def ask(self, identifier: bytes) -> None:
        """Sends the request only."""
        self._message += 1
        asked = command(0x0020, self._message, True, self.sop_class)
        request = p_data(pdv(1, asked, is_command=True))
        parts = [identifier[at : at + 16000] for at in range(0, len(identifier), 16000)] or [b""]
        for number, part in enumerate(parts):
            request += p_data(pdv(1, part, last=number == len(parts) - 1))
        self.peer.send(request)

    def cancel(self) -> None:
        """Asks the server to stop the last query."""
        head = b"\0\0\0\1\2\0\0\0\xff\x0f" + b"\0\0\x20\1\2\0\0\0"
        body = head + self._message.to_bytes(2, "little") + b"\0\0\0\x08\2\0\0\0\1\1"
        group = b"\0\0\0\0\4\0\0\0" + len(body).to_bytes(4, "little")
        self.peer.send(p_data(pdv(1, group + body, is_command=True)))

    def responses(self) -> Iterator[tuple[int, bytes]]:
        """Status and identifier of each response, the last one included."""
        status, data = 0, b""
        for control, part in self._fragments():
            if control & 1:
                status = int.from_bytes(_after(part), "little")
                if status != PENDING:
                    yield status, b""
                    return
                continue
            data += part
            if control & 2:
                yield status, data
                data = b""

    def _fragments(self) -> Iterator[tuple[int, bytes]]:
        """Control header and content of each PDV."""
        while True:
            kind, end = self._pdu()
            if kind != 4:
                raise Aborted(kind)
            at, buffer = self._at + 6, self._buffer
            self._at = end
            while at < end:
                length, _, control = _PDV.unpack_from(buffer, at)
                yield control, buffer[at + 6 : at + 4 + length]
                at += 4 + length

    def _pdu(self) -> tuple[int, int]:
        """The type and the end of the first PDU in the buffer."""
        while len(self._buffer) < self._at + 6:
            self._more()
        kind, length = _PDU.unpack_from(self._buffer, self._at)
        while len(self._buffer) < self._at + 6 + length:
            self._more()
        return kind, self._at + 6 + length

    def _more(self) -> None:
        received = self.peer.socket.recv(1 << 18)
        if not received:
            raise Aborted(0)
        self._buffer = self._buffer[self._at :] + received
        self._at = 0


def _after(part: bytes) -> bytes:
    at = part.index(_STATUS) + len(_STATUS)
    return part[at : at + 2]
