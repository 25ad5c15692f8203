"""What a path leads to."""

from typing import Final, NamedTuple

from orthanc_fast.model import Level, Resource
from orthanc_fast.services.webdav.names import Style

MEDIA_TYPES: Final = {
    "dcm": "application/dicom",
    "json": "application/json",
    "txt": "text/plain",
    "xml": "application/xml",
    "zip": "application/zip",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "pdf": "application/pdf",
    "html": "text/html",
}
OCTETS: Final = "application/octet-stream"


class Item(NamedTuple):
    """A line of a listing: a folder, or a file with its media type. `modified` is a second since
    the epoch, None for now."""

    name: str
    modified: int | None = None
    kind: str | None = None
    size: int = 0


class Shelf(NamedTuple):
    """A folder of resources of one level: those of `packed`, in the order of their identifiers.
    `style` names them, None where they are instances, hence files. `owner` is what all of it
    belongs to. `by_uid`: files are called after their UIDs, and JSON lies beside them."""

    level: Level
    packed: bytes = b""
    style: Style | None = None
    owner: Resource | None = None
    by_uid: bool = False


class Branch(NamedTuple):
    """A folder of folders that are no resources: their `names`. `year` is what the dates of the
    studies below them begin with, None where nothing there is deleted with the folder."""

    names: tuple[str, ...] = ()
    year: str | None = None


class StoredFile(NamedTuple):
    """The DICOM file of an instance."""

    name: str
    instance: Resource


class Document(NamedTuple):
    """A file that is made when it is asked for."""

    name: str
    body: bytes


Node = Shelf | Branch | StoredFile | Document


def media_type(name: str) -> str:
    """By the end of a file's name."""
    return MEDIA_TYPES.get(name.rpartition(".")[2].lower(), OCTETS)
