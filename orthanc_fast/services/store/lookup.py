"""Looking resources up in a snapshot, many with one call."""

from collections.abc import Iterable, Iterator, Sequence

from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import union, unpack
from orthanc_fast.model import SHA1, Level, Resource

# Records that are asked for with one call, and so are in memory at once.
AT_ONCE = 200


def found_or_raise(resource: Resource | None) -> Resource:
    """The resource; raises UnknownResource where there is none."""
    if resource is None:
        raise UnknownResource
    return resource


def records(
    view: Snapshot, level: Level, packed: bytes, at_once: int = AT_ONCE
) -> Iterator[list[Resource]]:
    """The resources of a packed list that are there, in its order; each list is read with one
    call."""
    for start in range(0, len(packed), at_once * SHA1):
        part = list(unpack(packed[start : start + at_once * SHA1]))
        yield [each for each in view.resources(level, part) if each is not None]


def records_of_any_level(view: Snapshot, publics: Iterable[bytes]) -> list[Resource]:
    """As `Snapshot.resource_of_any_level`, of many: those that are there, in their order."""
    wanted = list(publics)
    found: dict[bytes, Resource] = {}
    for level in Level:
        left = [public for public in dict.fromkeys(wanted) if public not in found]
        for start in range(0, len(left), AT_ONCE):
            part = view.resources(level, left[start : start + AT_ONCE])
            found.update((each.public, each) for each in part if each is not None)
    return [found[public] for public in wanted if public in found]


def first_instance(view: Snapshot, resource: Resource) -> Resource | None:
    """The resource itself, or the instance below it that came first. As Orthanc it stands for
    the resource where one file has to."""
    return first_instances(view, [resource])[0]


def first_instances(view: Snapshot, resources: Sequence[Resource]) -> list[Resource | None]:
    """As `first_instance`, of each."""
    return first_below(view, resources, Level.INSTANCE)


def first_below(
    view: Snapshot, resources: Sequence[Resource], lowest: Level
) -> list[Resource | None]:
    """The resource at the level `lowest` above the first instance of each, or the resource itself
    where it stands there or below."""
    found: list[Resource | None] = list(resources)
    for level in (Level.STUDY, Level.SERIES, Level.INSTANCE):
        above = [(n, each) for n, each in enumerate(found) if each and each.level == level - 1]
        if not above or level > lowest:
            continue
        sets = view.children_of([each for _, each in above])
        firsts = _first_of_each(view, level, sets)
        # Who has no children has gone: nothing has the empty identifier.
        below = view.resources(level, [first or b"" for first in firsts])
        for (n, _), child in zip(above, below, strict=True):
            found[n] = child
    return found


def _first_of_each(view: Snapshot, level: Level, sets: Sequence[bytes]) -> list[bytes | None]:
    """The member of each set that was created first; no two sets have a member in common."""
    if len(sets) == 1:
        return [view.by_creation(level, sets[0])[:SHA1] or None]
    owners = {public: n for n, packed in enumerate(sets) for public in unpack(packed)}
    found: list[bytes | None] = [None] * len(sets)
    for public in unpack(view.by_creation(level, union(sets))):
        owner = owners[public]
        if found[owner] is None:
            found[owner] = public
    return found
