"""What an archive holds: patients, studies, series and instances in their order, with the names of
their files. Source: reference chapter 3, section 3.7.

Nothing but what was asked for is kept: the rest is read while the archive is made, some records at
a time, so that a study of any size costs the same memory and begins at once. What is deleted
meanwhile is left out.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

import msgspec

from orthanc_fast.errors import InexistentItem, UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.registries import DICOM_ATTACHMENT, INDEX_IN_SERIES
from orthanc_fast.services.archive.names import (
    MODALITY,
    Folder,
    file_name,
    file_number,
    folder_name,
    joined,
)
from orthanc_fast.services.store.lookup import records_of_any_level
from orthanc_fast.services.store.reads import Reads

T = TypeVar("T")

# What is wanted of each level below; None is all.
Leaves = list[bytes] | None
SeriesOf = dict[bytes, Leaves] | None
StudiesOf = dict[bytes, SeriesOf] | None
Patients = dict[bytes, StudiesOf]

_AT_ONCE: Final = 32  # records that are read with one call
_TEXTS_AT_ONCE: Final = 1000


class Root(IntEnum):
    """What the paths in an archive begin with."""

    PATIENT = 0
    STUDY = 1  # the patient, as the study brought it
    SERIES = 2


class Tree(msgspec.Struct, frozen=True):
    """What was asked for, each thing once; `count` instances whose files have `size` bytes."""

    patients: Patients
    count: int
    size: int
    root: Root


class Entry(NamedTuple):
    """One instance, and the path of its file."""

    path: str
    instance: Resource


def tree_of_one(view: Snapshot, level: Level, public: bytes, text: str, root: Root) -> Tree:
    """All of one patient, study or series, which the client has called `text`. Raises
    InexistentItem."""
    found = view.resource(level, public) if public else None
    if found is None:
        raise InexistentItem(f"Missing resource while creating an archive: {text}")
    return _tree(view, [found], root)


def tree_of_many(view: Snapshot, publics: Sequence[bytes]) -> Tree:
    """Of resources of any level. Raises UnknownResource."""
    found = records_of_any_level(view, publics)
    if len(found) < len(publics):
        raise UnknownResource
    return _tree(view, found, Root.PATIENT)


def _tree(view: Snapshot, found: Sequence[Resource], root: Root) -> Tree:
    above = _parents(view, found)
    patients: Patients = {}
    chosen: dict[bytes, Resource] = {}
    for resource in found:
        chain = [resource.public]
        while (parent := above[chain[-1]]) is not None:
            chain.append(parent)
        chosen[resource.public] = resource
        _add(patients, chain[::-1])
    count = size = 0
    for public in _kept(patients):
        resource = chosen[public]
        if resource.level == Level.INSTANCE:
            count += 1
            file = resource.attachments.get(DICOM_ATTACHMENT)
            size += 0 if file is None else file.size
        else:
            count += resource.counts[2]
            size += resource.dicom_uncompressed_size
    return Tree(patients, count, size, root)


def _parents(view: Snapshot, found: Iterable[Resource]) -> dict[bytes, bytes | None]:
    """From each of the resources, and of those above it, to its parent; None for patients."""
    above = {each.public: each.parent_public or None for each in found}
    missing = {(Level(each.level - 1), each.parent_public) for each in found if each.parent_public}
    for level in (Level.SERIES, Level.STUDY, Level.PATIENT):
        wanted = [public for at, public in missing if at == level and public not in above]
        for resource in view.resources(level, wanted):
            if resource is None:
                raise UnknownResource
            above[resource.public] = resource.parent_public or None
            if resource.parent_public:
                missing.add((Level(level - 1), resource.parent_public))
    return above


def _add(patients: Patients, chain: list[bytes]) -> None:
    """Adds what stands at the end of a chain from a patient down."""
    patient, *below = chain
    if not below:
        patients[patient] = None
        return
    studies = patients.setdefault(patient, {})
    if studies is None:
        return
    study, *below = below
    if not below:
        studies[study] = None
        return
    series_of = studies.setdefault(study, {})
    if series_of is None:
        return
    series, *below = below
    if not below:
        series_of[series] = None
        return
    leaves = series_of.setdefault(series, [])
    if leaves is not None:
        leaves.append(below[0])


def _kept(patients: Patients) -> Iterator[bytes]:
    """The ends of the branches."""
    for patient, studies in patients.items():
        if studies is None:
            yield patient
            continue
        for study, series_of in studies.items():
            if series_of is None:
                yield study
                continue
            for series, leaves in series_of.items():
                if leaves is None:
                    yield series
                else:
                    yield from leaves


class Walk:
    """The instances of a tree in their order, some at a time; each step waits for the index. On
    media files have numbers; elsewhere names as their folders have, in ASCII unless `utf8`."""

    def __init__(
        self, reads: Reads, caller: Caller, tree: Tree, utf8: bool, is_media: bool = False
    ) -> None:
        self._reads = reads
        self._caller = caller
        self._tree = tree
        self._utf8 = utf8
        self._is_media = is_media
        self._passed = 0  # instances, those included that are gone

    def __iter__(self) -> Iterator[list[Entry]]:
        top = Folder()
        for patient in self._records(Level.PATIENT, sorted(self._tree.patients)):
            studies = self._tree.patients[patient.public]
            wanted = self._children(patient) if studies is None else sorted(studies)
            folder = ""
            if self._tree.root == Root.PATIENT:
                folder = top.unique(folder_name(Level.PATIENT, patient.tags, self._utf8))
            inside = Folder()
            for study in self._records(Level.STUDY, wanted):
                series_of = None if studies is None else studies[study.public]
                if self._tree.root == Root.STUDY:
                    folder = folder_name(Level.PATIENT, study.patient_tags, self._utf8)
                name = inside.unique(folder_name(Level.STUDY, study.tags, self._utf8))
                yield from self._study(study, series_of, [folder, name])

    def _study(
        self, study: Resource, series_of: SeriesOf, folders: list[str]
    ) -> Iterator[list[Entry]]:
        if self._tree.root == Root.SERIES:
            folders = []
        wanted = self._children(study) if series_of is None else sorted(series_of)
        inside = Folder()
        for series in self._records(Level.SERIES, wanted):
            leaves = None if series_of is None else series_of[series.public]
            name = inside.unique(folder_name(Level.SERIES, series.tags, self._utf8))
            yield from self._series(series, leaves, joined([*folders, name]))

    def _series(self, series: Resource, leaves: Leaves, folder: str) -> Iterator[list[Entry]]:
        publics = self._children_packed(series) if leaves is None else b"".join(leaves)
        numbers = self._numbers(publics)
        places: Sequence[int] = range(len(numbers))
        if leaves is None:
            places = array("I", sorted(places, key=numbers.__getitem__))
            if any(numbers[one] == numbers[other] for one, other in pairwise(places)):
                for number, place in enumerate(places):
                    numbers[place] = number
        modality = series.tags.get(MODALITY, "")
        inside = Folder()
        for start in range(0, len(places), _AT_ONCE):
            part = places[start : start + _AT_ONCE]
            wanted = [publics[SHA1 * place : SHA1 * (place + 1)] for place in part]
            found = self._read(self._getter(Level.INSTANCE, wanted))
            entries = []
            for place, instance in zip(part, found, strict=True):
                name = file_name(modality, numbers[place], self._utf8)
                if leaves is not None:  # else they are different anyhow
                    name = inside.unique(name)
                path = f"IMAGES/IM{self._passed}" if self._is_media else joined([folder, name])
                self._passed += 1
                if instance is not None:
                    entries.append(Entry(path, instance))
            yield entries

    def _numbers(self, publics: bytes) -> "array[int]":
        """Of packed instances."""
        numbers = array("I")
        step = SHA1 * _TEXTS_AT_ONCE
        for start in range(0, len(publics), step):
            part = list(unpack(publics[start : start + step]))

            def texts(view: Snapshot, part: Sequence[bytes] = part) -> list[str | None]:
                return view.texts_of(Level.INSTANCE, part, INDEX_IN_SERIES)

            numbers.extend(map(file_number, self._read(texts)))
        return numbers

    def _records(self, level: Level, publics: Sequence[bytes]) -> Iterator[Resource]:
        for start in range(0, len(publics), _AT_ONCE):
            part = publics[start : start + _AT_ONCE]
            yield from filter(None, self._read(self._getter(level, part)))

    def _getter(
        self, level: Level, publics: Sequence[bytes]
    ) -> Callable[[Snapshot], list[Resource | None]]:
        return lambda view: view.resources(level, publics)

    def _children(self, resource: Resource) -> list[bytes]:
        return self._read(lambda view: view.children(resource))

    def _children_packed(self, resource: Resource) -> bytes:
        return self._read(lambda view: view.children_packed(resource))

    def _read(self, function: Callable[[Snapshot], T]) -> T:
        return self._reads(self._caller, function)
