"""From the texts in a path to identifiers."""

from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Level, Resource
from orthanc_fast.rest.request import Request

# What no resource has: a text that is no identifier names nothing, as one that is unknown.
NOBODY = b""


def public_id(request: Request) -> bytes:
    """The 20-byte identifier in the path; NOBODY for a text that is none."""
    return from_text(request.params[0]) or NOBODY


def find(view: Snapshot, level: Level, text: str) -> Resource | None:
    """The resource that the text names at this level, or None."""
    public = from_text(text)
    return None if public is None else view.resource(level, public)


def require(view: Snapshot, level: Level, text: str) -> Resource:
    """As `find`; raises UnknownResource."""
    resource = find(view, level, text)
    if resource is None:
        raise UnknownResource
    return resource
