"""Looking resources up in a snapshot."""

from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import SHA1, Level, Resource


def found_or_raise(resource: Resource | None) -> Resource:
    """The resource; raises UnknownResource where there is none."""
    if resource is None:
        raise UnknownResource
    return resource


def first_instance(view: Snapshot, resource: Resource) -> Resource | None:
    """The resource itself, or the instance below it that came first. As Orthanc it stands for
    the resource where one file has to."""
    found: Resource | None = resource
    while found is not None and found.level < Level.INSTANCE:
        below = Level(found.level + 1)
        children = view.by_creation(below, view.children_packed(found))
        found = view.resource(below, children[:SHA1]) if children else None
    return found
