"""Images and documents as data URIs -> elements. Source: reference chapter 3, section 3.6.4;
DICOM PS3.3 sections C.7.6.3 and C.24.2."""

import re
import struct
from typing import Final

import numpy as np

from orthanc_fast._ext.base64_text import decode
from orthanc_fast.dicom.json_values import PIXEL_DATA, Embedded
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import BadFileFormat, NotImplementedYet, ParameterOutOfRange
from orthanc_fast.imaging.image_files import (
    decode_jpeg,
    decode_pam,
    decode_png,
    jpeg_file_header,
)

DOCUMENT: Final = 0x00420011
DOCUMENT_TYPE: Final = 0x00420012  # MIMETypeOfEncapsulatedDocument
_SOP_CLASS, _MODALITY = 0x00080016, 0x00080060
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
    """The media type under its usual name, and the bytes. Raises BadFileFormat for what is no such
    URI in base64."""
    match = _DATA_URI.match(text)
    if match is None:
        raise BadFileFormat()
    try:
        media_type = match[1].lower()
        return _ALIASES.get(media_type, media_type), decode(text, match.end())
    except ValueError as error:
        raise BadFileFormat() from error


def embedded(uri: str, tag: int = PIXEL_DATA) -> list[Embedded]:
    """An image or document, with the elements that describe it. Bytes of no particular type are the
    value of `tag`.

    Raises BadFileFormat for what is not what it says, ParameterOutOfRange for an unknown media
    type, NotImplementedYet for one of which no instance is made.
    """
    media_type, data = data_uri(uri)
    if media_type in _DECODERS:
        return image_elements(_DECODERS[media_type](data))
    if media_type == _RAW:
        return [Embedded(tag, "OW" if tag == PIXEL_DATA else "OB", padded(data))]
    if media_type in _DOCUMENTS:
        return _document(media_type, data)
    if media_type in _OTHER_TYPES:
        raise NotImplementedYet(
            f"Unsupported MIME type for the content of a new DICOM file: {media_type}"
        )
    raise ParameterOutOfRange


def encapsulated_image(uri: str) -> tuple[list[Embedded], bytes]:
    """What describes a JPEG image, which itself stays as it is. Raises as `embedded`, and
    NotImplementedYet for anything else."""
    media_type, data = data_uri(uri)
    if media_type != _JPEG:
        raise NotImplementedYet(f"Cannot encapsulate pixel data from MIME type: {media_type}")
    header = jpeg_file_header(data)
    if header.components > 3:
        raise NotImplementedYet("a JPEG image of four samples, which DICOM has no place for")
    color = "YBR_FULL_422" if header.components == 3 else None
    return _description(header.rows, header.columns, 8, color), data


def padded(data: bytes) -> bytes:
    return data + b"\0" if len(data) % 2 else data


def _document(media_type: str, data: bytes) -> list[Embedded]:
    if media_type == _PDF and not data.startswith(_PDF_START):
        raise BadFileFormat("Not a PDF file")
    if not data:
        raise BadFileFormat("The document is empty")
    sop_class, modality = _DOCUMENTS[media_type]
    conversion = [_text(_CONVERSION_TYPE, "CS", "WSD", True)] if media_type == _PDF else []
    return [
        _text(_SOP_CLASS, "UI", sop_class, True),
        _text(_MODALITY, "CS", modality, True),
        *conversion,
        _text(DOCUMENT_TYPE, "LO", media_type),
        Embedded(DOCUMENT, "OB", padded(data)),
    ]


def image_elements(pixels: np.ndarray) -> list[Embedded]:
    """Pixels of (rows, columns) or (rows, columns, 3), and what describes them."""
    rows, columns = pixels.shape[:2]
    color = "RGB" if pixels.ndim == 3 else None
    cells = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).reshape(-1)
    data: Buffer = cells.view(np.uint8).data
    if len(data) % 2:
        data = padded(bytes(data))
    return [
        *_description(rows, columns, 8 * pixels.itemsize, color),
        Embedded(PIXEL_DATA, "OW", data),
    ]


def _description(rows: int, columns: int, bits: int, color: str | None) -> list[Embedded]:
    """The image pixel module. `color` is the photometric interpretation of three samples."""
    if rows > 0xFFFF or columns > 0xFFFF:
        raise NotImplementedYet(f"an image of {rows} rows and {columns} columns")
    found = [
        _number(_SAMPLES, 1 if color is None else 3),
        _text(_PHOTOMETRIC, "CS", color or "MONOCHROME2", is_default=color is None),
        *(_number(tag, number) for tag, number in ((_ROWS, rows), (_COLUMNS, columns))),
        *(_number(tag, bits) for tag in (_ALLOCATED, _STORED)),
        _number(_HIGH_BIT, bits - 1),
        _number(_SIGN, 0),
    ]
    return found if color is None else [*found, _number(_PLANAR, 0)]


def _number(tag: int, value: int) -> Embedded:
    return Embedded(tag, "US", struct.pack("<H", value))


def _text(tag: int, vr: str, value: str, is_default: bool = False) -> Embedded:
    raw = value.encode()
    return Embedded(tag, vr, padded(raw) if vr == "UI" else raw + b" " * (len(raw) % 2), is_default)
