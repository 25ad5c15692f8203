"""Single elements near the beginning of a data set."""

from typing import Literal

from orthanc_fast._ext.scan import ScanError, elements
from orthanc_fast.dicom.part10 import DicomFile
from orthanc_fast.errors import BadFileFormat

_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


def first_value(file: DicomFile, tag: int) -> bytes | None:
    """The raw value of a root element, None if it is absent.

    Looks no further than the first greater tag or undefined length: elements stand in the order of
    their tags, and this is for one of the very first.
    """
    data, at, end = file.data, file.start, len(file.data)
    order: Literal["big", "little"] = "big" if file.big else "little"
    while end - at >= 8:
        head = bytes(data[at : at + 12])
        found = int.from_bytes(head[0:2], order) << 16 | int.from_bytes(head[2:4], order)
        if found > tag:
            return None
        if not file.explicit:
            size, header = int.from_bytes(head[4:8], order), 8
        elif head[4:6] in _LONG:
            size, header = int.from_bytes(head[8:12], order), 12
        else:
            size, header = int.from_bytes(head[6:8], order), 8
        if found == tag:
            return bytes(data[at + header : at + header + size])
        if size == 0xFFFFFFFF:
            return None
        at += header + size
    return None


def root_value(file: DicomFile, tag: int) -> bytes | None:
    """The same wherever the element stands. Raises BadFileFormat for what is no data set."""
    found = first_value(file, tag)
    if found is not None:
        return found
    try:
        rows = elements(file.data, file.start, len(file.data), file.explicit, file.big)
    except ScanError as error:
        raise BadFileFormat(str(error)) from error
    return next((bytes(file.data[row[3] : row[5]]) for row in rows if row[0] == tag), None)
