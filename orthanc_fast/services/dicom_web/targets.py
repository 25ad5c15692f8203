"""The studies, series and instances that a path of DICOMweb names by their UIDs.

Source: reference chapter 5, sections 3.2 and 14.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from orthanc_fast.errors import InexistentItem, UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.numerals import integer
from orthanc_fast.registries import INDEX_IN_SERIES
from orthanc_fast.services.store.lookup import records
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.terms import (
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
)

_UIDS: Final = (
    (Level.STUDY, STUDY_INSTANCE_UID),
    (Level.SERIES, SERIES_INSTANCE_UID),
    (Level.INSTANCE, SOP_INSTANCE_UID),
)
_NAMES: Final = {Level.STUDY: "Study", Level.SERIES: "Series", Level.INSTANCE: "Instance"}
_SERIES_NUMBER: Final = 0x00200011

AT_ONCE: Final = 32  # records that are read with one call
_TEXTS_AT_ONCE: Final = 1000
_NO_NUMBER: Final = (1 << 63) - 1  # behind those that have one
_NUMBERS: Final = range(-(1 << 62), 1 << 62)
_SHOWN: Final = 100  # characters of a UID in an error


class Targets:
    """Looks resources up. `uids` are those of the path from the study down: one, two or three."""

    def __init__(self, reads: Reads) -> None:
        self._read = reads

    def require(self, caller: Caller, uids: Sequence[str]) -> list[Resource]:
        """The resources with these UIDs: one, or as many as there are patients with that study.
        Raises InexistentItem where there is none, or it belongs elsewhere."""

        def read(view: Snapshot) -> list[Resource]:
            return named(view, uids)

        found = self._read(caller, read)
        if not found:
            level = _UIDS[len(uids) - 1][0]
            place = "/".join([*uids, *[""] * (3 - len(uids))])
            raise InexistentItem(f"Accessing an inexistent {_NAMES[level]} with WADO-RS: {place}")
        return found

    def instance(self, caller: Caller, study: str, series: str, instance: str) -> Resource:
        """The only instance with this UID, and those of its parents where they are not empty.
        Raises UnknownResource."""
        wanted = ((STUDY_INSTANCE_UID, study), (SERIES_INSTANCE_UID, series))

        def read(view: Snapshot) -> list[Resource]:
            return [
                found
                for found in view.with_term(Level.INSTANCE, SOP_INSTANCE_UID, instance)
                if _agrees(view.ancestors(found), wanted)
            ]

        found = self._read(caller, read)
        if len(found) != 1:
            reason = "there are several" if found else "there is none"
            raise UnknownResource(f"WADO-URI: {reason} with the objectUID {instance[:_SHOWN]!r}")
        return found[0]

    def series(self, caller: Caller, found: Sequence[Resource]) -> list[Resource]:
        """The series at, or below, these studies or series, by SeriesNumber."""

        def read(view: Snapshot) -> list[Resource]:
            series: list[Resource] = []
            for resource in found:
                if resource.level == Level.SERIES:
                    series.append(resource)
                else:
                    below = view.descendants_packed(resource, Level.SERIES)
                    series += [each for part in records(view, Level.SERIES, below) for each in part]
            return sorted(series, key=lambda each: _place(each, _SERIES_NUMBER))

        return self._read(caller, read)

    def ordered(self, caller: Caller, series: Resource) -> bytes:
        """The identifiers of the instances of a series by InstanceNumber, those without one behind
        the others, then as they came; packed."""

        def by_creation(view: Snapshot) -> bytes:
            return view.by_creation(Level.INSTANCE, view.children_packed(series))

        publics = self._read(caller, by_creation)
        numbers = array("q")
        for start in range(0, len(publics), _TEXTS_AT_ONCE * SHA1):
            part = list(unpack(publics[start : start + _TEXTS_AT_ONCE * SHA1]))

            def texts(view: Snapshot, part: list[bytes] = part) -> list[str | None]:
                return view.texts_of(Level.INSTANCE, part, INDEX_IN_SERIES)

            numbers.extend(map(_number, self._read(caller, texts)))
        places = sorted(range(len(numbers)), key=numbers.__getitem__)
        if places == list(range(len(numbers))):
            return publics
        return b"".join([publics[SHA1 * at : SHA1 * (at + 1)] for at in places])

    def instances(
        self, caller: Caller, series: Resource, at_once: int = AT_ONCE, first: int = AT_ONCE
    ) -> Iterator[list[Resource]]:
        """The instances of a series in that order, so many at a time, of which the `first` ones
        come earlier; without those that are deleted meanwhile."""
        publics = self.ordered(caller, series)
        start, stop = 0, min(first, at_once) * SHA1
        while start < len(publics):
            yield self.resources(caller, publics[start:stop])
            start, stop = stop, stop + at_once * SHA1

    def resources(self, caller: Caller, publics: bytes) -> list[Resource]:
        """The instances with these identifiers that are there."""

        def read(view: Snapshot) -> list[Resource | None]:
            return view.resources(Level.INSTANCE, list(unpack(publics)))

        return [each for each in self._read(caller, read) if each is not None]


def named(view: Snapshot, uids: Sequence[str]) -> list[Resource]:
    """The resources with the last of these UIDs below those with the others."""
    level, tag = _UIDS[len(uids) - 1]
    return [each for each in view.with_term(level, tag, uids[-1]) if _has(view, each, uids)]


def _has(view: Snapshot, resource: Resource, uids: Sequence[str]) -> bool:
    """Whether the last of these UIDs is that of the resource, those before it its parents'."""
    own: Resource | None = resource
    for (_, tag), uid in zip(_UIDS[len(uids) - 1 :: -1], reversed(uids), strict=True):
        if own is None or own.tags.get(tag) != uid:
            return False
        if tag != STUDY_INSTANCE_UID:
            own = view.parent(own)
    return True


def _agrees(parents: Iterable[Resource], wanted: Iterable[tuple[int, str]]) -> bool:
    own = {tag: uid for parent in parents for tag, uid in parent.tags.items()}
    return all(not uid or own.get(tag) == uid for tag, uid in wanted)


def _place(resource: Resource, tag: int) -> tuple[bool, int, int]:
    """By number, those without one behind the others, and then as they came."""
    number = integer(resource.tags.get(tag, "").strip())
    return number is None, number or 0, resource.id


def _number(text: str | None) -> int:
    number = None if text is None else integer(text.strip())
    return number if number is not None and number in _NUMBERS else _NO_NUMBER
