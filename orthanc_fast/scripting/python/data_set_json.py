"""A DICOM file as JSON with the formats and flags of scripts. Source: reference chapter 7,
sections 3 and 4."""

import base64
from typing import Any, Final

import msgspec

from orthanc_fast._ext.scan import ScanError, elements
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import DicomFile, open_dicom
from orthanc_fast.dicom.tag_json import Format, reduced, tags_json
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.scripting.python.enumerations import MEMBERS
from orthanc_fast.scripting.python.exceptions import PARAMETER_OUT_OF_RANGE, failure

FORMATS: Final[dict[int, Format]] = {1: "full", 2: "short", 3: "simplify"}
_FLAGS = MEMBERS["DicomToJsonFlags"]
INCLUDE_BINARY: Final = _FLAGS["INCLUDE_BINARY"]
INCLUDE_PRIVATE: Final = _FLAGS["INCLUDE_PRIVATE_TAGS"]
INCLUDE_UNKNOWN: Final = _FLAGS["INCLUDE_UNKNOWN_TAGS"]
INCLUDE_PIXELS: Final = _FLAGS["INCLUDE_PIXEL_DATA"]
TO_ASCII: Final = _FLAGS["CONVERT_BINARY_TO_ASCII"]
TO_NULL: Final = _FLAGS["CONVERT_BINARY_TO_NULL"]
UNTIL_PIXELS: Final = _FLAGS["STOP_AFTER_PIXEL_DATA"]
SKIP_GROUP_LENGTHS: Final = _FLAGS["SKIP_GROUP_LENGTHS"]
# What the server's own answers show.
USUAL_FLAGS: Final = (
    INCLUDE_BINARY | INCLUDE_PRIVATE | INCLUDE_UNKNOWN | INCLUDE_PIXELS | TO_NULL | UNTIL_PIXELS
)

_PIXEL_DATA = "7fe0,0010"
_SQ = int.from_bytes(b"SQ")
_ENCAPSULATED = -1


class Everything(frozenset[int]):
    """All tags: values of any length are wanted."""

    def __contains__(self, tag: object) -> bool:
        return True


def data_set_json(
    data: bytes | memoryview,
    dictionary: Dictionary,
    encoding: str,
    form: int,
    flags: int = USUAL_FLAGS,
    longest: int = 0,
) -> str:
    """The data set as one JSON object. `longest` is the bytes of UTF-8 that a text may have, 0 for
    no limit: longer ones are null. Raises BadFileFormat, OrthancException 3 for an unknown
    format."""
    if form not in FORMATS:
        raise failure(PARAMETER_OUT_OF_RANGE)
    try:
        file = open_dicom(data)
    except ScanError as error:
        raise BadFileFormat(str(error)) from error
    whole = not flags & UNTIL_PIXELS
    text = tags_json(file, "full", dictionary, encoding, whole, Everything())
    members = _Reduction(dictionary, file, flags, longest).root(msgspec.json.decode(text))
    if form != 1:
        members = {
            (tag if form == 2 else member["Name"]): reduced(member, form == 2)
            for tag, member in members.items()
        }
    return msgspec.json.encode(members).decode()


class _Reduction:
    """What the flags leave of a data set in the Full format."""

    def __init__(self, dictionary: Dictionary, file: DicomFile, flags: int, longest: int) -> None:
        self._dictionary = dictionary
        self._file = file
        self._flags = flags
        self._longest = longest

    def root(self, members: dict[str, Any]) -> dict[str, Any]:
        found = self._kept(members)
        if self._flags & (INCLUDE_BINARY | INCLUDE_PIXELS) and not self._flags & TO_NULL:
            self._show_binary(found)
        return found

    def _kept(self, members: dict[str, Any]) -> dict[str, Any]:
        return {
            tag: self._shown(member) for tag, member in members.items() if self._keeps(tag, member)
        }

    def _keeps(self, text: str, member: dict[str, Any]) -> bool:
        tag = int(text[:4] + text[5:], 16)
        flags = self._flags
        if tag & 0xFFFF == 0 and flags & SKIP_GROUP_LENGTHS:
            return False
        if text == _PIXEL_DATA:
            return bool(flags & INCLUDE_PIXELS)
        if tag >> 16 & 1:
            if not flags & INCLUDE_PRIVATE:
                return False
            known = member["Name"] != "Unknown Tag & Data"
        else:
            known = tag in self._dictionary.standard
        if not known and not flags & INCLUDE_UNKNOWN:
            return False
        return member["Type"] != "Null" or bool(flags & INCLUDE_BINARY)

    def _shown(self, member: dict[str, Any]) -> dict[str, Any]:
        kind, value = member["Type"], member["Value"]
        if kind == "Sequence":
            return {**member, "Value": [self._kept(item) for item in value]}
        if kind == "String" and self._longest and len(value.encode()) > self._longest:
            return {**member, "Type": "TooLong", "Value": None}
        return member

    def _show_binary(self, members: dict[str, Any]) -> None:
        """The bytes of root elements: texts of ASCII, else data URIs. Those in sequences stay
        null."""
        file = self._file
        rows = elements(file.data, file.start, len(file.data), file.explicit, file.big)
        for tag, vr, _, begin, length, end in rows:
            member = members.get(f"{tag >> 16:04x},{tag & 0xFFFF:04x}")
            if member is None or member["Type"] != "Null" or vr == _SQ or length == _ENCAPSULATED:
                continue
            value = bytes(file.data[begin:end])
            member["Type"] = "String"
            if self._flags & TO_ASCII:
                member["Value"] = "".join(chr(each) if 32 <= each < 127 else "" for each in value)
            else:
                encoded = base64.b64encode(value).decode()
                member["Value"] = f"data:application/octet-stream;base64,{encoded}"
