"""A data set on its way: elements in explicit VR little endian, by tag."""

from typing import Final

from orthanc_fast.dicom.elements import UNDEFINED_LENGTH, Writer
from orthanc_fast.dicom.file_meta import NO_SOP_CLASS, meta_header
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE

SOP_CLASS: Final = 0x00080016
SOP_UID: Final = 0x00080018

WRITE: Final = Writer(explicit=True, big=False)

_SHORT_HEADER = 8  # bytes before the value of a UI


class DataSet:
    """Elements of one instance. Large values are kept as they are, and joined once."""

    def __init__(self, elements: dict[int, list[Buffer]] | None = None) -> None:
        self._elements = {} if elements is None else elements
        self.transfer_syntax = EXPLICIT_LITTLE

    def __contains__(self, tag: int) -> bool:
        return tag in self._elements

    def copy(self) -> "DataSet":
        """Another one with the same elements."""
        return DataSet(dict(self._elements))

    def set(self, tag: int, element: bytes) -> None:
        """`element` is the whole element, made by `WRITE`."""
        self._elements[tag] = [element]

    def set_text(self, tag: int, vr: str, value: str) -> None:
        """A text in ASCII."""
        self.set(tag, WRITE.text(tag, vr, value))

    def set_number(self, tag: int, value: int) -> None:
        """One US."""
        self.set(tag, WRITE.number(tag, value))

    def set_parts(self, tag: int, *parts: Buffer) -> None:
        """The whole element, in parts."""
        self._elements[tag] = list(parts)

    def set_fragments(self, tag: int, parts: list[bytes], transfer_syntax: str) -> None:
        """Encapsulated pixel data, which decide about the transfer syntax."""
        self._elements[tag] = [WRITE.header(tag, "OB", UNDEFINED_LENGTH), *parts]
        self.transfer_syntax = transfer_syntax

    def file(self) -> bytes:
        """The DICOM file."""
        sop_class = self._uid(SOP_CLASS) if SOP_CLASS in self else NO_SOP_CLASS
        sop_uid = self._uid(SOP_UID) if SOP_UID in self else b""
        parts: list[Buffer] = [meta_header(sop_class, sop_uid, self.transfer_syntax)]
        for tag in sorted(self._elements):
            parts += self._elements[tag]
        return b"".join(parts)

    def _uid(self, tag: int) -> bytes:
        return b"".join(self._elements[tag])[_SHORT_HEADER:].rstrip(b" \0")
