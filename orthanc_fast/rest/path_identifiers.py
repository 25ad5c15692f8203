"""From the texts in a path to the identifiers of resources."""

from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.rest.request import Request

# What no resource has: a text that is no identifier names nothing, as one that is unknown.
NOBODY = b""


def public_id(request: Request) -> bytes:
    """The 20-byte identifier in the path; NOBODY for a text that is none."""
    return from_text(request.params[0]) or NOBODY
