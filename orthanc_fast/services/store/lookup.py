"""Looking resources up in a snapshot."""

from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Level, Resource


def found_or_raise(resource: Resource | None) -> Resource:
    """The resource; raises UnknownResource where there is none."""
    if resource is None:
        raise UnknownResource
    return resource


def first_instance(view: Snapshot, resource: Resource) -> Resource | None:
    """The resource itself, or the instance below it that one comes to first."""
    found: Resource | None = resource
    while found is not None and found.level < Level.INSTANCE:
        below = Level(found.level + 1)
        children = view.children(found)
        found = view.resource(below, children[0]) if children else None
    return found
