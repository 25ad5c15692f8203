"""DICOM files encoded element by element: also such as no toolkit would write."""

import itertools
import struct

LONG = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
IMPLICIT, EXPLICIT, BIG = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2"))
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
UNDEFINED = 0xFFFFFFFF

Element = tuple[int, str, bytes]  # tag, VR, value

_numbers = itertools.count(1)


def element(
    tag: int, vr: str, value: bytes, syntax: str = EXPLICIT, length: int | None = None
) -> bytes:
    """One element as it stands in a data set: nothing is padded, and a `length` may lie."""
    order = ">" if syntax == BIG else "<"
    size = len(value) if length is None else length
    start = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT:
        return start + struct.pack(f"{order}I", size) + value
    code = vr.encode("latin-1")
    if vr in LONG:
        return start + code + struct.pack(f"{order}HI", 0, size) + value
    return start + code + struct.pack(f"{order}H", size) + value


def item(content: bytes, syntax: str = EXPLICIT) -> bytes:
    order = ">" if syntax == BIG else "<"
    return struct.pack(f"{order}HHI", 0xFFFE, 0xE000, len(content)) + content


def fragments(*parts: bytes) -> bytes:
    """The PixelData element of a compressed file; the first part is the offset table."""
    items = b"".join(map(item, parts)) + SEQUENCE_END
    return element(0x7FE00010, "OB", items, length=UNDEFINED)


class Exactly(bytes):
    """A value that stands in the file as it is, also with an odd length."""


def padded(vr: str, value: bytes) -> bytes:
    if len(value) % 2 == 0 or isinstance(value, Exactly):
        return value
    return value + (b"\0" if vr in ("UI", "OB", "UN") else b" ")


def file_of(
    *elements: Element, syntax: str = EXPLICIT, announced: str | None = None, tail: bytes = b""
) -> bytes:
    """A Part 10 file with these elements and, where they are missing, new identifiers. `announced`
    is the transfer syntax that the header tells if it is another one; `tail` follows the data
    set."""
    number = next(_numbers)
    given = {tag: (vr, value) for tag, vr, value in elements}
    identifiers = {
        0x00080016: "1.2.840.10008.5.1.4.1.1.7",
        0x00080018: f"1.2.826.0.1.3680043.10.1042.9.{number}.3",
        0x00100020: f"ENCODED{number}",
        0x0020000D: f"1.2.826.0.1.3680043.10.1042.9.{number}.1",
        0x0020000E: f"1.2.826.0.1.3680043.10.1042.9.{number}.2",
    }
    for tag, text in identifiers.items():
        given.setdefault(tag, ("LO" if tag == 0x00100020 else "UI", text.encode()))
    body = b"".join(
        element(tag, vr, padded(vr, value), syntax) for tag, (vr, value) in sorted(given.items())
    )
    announcement = (announced or syntax).encode()
    meta = element(0x00020001, "OB", b"\0\1")
    meta += element(0x00020010, "UI", padded("UI", announcement))
    head = element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta
    return bytes(128) + b"DICM" + head + body + tail
