"""The names of folders and files. Source: reference chapter 4, section 10.1, and the running
server."""

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from orthanc_fast.index.contract import MainTagsOf, Snapshot
from orthanc_fast.model import SHA1, Level
from orthanc_fast.services.store.terms import (
    MODALITY,
    PATIENT_ID,
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
)

PATIENT_NAME: Final = 0x00100010
STUDY_DATE: Final = 0x00080020
STUDY_DESCRIPTION: Final = 0x00081030
SERIES_DESCRIPTION: Final = 0x0008103E

# What is left out of a name: what is no ASCII, cannot be seen, or separates folders.
_LEFT_OUT = re.compile(r"[^ -~]+|[/\\]+")


class Style(NamedTuple):
    """What the folders of one level are called after. `is_exact`: by one tag and as it is."""

    level: Level
    tags: tuple[int, ...]
    is_exact: bool = False


PATIENTS: Final = Style(Level.PATIENT, (PATIENT_ID, PATIENT_NAME))
STUDIES: Final = Style(Level.STUDY, (PATIENT_ID, PATIENT_NAME, STUDY_DESCRIPTION))
STUDIES_OF_PATIENT: Final = Style(Level.STUDY, (STUDY_DATE, STUDY_DESCRIPTION))
SERIES: Final = Style(Level.SERIES, (MODALITY, SERIES_DESCRIPTION))
STUDIES_BY_UID: Final = Style(Level.STUDY, (STUDY_INSTANCE_UID,), is_exact=True)
SERIES_BY_UID: Final = Style(Level.SERIES, (SERIES_INSTANCE_UID,), is_exact=True)


def folder_name(style: Style, found: MainTagsOf) -> str | None:
    """The name of a resource with these main tags; None for one that no path can hold, which is
    left out."""
    tags, patient_tags = found
    texts = [tags.get(tag, patient_tags.get(tag, "")) for tag in style.tags]
    return safe_uid(texts[0]) if style.is_exact else _LEFT_OUT.sub("", " - ".join(texts)).strip(" ")


def safe_uid(uid: str) -> str | None:
    """A UID as the name of a file; None for what would lead elsewhere, or is no name at all."""
    return None if not uid or uid in (".", "..") or _LEFT_OUT.search(uid) else uid


def names_of(view: Snapshot, style: Style, publics: Sequence[bytes]) -> Iterable[tuple[str, bytes]]:
    """Name and identifier of each of these resources that exists and can be shown."""
    for public, tags in zip(publics, view.tags_of(style.level, publics), strict=True):
        name = None if tags is None else folder_name(style, tags)
        if name is not None:
            yield name, public


class Names:
    """Names in an order, each of a resource, as a few buffers: about 60 bytes each."""

    __slots__ = ("_ends", "_publics", "_text")

    def __init__(self, pairs: Iterable[tuple[str, bytes]]) -> None:
        text, publics, self._ends = bytearray(), bytearray(), array("Q", (0,))
        for name, public in pairs:
            text += name.encode("ascii")
            publics += public
            self._ends.append(len(text))
        self._text, self._publics = bytes(text), bytes(publics)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def name(self, number: int) -> str:
        return self._text[self._ends[number] : self._ends[number + 1]].decode("ascii")

    def public(self, number: int) -> bytes:
        return self._publics[SHA1 * number : SHA1 * (number + 1)]

    def pairs(self) -> Iterator[tuple[str, bytes]]:
        """All, in their order."""
        return ((self.name(number), self.public(number)) for number in range(len(self)))

    def find(self, name: str) -> bytes | None:
        """The resource with this name, of sorted names."""
        number = bisect_left(range(len(self)), name, key=self.name)
        return self.public(number) if number < len(self) and self.name(number) == name else None


def named(pairs: Iterable[tuple[str, bytes]]) -> Names:
    """The names in their order: of those that are the same, the second one gets ` (1)`, the third
    one ` (2)`, as they come."""
    taken: dict[str, bytes] = {}
    last: dict[str, int] = {}
    for name, public in pairs:
        made = name
        if name in taken:
            number = last.get(name, 0) + 1
            while (made := f"{name} ({number})") in taken:
                number += 1
            last[name] = number
        taken[made] = public
    return Names(sorted(taken.items()))
