"""Single data elements as bytes, in any native encoding. Source: DICOM PS3.5 section 7."""

import struct
from collections.abc import Iterable

import msgspec

UNDEFINED_LENGTH = 0xFFFFFFFF

_ITEM = 0xFFFEE000
_LONG = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
ZERO_PADDED = frozenset(["UI", "OB", "OW", "OF", "OD", "OL", "OV", "UN"])


class Writer(msgspec.Struct, frozen=True, gc=False):
    """Encodes elements with explicit or implicit VR, in little or big endian order."""

    explicit: bool
    big: bool

    @staticmethod
    def is_long(vr: str) -> bool:
        """Whether lengths have 32 bits with explicit VR, too."""
        return vr in _LONG

    def header(self, tag: int, vr: str, length: int) -> bytes:
        """Tag, VR and length of an element."""
        order = ">" if self.big else "<"
        group, element = tag >> 16, tag & 0xFFFF
        if not self.explicit:
            return struct.pack(f"{order}HHI", group, element, length)
        if vr in _LONG:
            return struct.pack(f"{order}HH2sHI", group, element, vr.encode(), 0, length)
        return struct.pack(f"{order}HH2sH", group, element, vr.encode(), length)

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        """An element whose value is encoded already; padded to an even length."""
        if len(value) % 2:
            value += b"\0" if vr in ZERO_PADDED else b" "
        return self.header(tag, vr, len(value)) + value

    def text(self, tag: int, vr: str, *values: str) -> bytes:
        """One or several texts in ASCII."""
        return self.element(tag, vr, "\\".join(values).encode("ascii"))

    def number(self, tag: int, value: int) -> bytes:
        """One US."""
        return self.element(tag, "US", value.to_bytes(2, "big" if self.big else "little"))

    def sequence(self, tag: int, items: Iterable[bytes]) -> bytes:
        """A sequence of items, which are joined elements in ascending order."""
        order = ">" if self.big else "<"
        header = struct.Struct(f"{order}HHI")
        value = b"".join(
            header.pack(_ITEM >> 16, _ITEM & 0xFFFF, len(item)) + item for item in items
        )
        return self.element(tag, "SQ", value)
