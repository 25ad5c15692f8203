"""From the texts in a path to resources, with the 404 that each kind of route gives."""

from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.lmdb.view import View
from orthanc_fast.model import Level, Resource


def find(view: View, level: Level, text: str) -> Resource | None:
    """The resource that the text names at this level, or None."""
    public = from_text(text)
    return None if public is None else view.resource(level, public)


def require(view: View, level: Level, text: str) -> Resource:
    """As `find`; raises UnknownResource."""
    resource = find(view, level, text)
    if resource is None:
        raise UnknownResource
    return resource
