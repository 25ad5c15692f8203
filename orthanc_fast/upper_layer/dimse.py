"""Command sets that we send: prebuilt P-DATA-TF PDUs. Source: PS3.7 sections 9.3 and E.1."""

import struct

C_STORE_RQ = 0x0001
C_GET_RQ = 0x0010
C_FIND_RQ = 0x0020
C_MOVE_RQ = 0x0021
C_ECHO_RQ = 0x0030
N_EVENT_REPORT_RQ = 0x0100
N_ACTION_RQ = 0x0130
C_CANCEL_RQ = 0x0FFF
RESPONSE = 0x8000

_NO_DATA_SET = 0x0101

_UID = struct.Struct("<HHI")
_GROUP_LENGTH = struct.Struct("<HHII")
# Command Field, Message ID Being Responded To, Command Data Set Type, Status
_FIELDS = struct.Struct("<" + 4 * "HHIH")
_PDU = struct.Struct(">BBIIBB")


def response(
    context: int, command: int, message: int, status: int, sop_class: bytes, instance: bytes
) -> bytes:
    """The PDU of a C-STORE-RSP or C-ECHO-RSP; absent UIDs are b""."""
    fields = _FIELDS.pack(
        *(0x0000, 0x0100, 2, command | RESPONSE),
        *(0x0000, 0x0120, 2, message),
        *(0x0000, 0x0800, 2, _NO_DATA_SET),
        *(0x0000, 0x0900, 2, status),
    )
    content = _uid(0x0002, sop_class) + fields + _uid(0x1000, instance)
    size = 12 + len(content)
    return (
        _PDU.pack(0x04, 0, size + 6, size + 2, context, 0x03)
        + _GROUP_LENGTH.pack(0x0000, 0x0000, 4, len(content))
        + content
    )


def _uid(element: int, value: bytes) -> bytes:
    if not value:
        return b""
    if len(value) % 2:
        value += b"\0"
    return _UID.pack(0x0000, element, len(value)) + value
