"""Documents inside of DICOM files. Source: PS3.3 C.24.2; reference chapter 2, section 4."""

from typing import Final

from orthanc_fast.dicom.content import content
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.model import Resource
from orthanc_fast.registries import SOP_CLASS_UID
from orthanc_fast.services.attachments.reading import Contents, dicom_attachment

_ENCAPSULATED_PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"
_DOCUMENT, _KIND, _LENGTH = "0042,0011", "0042,0012", "0042,0015"


def is_pdf(instance: Resource) -> bool:
    """Whether an instance is an Encapsulated PDF."""
    return instance.metadata.get(SOP_CLASS_UID) == _ENCAPSULATED_PDF


async def pdf(contents: Contents, dictionary: Dictionary, instance: Resource) -> bytes | None:
    """The document of an Encapsulated PDF without its padding; None where there is none. Raises
    as `Contents.content` does."""
    if not is_pdf(instance):
        return None
    data = await contents.content(dicom_attachment(instance))
    found = [content(data, [tag], dictionary) for tag in (_DOCUMENT, _KIND, _LENGTH)]
    document, kind, length = (value if isinstance(value, bytes) else None for value in found)
    if document is None or (kind or b"").rstrip(b" \0") != b"application/pdf":
        return None
    return _without_padding(document, length)


def _without_padding(document: bytes, length: bytes | None) -> bytes:
    """The document has EncapsulatedDocumentLength bytes if it says so and one less is padding, else
    it ends before a NUL."""
    if length is not None and len(document) - int.from_bytes(length, "little") in (0, 1):
        return document[: int.from_bytes(length, "little")]
    return document.removesuffix(b"\0")
