"""Command sets and data sets that we send: prebuilt P-DATA-TF PDUs. Source: PS3.7 sections 9.3 and
E.1, PS3.8 section 9.3.5."""

import struct
from collections.abc import Iterator

import msgspec

from orthanc_fast._ext.pdata import PduError
from orthanc_fast.upper_layer import pdu

C_STORE_RQ = 0x0001
C_GET_RQ = 0x0010
C_FIND_RQ = 0x0020
C_MOVE_RQ = 0x0021
C_ECHO_RQ = 0x0030
N_EVENT_REPORT_RQ = 0x0100
N_ACTION_RQ = 0x0130
C_CANCEL_RQ = 0x0FFF
RESPONSE = 0x8000

MEDIUM = 0x0000  # priority
PENDING = frozenset({0xFF00, 0xFF01})  # statuses that more responses follow

_DATA_SET = 0x0001
_NO_DATA_SET = 0x0101

_FIRST_COUNTER = 0x1020  # Number of Remaining Sub-operations

_ELEMENT = struct.Struct("<HHI")
_NUMBER = struct.Struct("<HHIH")
_GROUP_LENGTH = struct.Struct("<HHII")
_FOUR_NUMBERS = struct.Struct("<" + 4 * "HHIH")
_PDU = struct.Struct(">BBIIBB")

_COMMAND, _LAST = 0x01, 0x02  # bits of the message control header
OVERHEAD = 6  # bytes of a PDU with one PDV that its length counts and that carry nothing
LARGEST_PDU = 1 << 17  # bytes of what we send, whatever the peer takes


class Counts(msgspec.Struct, frozen=True):
    """The numbers of sub-operations in a C-GET-RSP or C-MOVE-RSP; None leaves one out."""

    remaining: int | None
    completed: int
    failed: int
    warning: int


def response(
    context: int, command: int, message: int, status: int, sop_class: bytes, instance: bytes
) -> bytes:
    """The PDU of a C-STORE-RSP or C-ECHO-RSP; absent UIDs are b""."""
    encoded = response_set(command, message, status, sop_class, instance)
    size = OVERHEAD + len(encoded)
    return _PDU.pack(0x04, 0, size, size - 4, context, _COMMAND | _LAST) + encoded


def response_set(
    command: int,
    message: int,
    status: int,
    sop_class: bytes,
    instance: bytes,
    has_data_set: bool = False,
    counts: Counts | None = None,
) -> bytes:
    """The command set of a response to the request `command`."""
    fields = _FOUR_NUMBERS.pack(
        *(0x0000, 0x0100, 2, command | RESPONSE),
        *(0x0000, 0x0120, 2, message),
        *(0x0000, 0x0800, 2, _DATA_SET if has_data_set else _NO_DATA_SET),
        *(0x0000, 0x0900, 2, status),
    )
    content = _uid(0x0002, sop_class) + fields + _uid(0x1000, instance)
    if counts is not None:
        numbers = (counts.remaining, counts.completed, counts.failed, counts.warning)
        content += b"".join(
            _NUMBER.pack(0x0000, element, 2, number)
            for element, number in enumerate(numbers, 0x1020)
            if number is not None
        )
    return _GROUP_LENGTH.pack(0x0000, 0x0000, 4, len(content)) + content


def fragment_size(maximum: int) -> int:
    """The most bytes of a message in a PDV for a peer that takes P-DATA PDUs of `maximum` bytes, 0:
    any. Even, as PS3.8 annex E wants it. Raises PduError if it takes none."""
    size = (min(maximum or LARGEST_PDU, LARGEST_PDU) - OVERHEAD) & ~1
    if size < 2:
        raise PduError(f"a maximum length of {maximum} bytes for a PDU", pdu.INVALID_PARAMETER)
    return size


def fragments(context: int, data: bytes, is_command: bool, maximum: int) -> Iterator[bytes]:
    """The pieces of the PDUs that carry a command set or data set: `maximum` bytes is what the peer
    takes at most in one, 0: any. Raises PduError if it takes none."""
    room = fragment_size(maximum)
    control = _COMMAND if is_command else 0
    at, end = 0, len(data)
    while True:
        part = data if end <= room else data[at : at + room]
        at += room
        last = _LAST if at >= end else 0
        size = len(part) + OVERHEAD
        yield _PDU.pack(0x04, 0, size, size - 4, context, control | last)
        yield part
        if last:
            return


def only_fragment(context: int, length: int) -> bytes:
    """What stands before a data set of so many bytes that one PDU carries."""
    size = length + OVERHEAD
    return _PDU.pack(0x04, 0, size, size - 4, context, _LAST)


def store_request(
    message: int, sop_class: str, sop_instance: str, originator: tuple[str, int] | None
) -> bytes:
    """The command set of a C-STORE-RQ; `originator` is the title and the message ID of the C-MOVE
    that it belongs to."""
    fields = _FOUR_NUMBERS.pack(
        *(0x0000, 0x0100, 2, C_STORE_RQ),
        *(0x0000, 0x0110, 2, message),
        *(0x0000, 0x0700, 2, MEDIUM),
        *(0x0000, 0x0800, 2, _DATA_SET),
    )
    content = _uid(0x0002, sop_class.encode()) + fields + _uid(0x1000, sop_instance.encode())
    if originator is not None:
        title, moving = originator
        content += _text(0x1030, title.encode()) + _NUMBER.pack(0x0000, 0x1031, 2, moving)
    return _GROUP_LENGTH.pack(0x0000, 0x0000, 4, len(content)) + content


def _text(element: int, value: bytes) -> bytes:
    if len(value) % 2:
        value += b" "
    return _ELEMENT.pack(0x0000, element, len(value)) + value


def _uid(element: int, value: bytes) -> bytes:
    if not value:
        return b""
    if len(value) % 2:
        value += b"\0"
    return _ELEMENT.pack(0x0000, element, len(value)) + value


def value_of(command_set: bytes, element: int) -> bytes | None:
    """The raw value of an element of group 0000, None where there is none."""
    at = 0
    while at + _ELEMENT.size <= len(command_set):
        _, number, length = _ELEMENT.unpack_from(command_set, at)
        at += _ELEMENT.size
        if number == element:
            return command_set[at : at + length]
        at += length
    return None


def sub_operations(command_set: bytes) -> tuple[int, int, int, int]:
    """How many are remaining, completed, failed and completed with a warning, by a C-MOVE-RSP or
    C-GET-RSP that the reader has accepted; 0 for what it does not tell."""
    counts = [0, 0, 0, 0]
    at = 0
    while at < len(command_set):
        _, element, length = _ELEMENT.unpack_from(command_set, at)
        at += _ELEMENT.size
        if _FIRST_COUNTER <= element <= _FIRST_COUNTER + 3 and length == 2:
            counts[element - _FIRST_COUNTER] = int.from_bytes(command_set[at : at + 2], "little")
        at += length
    remaining, completed, failed, warning = counts
    return remaining, completed, failed, warning
