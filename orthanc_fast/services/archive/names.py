"""The names of folders and files inside an archive. Source: reference chapter 3, section 3.7.3."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from orthanc_fast.model import Level
from orthanc_fast.numerals import MAX_INT64, MAX_UINT32, unsigned

PATIENT_NAME, PATIENT_ID = 0x00100010, 0x00100020
ACCESSION_NUMBER, STUDY_DESCRIPTION = 0x00080050, 0x00081030
SERIES_NUMBER, MODALITY, SERIES_DESCRIPTION = 0x00200011, 0x00080060, 0x0008103E

_PARTS: Final = {
    Level.PATIENT: (PATIENT_ID, PATIENT_NAME),
    Level.STUDY: (ACCESSION_NUMBER, STUDY_DESCRIPTION),
    Level.SERIES: (SERIES_NUMBER, MODALITY, SERIES_DESCRIPTION),
}
_UNKNOWN: Final = {
    Level.PATIENT: "Unknown Patient",
    Level.STUDY: "Unknown Study",
    Level.SERIES: "Unknown Series",
}
_NOT_ASCII_TEXT = re.compile(r"[^ -~\n]+")  # Orthanc keeps line feeds, which become spaces
_FORBIDDEN = re.compile(r'[\x00-\x20:*?"<>|/\\]+')


def folder_name(level: Level, tags: Mapping[int, str], utf8: bool) -> str:
    """The name of the folder of a patient, study or series with these main tags: their parts in
    one line, or `Unknown ...`. Empty where nothing of it can be written."""
    parts = [tags.get(tag, "") for tag in _PARTS[level]]
    # An empty PatientID keeps its place.
    name = " - ".join(part for part in parts[1:] if part)
    if parts[0] or level == Level.PATIENT:
        name = f"{parts[0]} - {name}" if name else parts[0]
    if not name.strip(" ").strip("^"):
        return _UNKNOWN[level]
    name = component(name, utf8)
    # No archive leads out of the folder into which it is unpacked.
    return _UNKNOWN[level] if name in (".", "..") else name


def component(text: str, utf8: bool) -> str:
    """`text` as one component of a path: ASCII, unless `utf8`, and without what file systems
    forbid."""
    if not utf8:
        text = _NOT_ASCII_TEXT.sub("", text)
    return _FORBIDDEN.sub(" ", text).strip(" ")


def file_name(modality: str, number: int, utf8: bool) -> str:
    """The name of the file of an instance."""
    prefix = modality[:2]
    if prefix.isascii():
        prefix = prefix.upper()
    return component(f"{prefix}{number:0{8 - len(prefix)}d}.dcm", utf8)


def file_number(index_in_series: str | None) -> int:
    """The number of an instance by its metadata IndexInSeries: the last 32 bits, 0 where that is
    no unsigned integer."""
    text = index_in_series or ""
    if len(text) < 10 and text.isascii() and text.isdecimal():  # nearly all; the rest takes longer
        return int(text)
    number = unsigned(text, MAX_INT64)
    return 0 if number is None else number & MAX_UINT32


def joined(components: Iterable[str]) -> str:
    """A path. An empty component leaves no trace, unless it is the first one."""
    first, *others = components
    return "".join([first, *(f"/{name}" for name in others if name)])


class Folder:
    """The names in one folder, each different from the others."""

    __slots__ = ("_last", "_taken")

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """`name`, or where it is taken `name-2`, `name-3`..."""
        made = name
        if name in self._taken:
            number = self._last.get(name, 1) + 1
            while (made := f"{name}-{number}") in self._taken:
                number += 1
            self._last[name] = number
        self._taken.add(made)
        return made
