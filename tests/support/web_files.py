"""Videos and documents of which DICOMweb sends what is in them."""

import io

import httpx
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID
from support import web_pictures
from support.images import image_file, item

PDF = "application/pdf"
MPEG4_SYNTAX = "1.2.840.10008.1.2.4.102"
STREAM = bytes(range(256)) * 9000  # more than is sent at once


def video(syntax: str = MPEG4_SYNTAX) -> bytes:
    """In two fragments."""
    pixels = item(b"") + item(STREAM[:1000]) + item(STREAM[1000:])
    return image_file(pixels, syntax, "OB", NumberOfFrames=30)


def document(content: bytes, length: int | None = None, kind: str = PDF) -> bytes:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1")
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    dataset.MIMETypeOfEncapsulatedDocument = kind
    dataset.EncapsulatedDocument = content
    if length is not None:
        dataset.EncapsulatedDocumentLength = length
    target = io.BytesIO()
    pydicom.dcmwrite(target, dataset, enforce_file_format=True)
    return target.getvalue()


def put(client: httpx.Client, data: bytes, number: str) -> str:
    content = web_pictures.renamed(data, number)
    assert client.post("/instances", content=content).status_code == 200
    return f"{web_pictures.path(number)}/rendered"
