"""Images and documents as data URIs -> elements. Source: reference chapter 3, section 3.6.4;
DICOM PS3.3 sections C.7.6.3 and C.24.2."""

import re
from typing import Final

import numpy as np

from orthanc_fast._ext.base64_text import decode
from orthanc_fast.errors import BadFileFormat, NotImplementedYet, ParameterOutOfRange
from orthanc_fast.imaging.encapsulate import encapsulate
from orthanc_fast.imaging.image_files import (
    decode_jpeg,
    decode_pam,
    decode_png,
    jpeg_file_header,
)
from orthanc_fast.services.creation.data_set import SOP_CLASS, DataSet
from orthanc_fast.transfer_syntaxes import JPEG_BASELINE

PIXEL_DATA: Final = 0x7FE00010
DOCUMENT: Final = 0x00420011
DOCUMENT_TYPE: Final = 0x00420012  # MIMETypeOfEncapsulatedDocument
MODALITY: Final = 0x00080060
_CONVERSION_TYPE: Final = 0x00080064
_SAMPLES, _PHOTOMETRIC, _PLANAR = 0x00280002, 0x00280004, 0x00280006
_ROWS, _COLUMNS = 0x00280010, 0x00280011
_ALLOCATED, _STORED, _HIGH_BIT, _SIGN = 0x00280100, 0x00280101, 0x00280102, 0x00280103

_DATA_URI = re.compile("data:([^;]+);base64,")
_JPEG = "image/jpeg"
_DECODERS: Final = {
    "image/png": decode_png,
    _JPEG: decode_jpeg,
    "image/x-portable-arbitrarymap": decode_pam,
}
_ALIASES: Final = {"image/jpg": _JPEG}
_RAW: Final = "application/octet-stream"
_PDF: Final = "application/pdf"
_PDF_START: Final = b"%PDF-"
# SOP class and modality of a document, where the request names none.
_DOCUMENTS: Final = {
    _PDF: ("1.2.840.10008.5.1.4.1.1.104.1", "OT"),
    "model/stl": ("1.2.840.10008.5.1.4.1.1.104.3", "M3D"),
    "model/obj": ("1.2.840.10008.5.1.4.1.1.104.4", "M3D"),
    "model/mtl": ("1.2.840.10008.5.1.4.1.1.104.5", "M3D"),
}
# Types that Orthanc knows, but makes no instance of.
_OTHER_TYPES: Final = frozenset(
    {
        *(f"application/{name}" for name in ("dicom", "json", "xml", "javascript", "wasm", "zip")),
        *("application/gzip", "application/dicom+json", "application/dicom+xml"),
        *("image/gif", "image/jp2", "image/svg+xml", "text/plain", "text/html", "text/css"),
    }
)


def is_data_uri(text: str) -> bool:
    return _DATA_URI.match(text) is not None


def data_uri(text: str) -> tuple[str, bytes]:
    """The media type in lower case, and the bytes. Raises BadFileFormat for what is no such URI in
    base64."""
    match = _DATA_URI.match(text)
    if match is None:
        raise BadFileFormat()
    try:
        return match[1].lower(), decode(text, match.end())
    except ValueError as error:
        raise BadFileFormat() from error


def add_content(data_set: DataSet, uri: str, is_encapsulated: bool = False) -> None:
    """Adds an image or document, and the elements that describe it. An image that
    `is_encapsulated` stays compressed.

    Raises BadFileFormat for what is not what it says, ParameterOutOfRange for an unknown media
    type, NotImplementedYet for one of which no instance is made.
    """
    media_type, data = data_uri(uri)
    media_type = _ALIASES.get(media_type, media_type)
    if is_encapsulated:
        _add_encapsulated(data_set, media_type, data)
    elif media_type in _DECODERS:
        _add_image(data_set, _DECODERS[media_type](data))
    elif media_type == _RAW:
        data_set.set_bytes(PIXEL_DATA, "OW", data)
    elif media_type in _DOCUMENTS:
        _add_document(data_set, media_type, data)
    elif media_type in _OTHER_TYPES:
        raise NotImplementedYet(
            f"Unsupported MIME type for the content of a new DICOM file: {media_type}"
        )
    else:
        raise ParameterOutOfRange()


def _add_document(data_set: DataSet, media_type: str, data: bytes) -> None:
    if media_type == _PDF and not data.startswith(_PDF_START):
        raise BadFileFormat("Not a PDF file")
    if not data:
        raise BadFileFormat("The document is empty")
    sop_class, modality = _DOCUMENTS[media_type]
    _set_if_absent(data_set, SOP_CLASS, "UI", sop_class)
    _set_if_absent(data_set, MODALITY, "CS", modality)
    if media_type == _PDF:
        _set_if_absent(data_set, _CONVERSION_TYPE, "CS", "WSD")
    data_set.set_text(DOCUMENT_TYPE, "LO", media_type)
    data_set.set_bytes(DOCUMENT, "OB", data)


def _add_image(data_set: DataSet, pixels: np.ndarray) -> None:
    rows, columns = pixels.shape[:2]
    _describe(data_set, rows, columns, 8 * pixels.itemsize, "RGB" if pixels.ndim == 3 else None)
    cells = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    data_set.set_bytes(PIXEL_DATA, "OW", cells.reshape(-1).view(np.uint8).data)


def _add_encapsulated(data_set: DataSet, media_type: str, data: bytes) -> None:
    if media_type != _JPEG:
        raise NotImplementedYet(f"Cannot encapsulate pixel data from MIME type: {media_type}")
    header = jpeg_file_header(data)
    if header.components > 3:
        raise NotImplementedYet("a JPEG image of four samples, which DICOM has no place for")
    color = "YBR_FULL_422" if header.components == 3 else None
    _describe(data_set, header.rows, header.columns, 8, color)
    data_set.set_fragments(PIXEL_DATA, encapsulate([data]).parts, JPEG_BASELINE)


def _describe(data_set: DataSet, rows: int, columns: int, bits: int, color: str | None) -> None:
    """The image pixel module. `color` is the photometric interpretation of three samples."""
    if rows > 0xFFFF or columns > 0xFFFF:
        raise NotImplementedYet(f"an image of {rows} rows and {columns} columns")
    numbers = {
        _SAMPLES: 1 if color is None else 3,
        **{_ROWS: rows, _COLUMNS: columns},
        **{_ALLOCATED: bits, _STORED: bits, _HIGH_BIT: bits - 1, _SIGN: 0},
    }
    for tag, number in numbers.items():
        data_set.set_number(tag, number)
    if color is None:
        _set_if_absent(data_set, _PHOTOMETRIC, "CS", "MONOCHROME2")
    else:
        data_set.set_text(_PHOTOMETRIC, "CS", color)
        data_set.set_number(_PLANAR, 0)


def _set_if_absent(data_set: DataSet, tag: int, vr: str, value: str) -> None:
    if tag not in data_set:
        data_set.set_text(tag, vr, value)
