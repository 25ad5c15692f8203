"""The index as a caller sees it who may see some studies only: those that have one of his labels,
or the one of a share link. Series and instances are seen with their study, a patient with any of
his studies; what is not seen does not exist.

One resource is judged by the record of its study. Sets are made of that of all studies that are
seen, for a level when they are needed, and kept until the index changes.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from threading import Lock
from typing import NoReturn

import msgspec

from orthanc_fast.errors import ForbiddenAccess
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import intersection, union, unpack
from orthanc_fast.index.terms import Kind, value_of
from orthanc_fast.model import (
    SHA1,
    Caller,
    Change,
    ChangesPage,
    Export,
    Level,
    Resource,
    Totals,
)
from orthanc_fast.services.store.visible_search import VisibleSearch

_Sight = tuple[frozenset[str] | None, bytes | None]

# Callers whose sets are kept: 20 bytes for each resource that they see.
_CALLERS = 4

# Entries of the change log that are looked at together.
_AT_ONCE = 500


def sees(caller: Caller, study: Resource) -> bool:
    """Whether the caller may see a study."""
    if caller.study is not None and study.public != caller.study:
        return False
    return caller.labels is None or not caller.labels.isdisjoint(study.labels)


class Sets:
    """What is seen of one state of the index, as far as it has been asked for."""

    def __init__(self, version: int | None) -> None:
        self.version = version
        self.shown: dict[Level, bytes] = {}
        self.totals: Totals | None = None


class SetsOfCallers:
    """The sets of those who have asked last, until the index changes; for several threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Sight, Sets] = OrderedDict()
        self._lock = Lock()

    def of(self, caller: Caller, version: int | None) -> Sets:
        """Those of a caller at this version of the index, which are to be completed."""
        sight = caller.labels, caller.study
        with self._lock:
            found = self._known.get(sight)
            if found is None or version is None or found.version != version:
                found = self._known[sight] = Sets(version)
            self._known.move_to_end(sight)
            while len(self._known) > _CALLERS:
                self._known.popitem(last=False)
            return found


class VisibleSnapshot(Snapshot):
    """What the caller sees of another snapshot; `sets` are those of this snapshot."""

    def __init__(self, inner: Snapshot, caller: Caller, sets: Sets) -> None:
        self._inner = inner
        self._caller = caller
        self._sets = sets
        self._search = VisibleSearch(inner.search, self.shown)

    @property
    def search(self) -> VisibleSearch:
        return self._search

    def shown(self, level: Level) -> bytes:
        """The set of all resources of a level that are seen."""
        found = self._sets.shown.get(level)
        if found is None:
            search = self._inner.search
            if level == Level.STUDY:
                found = self._studies()
            elif level == Level.PATIENT:
                found = search.ascend(self.shown(Level.STUDY), Level.STUDY)
            else:
                found = search.descend(self.shown(Level(level - 1)), level - 1, level)
            self._sets.shown[level] = found
        return found

    def _studies(self) -> bytes:
        labels, only, search = self._caller.labels, self._caller.study, self._inner.search
        if only is not None:
            return only if self.exists(Level.STUDY, only) else b""
        assert labels is not None
        equal = {label: search.equal(Kind.LABEL, Level.STUDY, 0, label) for label in sorted(labels)}
        keys = [key for label, keys in equal.items() for key in keys if value_of(key) == label]
        return union((search.members(keys),))

    # Resources

    def resources(self, level: Level, publics: Sequence[bytes]) -> list[Resource | None]:
        found = self._inner.resources(level, publics)
        there = [resource for resource in found if resource is not None]
        if level == Level.PATIENT:
            patients = {each.public: self._patient(each) for each in there}
            return [None if each is None else patients[each.public] for each in found]
        studies: Sequence[Resource | None] = there
        for _ in range(Level.STUDY, level):
            studies = self._inner.parents_of([each for each in studies if each is not None])
        seen = {
            resource.public
            for resource, study in zip(there, studies, strict=True)
            if study is not None and sees(self._caller, study)
        }
        return [each if each is not None and each.public in seen else None for each in found]

    def _patient(self, patient: Resource) -> Resource | None:
        """The patient without what belongs to studies that are not seen; None where none is."""
        publics = self._inner.children(patient)
        studies = [each for each in self._inner.resources(Level.STUDY, publics) if each is not None]
        hidden = [each for each in studies if not sees(self._caller, each)]
        if len(hidden) == len(studies):
            return None
        if not hidden:
            return patient
        seen = [each for each in studies if sees(self._caller, each)]
        return msgspec.structs.replace(
            patient,
            counts=_counts(seen),
            disk_size=patient.disk_size - sum(each.disk_size for each in hidden),
            uncompressed_size=patient.uncompressed_size
            - sum(each.uncompressed_size for each in hidden),
            dicom_disk_size=patient.dicom_disk_size - sum(each.dicom_disk_size for each in hidden),
            dicom_uncompressed_size=patient.dicom_uncompressed_size
            - sum(each.dicom_uncompressed_size for each in hidden),
            last_update=max(each.last_update for each in seen),
            unstable_since=max(each.unstable_since for each in seen),
        )

    def parents_of(self, resources: Sequence[Resource]) -> list[Resource | None]:
        parents = self._inner.parents_of(resources)
        return [
            self._patient(each) if each is not None and each.level == Level.PATIENT else each
            for each in parents
        ]

    def children_of(self, resources: Sequence[Resource]) -> list[bytes]:
        found = self._inner.children_of(resources)
        return [
            intersection(packed, self.shown(Level.STUDY))
            if resource.level == Level.PATIENT
            else packed
            for resource, packed in zip(resources, found, strict=True)
        ]

    def images_of(self, instances: Sequence[Resource]) -> list[bytes | None]:
        return self._inner.images_of(instances)

    def signatures(self, numbers: Collection[int]) -> dict[int, str]:
        return self._inner.signatures(numbers)

    def listing_packed(self, level: Level, since: int = 0, limit: int = 0) -> bytes:
        packed = self.shown(level)
        stop = since + limit if limit else len(packed) // SHA1
        return packed[since * SHA1 : stop * SHA1]

    def labels_in_use(self) -> list[str]:
        found = set()
        for label in self._inner.labels_in_use():
            for level in Level:
                keys = self._search.equal(Kind.LABEL, level, 0, label)
                if any(value_of(key) == label for key in keys):
                    found.add(label)
        return sorted(found)

    # The store as a whole

    def totals(self) -> Totals:
        """Without the files that belong to patients themselves; the numbers of the next resource
        and change are those of the server."""
        found_before = self._sets.totals
        if found_before is None:
            publics = list(unpack(self.shown(Level.STUDY)))
            found = self._inner.resources(Level.STUDY, publics)
            studies = [each for each in found if each is not None]
            patients = len(self.shown(Level.PATIENT)) // SHA1
            found_before = self._sets.totals = msgspec.structs.replace(
                self._inner.totals(),
                resources=[patients, *_counts(studies)],
                disk_size=sum(each.disk_size for each in studies),
                uncompressed_size=sum(each.uncompressed_size for each in studies),
            )
        return found_before

    def created_after(self, number: int, limit: int) -> NoReturn:
        _refuse()

    def property(self, name: str) -> NoReturn:
        _refuse()

    def properties(self, prefix: str) -> NoReturn:
        _refuse()

    def some_properties(
        self, prefix: str, after: str | None, limit: int, descending: bool = False
    ) -> NoReturn:
        _refuse()

    def first_unstable(self) -> NoReturn:
        _refuse()

    def doomed(self) -> NoReturn:
        _refuse()

    # The logs

    def changes(
        self, since: int = 0, to: int = -1, limit: int = 100, types: frozenset[int] | None = None
    ) -> ChangesPage:
        """Without those of resources that are gone, whose study nobody knows any more."""
        backwards = to >= 0 and since <= 0
        pages = self._pages_before(to, types) if backwards else self._pages(since, to, types)
        found: list[tuple[int, Change]] = []
        last = 0
        for page in pages:
            last = page.last_allocated
            seen = self._seen(page.changes)
            found = [*seen, *found] if backwards else [*found, *seen]
            if len(found) > limit:
                some = found[-limit:] if backwards and limit else found[:limit]
                return ChangesPage(some, False, last)
        return ChangesPage(found, True, last)

    def _pages(self, since: int, to: int, types: frozenset[int] | None) -> Iterator[ChangesPage]:
        while True:
            page = self._inner.changes(since, to, _AT_ONCE, types)
            yield page
            if page.done:
                return
            since = page.changes[-1][0]

    def _pages_before(self, to: int, types: frozenset[int] | None) -> Iterator[ChangesPage]:
        while True:
            page = self._inner.changes(0, to, _AT_ONCE, types)
            yield page
            if page.done:
                return
            to = page.changes[0][0] - 1

    def _seen(self, changes: list[tuple[int, Change]]) -> list[tuple[int, Change]]:
        seen: set[tuple[int, bytes]] = set()
        for level in Level:
            publics = list({each.public for _, each in changes if each.level == level})
            found = self.resources(level, publics)
            seen.update((level, each.public) for each in found if each is not None)
        return [row for row in changes if (row[1].level, row[1].public) in seen]

    def last_change(self, types: frozenset[int] | None = None) -> tuple[int, Change] | None:
        newest = self._inner.last_change(types)
        if newest is None:
            return None
        page = self.changes(0, newest[0], 1, types)
        return page.changes[-1] if page.changes else None

    def exports(self, since: int, limit: int) -> NoReturn:
        _refuse()

    def last_export(self) -> tuple[int, Export] | None:
        _refuse()


def _counts(studies: Sequence[Resource]) -> list[int]:
    """Of the studies themselves, and of the series and instances below them."""
    series = sum(each.counts[1] for each in studies)
    return [len(studies), series, sum(each.counts[2] for each in studies)]


def _refuse() -> NoReturn:
    raise ForbiddenAccess("this is for users who see all studies")
