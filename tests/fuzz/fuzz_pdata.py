"""Fuzzes the PDU reader and the search for SOP UIDs: fuzz_pdata.py FOLDER SECONDS.

FOLDER holds the instrumented extension pdata; it takes the place of the package's own.
"""

import sys

from guided import fuzz, use_instrumented

use_instrumented(sys.argv[1], "pdata")

from orthanc_fast._ext import pdata  # noqa: E402


def target(data: bytes) -> None:
    """The first two bytes choose the target's sizes, so that every boundary is met."""
    if len(data) < 3:
        return
    read(data[2:], 1 + data[0], 1 + data[1] * 8)
    pdata.sop_uids(data, data[0], bool(data[1] & 1), bool(data[1] & 2))


def read(stream: bytes, first: int, piece: int) -> None:
    reader = pdata.PduReader()
    reader.establish(4096, [1, 3])
    rest = stream
    try:
        while True:
            event = reader.next()
            if event == pdata.COMMAND:
                assert len(reader.sop_class) <= len(reader.command_set)
                assert len(reader.sop_instance) <= len(reader.command_set)
                if reader.has_data_set:
                    reader.accept(bytearray(first), 0)
            elif event == pdata.ROOM:
                reader.accept(bytearray(first * 7), 0)
            elif event == pdata.PDU:
                assert len(reader.pdu) >= 6
            elif event == pdata.NEED_DATA:
                if not rest:
                    return
                window = reader.window()
                count = min(len(window), piece, len(rest))
                window[:count] = rest[:count]
                reader.received(count)
                rest = rest[count:]
    except pdata.PduError:
        return


COMMAND = bytes.fromhex(
    "00000000040000003c000000"
    "000002000400000031003200"
    "00000001020000000100"
    "00001001020000000700"
    "00000008020000000000"
    "000000100400000031002e33"
)
ECHO = COMMAND.replace(bytes.fromhex("00000008020000000000"), bytes.fromhex("00000008020000000101"))


def pdv(context: int, control: int, data: bytes) -> bytes:
    return (len(data) + 2).to_bytes(4, "big") + bytes((context, control)) + data


def pdu(*pdvs: bytes) -> bytes:
    body = b"".join(pdvs)
    return b"\x04\0" + len(body).to_bytes(4, "big") + body


SEEDS = [
    b"\x40\x08" + pdu(pdv(1, 3, ECHO)) + b"\x05\0\0\0\0\x04\0\0\0\0",
    b"\x40\x10" + pdu(pdv(1, 1, COMMAND[:20]), pdv(1, 3, COMMAND[20:])) + pdu(pdv(1, 2, bytes(90))),
    b"\xff\xff" + pdu(pdv(3, 3, COMMAND)) + pdu(pdv(3, 0, b"x" * 500)) + pdu(pdv(3, 2, b"y")),
    b"\x00\x01\x08\0\x16\0UI\x04\x001.2\0\x08\0\x18\0UI\x04\x001.3\0",
    b"\x00\x01\x08\0\x06\0SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0",
]

if __name__ == "__main__":
    fuzz(target, SEEDS, float(sys.argv[2]))
