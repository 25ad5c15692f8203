"""Tags that no file holds: counted, or collected from what lies below. Source: reference chapter
1, section 5.3."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

from orthanc_fast.dicom.main_tags import (
    COMPUTED,
    INSTANCE_AVAILABILITY,
    MODALITIES_IN_STUDY,
)
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import packed_parts, unpack
from orthanc_fast.model import SHA1, Level, Resource
from orthanc_fast.registries import SOP_CLASS_UID
from orthanc_fast.services.find.matching import Matcher
from orthanc_fast.services.store.lookup import AT_ONCE, records
from orthanc_fast.services.store.terms import MODALITY

T = TypeVar("T")

# Tag -> position in `Resource.counts` of what is counted.
_COUNTS = {
    0x00201200: 0,  # NumberOfPatientRelatedStudies
    0x00201202: 1,  # NumberOfPatientRelatedSeries
    0x00201204: 2,  # NumberOfPatientRelatedInstances
    0x00201206: 1,  # NumberOfStudyRelatedSeries
    0x00201208: 2,  # NumberOfStudyRelatedInstances
    0x00201209: 2,  # NumberOfSeriesRelatedInstances
}


def computed_values(view: Snapshot, resources: Sequence[Resource], tag: int) -> list[str | None]:
    """The value that each has of a computed tag, None where its level does not have it."""
    level = COMPUTED[tag]
    if tag in _COUNTS:
        position = _COUNTS[tag]
        return [str(each.counts[position]) if each.level == level else None for each in resources]
    if tag == INSTANCE_AVAILABILITY:
        return ["ONLINE" if each.level == level else None for each in resources]
    collected = _collected(view, [each for each in resources if each.level == level], tag)
    return [
        "\\".join(sorted(collected[each.id] - {""})) if each.level == level else None
        for each in resources
    ]


def _collected(view: Snapshot, studies: list[Resource], tag: int) -> defaultdict[int, set[str]]:
    """The modalities or SOP classes in each study, by the id of the study."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    children = view.children_of(studies)
    if tag == MODALITIES_IN_STUDY:
        owners = [
            study.id
            for study, packed in zip(studies, children, strict=True)
            for _ in range(len(packed) // SHA1)
        ]
        tags = (
            each
            for part in packed_parts(b"".join(children), AT_ONCE)
            for each in view.tags_of(Level.SERIES, list(unpack(part)))
        )
        for owner, known in zip(owners, tags, strict=True):
            if known is not None:
                found[owner].add(known[0].get(MODALITY, ""))
        return found
    for part in records(view, Level.SERIES, b"".join(children)):
        study_of = {series.id: series.parent for series in part}
        for instances in records(view, Level.INSTANCE, b"".join(view.children_of(part))):
            for instance in instances:
                classes = found[study_of[instance.parent]]
                classes.add(instance.metadata.get(SOP_CLASS_UID, ""))
    return found


def matching_children(
    view: Snapshot, resources: Sequence[Resource], home: Level, tag: int, matcher: Matcher
) -> dict[int, str]:
    """A value of `tag` that matches, of something below each resource, by the id of the resource;
    `home` is the level of what has the value. Where `matcher` finds what is absent too, the value
    may be empty."""

    def matching(child: Resource) -> str | None:
        value = child.tags.get(tag)
        if value is None and matcher.finds_absent:
            value = ""
        return value if value is not None and matcher.matches(value) else None

    return found_below(view, resources, home, matching)


def found_below(
    view: Snapshot,
    resources: Sequence[Resource],
    home: Level,
    pick: Callable[[Resource], T | None],
) -> dict[int, T]:
    """What `pick` finds first of what is below each resource at the level `home`, by the id of the
    resource. All resources are of one level."""
    if not resources or resources[0].level + 1 == home:
        return _found_in_children(view, resources, home, pick)
    found: dict[int, T] = {}
    between = Level(resources[0].level + 1)
    for part in records(view, between, b"".join(view.children_of(resources))):
        left = [child for child in part if child.parent not in found]
        below = found_below(view, left, home, pick)
        for child in left:
            if child.id in below:
                found.setdefault(child.parent, below[child.id])
    return found


def _found_in_children(
    view: Snapshot,
    resources: Sequence[Resource],
    home: Level,
    pick: Callable[[Resource], T | None],
) -> dict[int, T]:
    """The first child of each resource is looked at, then two more of those that have not passed,
    then four: mostly one of the first few decides."""
    sets = zip(resources, view.children_of(resources), strict=True)
    left = {resource.id: packed for resource, packed in sets if packed}
    found: dict[int, T] = {}
    amount = 1
    while left:
        part = b"".join(packed[: amount * SHA1] for packed in left.values())
        for children in records(view, home, part):
            for child in children:
                if child.parent not in found:
                    picked = pick(child)
                    if picked is not None:
                        found[child.parent] = picked
        left = {
            parent: packed[amount * SHA1 :]
            for parent, packed in left.items()
            if parent not in found and len(packed) > amount * SHA1
        }
        amount = min(2 * amount, AT_ONCE)
    return found
