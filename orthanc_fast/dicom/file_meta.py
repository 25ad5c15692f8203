"""The file meta information that this server writes. Source: DICOM PS3.10 section 7.1."""

from typing import Final

from orthanc_fast import implementation
from orthanc_fast.dicom.elements import Writer

_WRITER = Writer(explicit=True, big=False)

# Of files without a SOP class: DCMTK's private one, which Orthanc's clients know.
NO_SOP_CLASS: Final = b"1.2.276.0.7230010.3.1.0.1"


def meta_header(sop_class: bytes, sop_instance: bytes, transfer_syntax: str) -> bytes:
    """Preamble, prefix and group 0002, our implementation in it."""
    write = _WRITER.element
    group = b"".join(
        (
            write(0x00020001, "OB", b"\x00\x01"),
            write(0x00020002, "UI", sop_class),
            write(0x00020003, "UI", sop_instance),
            write(0x00020010, "UI", transfer_syntax.encode()),
            write(0x00020012, "UI", implementation.CLASS_UID.encode()),
            write(0x00020013, "SH", implementation.VERSION_NAME.encode()),
        )
    )
    length = write(0x00020000, "UL", len(group).to_bytes(4, "little"))
    return bytes(128) + b"DICM" + length + group
