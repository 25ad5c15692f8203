"""ZIP archives whose members are streamed: the records around the data.

Sizes and checksums follow the data of a member (APPNOTE 4.3.9). All members are written with ZIP64
sizes, so that the length of an archive does not depend on anything but names and sizes.
"""

import struct

import msgspec

STORED, DEFLATED = 0, 8

_VERSION = 45  # ZIP64
_FLAGS = 0x0808  # sizes follow; names are UTF-8
_DATE, _TIME = 0x21, 0  # 1980-01-01: the same series gives the same bytes
_NEVER = 0xFFFFFFFF
_ZIP64 = 1


class Member(msgspec.Struct):
    """One member; `crc`, `packed` and `size` are known once its data have been written."""

    name: str
    method: int
    offset: int
    crc: int = 0
    packed: int = 0
    size: int = 0

    def local_header(self) -> bytes:
        """What precedes the data."""
        name = self.name.encode()
        extra = struct.pack("<HHQQ", _ZIP64, 16, 0, 0)
        head = struct.pack(
            "<IHHHHHIIIHH",
            0x04034B50,
            _VERSION,
            _FLAGS,
            self.method,
            _TIME,
            _DATE,
            0,
            _NEVER,
            _NEVER,
            len(name),
            len(extra),
        )
        return head + name + extra

    def descriptor(self) -> bytes:
        """What follows the data."""
        return struct.pack("<IIQQ", 0x08074B50, self.crc, self.packed, self.size)

    def central_header(self) -> bytes:
        name = self.name.encode()
        extra = struct.pack("<HHQQQ", _ZIP64, 24, self.size, self.packed, self.offset)
        head = struct.pack(
            "<IHHHHHHIIIHHHHHII",
            0x02014B50,
            3 << 8 | _VERSION,  # made on Unix
            _VERSION,
            _FLAGS,
            self.method,
            _TIME,
            _DATE,
            self.crc,
            _NEVER,
            _NEVER,
            len(name),
            len(extra),
            0,
            0,
            0,
            0o100644 << 16,
            _NEVER,
        )
        return head + name + extra


def directory(members: list[Member], offset: int) -> bytes:
    """The end of the archive, which begins at `offset`."""
    central = b"".join(member.central_header() for member in members)
    count, size = len(members), len(central)
    end64 = struct.pack(
        "<IQHHIIQQQQ", 0x06064B50, 44, _VERSION, _VERSION, 0, 0, count, count, size, offset
    )
    locator = struct.pack("<IIQI", 0x07064B50, 0, offset + size, 1)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, _NEVER, _NEVER, 0)
    return central + end64 + locator + end


def stored_length(names_and_sizes: list[tuple[str, int]]) -> int:
    """Bytes of an archive of stored members."""
    members, offset = [], 0
    for name, size in names_and_sizes:
        member = Member(name, STORED, offset, 0, size, size)
        members.append(member)
        offset += len(member.local_header()) + size + len(member.descriptor())
    return offset + len(directory(members, offset))
