"""Instances that come as metadata and bulk data: the DICOM file is made of both.

Source: PS3.18, sections 8.7.3 and 10.5.2, annex F.
"""

import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from orthanc_fast.dicom.file_meta import meta_header
from orthanc_fast.dicom.model_reading import Model
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.services.ingest.uploads import Body

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

ELEMENTS_DISCARDED: Final = 0xB006  # warning reason: PS3.18, table I.2-1

_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
_DELIMITERS: Final = 0xFFFE  # the group of items and their ends
_PIXEL_DATA: Final = 0x7FE00010
_EXPLICIT: Final = "1.2.840.10008.1.2.1"
_CHARACTER_SET: Final = "00080005"
# With a length of 32 bits: the only ones whose values may be large.
_LONG: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN", "UT", "UC", "UR"})
_STEP: Final = 1 << 20
_MOST: Final = 0xFFFFFFFE
# Of bulk data within sequences, which are made in memory.
_MOST_NESTED: Final = 16 << 20
_encode = msgspec.json.Encoder().encode

# The transfer syntax of pixel data in a media type, where it does not say: PS3.18, section 8.7.3.
_SYNTAXES: Final = {
    "image/jpeg": "1.2.840.10008.1.2.4.70",
    "image/dicom-rle": "1.2.840.10008.1.2.5",
    "image/x-dicom-rle": "1.2.840.10008.1.2.5",
    "image/jls": "1.2.840.10008.1.2.4.80",
    "image/x-jls": "1.2.840.10008.1.2.4.80",
    "image/jp2": "1.2.840.10008.1.2.4.90",
    "image/jpx": "1.2.840.10008.1.2.4.92",
    "image/jphc": "1.2.840.10008.1.2.4.201",
    "image/jxl": "1.2.840.10008.1.2.4.110",
    "video/mpeg": "1.2.840.10008.1.2.4.100",
    "video/mpeg2": "1.2.840.10008.1.2.4.100",
    "video/mp4": "1.2.840.10008.1.2.4.102",
}
_NATIVE: Final = frozenset({"", _EXPLICIT, "1.2.840.10008.1.2"})


class Bulk(NamedTuple):
    """The content of one part: its media type in lower case, and the parameter that names its
    transfer syntax, or ""."""

    kind: str
    syntax: str
    body: Body


Bulks = Mapping[str, Sequence[Bulk]]  # by address; several are frames in their order


class Composed(NamedTuple):
    """The bytes of a file, piece by piece, and a warning reason or 0."""

    pieces: Iterator[bytes]
    warning: int


def identity_of(model: Model) -> tuple[str, str]:
    """The UIDs of SOP class and instance, "" where they are not there."""
    return _first(model, "00080016"), _first(model, "00080018")


def composed(model: Model, bulks: Bulks) -> Composed:
    """The file of one data set. Bulk data that have not come are left out, with a warning; pixel
    data must be there. Raises BadFileFormat."""
    sop_class, sop_uid = identity_of(model)
    if not sop_class or not sop_uid:
        raise BadFileFormat("the metadata lack SOPClassUID or SOPInstanceUID")
    plain: Model = {}
    large: dict[int, tuple[str, Sequence[Bulk]]] = {}
    warning = 0
    for key, member in model.items():
        tag = _tag(key)
        if tag >> 16 <= 2 or not tag & 0xFFFF:
            continue  # written anew
        address, vr = _reference(key, member)
        if address is None:
            plain[key] = member
        elif address in bulks and vr in _LONG:
            large[tag] = (vr, bulks[address])
        elif tag == _PIXEL_DATA:
            raise BadFileFormat(f"the bulk data {address!r} of PixelData is not in the body")
        else:
            warning = ELEMENTS_DISCARDED
    nested = _Nested(bulks)
    dataset = _dataset(plain, nested)
    syntax = _EXPLICIT
    if _PIXEL_DATA in large:
        syntax = _syntax(large[_PIXEL_DATA][1])
    header = meta_header(sop_class.encode(), sop_uid.encode(), syntax)
    pieces = _pieces(header, dataset, large, syntax not in _NATIVE)
    return Composed(pieces, warning or nested.warning)


class _Nested:
    """Gives bulk data within sequences."""

    def __init__(self, bulks: Bulks) -> None:
        self._bulks = bulks
        self._size = 0
        self.warning = 0

    def __call__(self, tag: str, vr: str, address: str) -> bytes | None:
        found = self._bulks.get(address)
        if found is None or vr not in _LONG:
            self.warning = ELEMENTS_DISCARDED
            return None
        self._size += sum(_size(each.body) for each in found)
        if self._size > _MOST_NESTED:
            raise BadFileFormat("bulk data within sequences have at most 16 MB in all")
        return b"".join(piece for each in found for piece in _parts(each.body))


def _dataset(model: Model, nested: Callable[[str, str, str], bytes | None]) -> "Dataset":
    from pydicom.dataset import Dataset  # large: only for who sends metadata

    try:
        if not _encode(model).isascii():
            # The text of JSON and XML is Unicode, whatever the file had.
            model[_CHARACTER_SET] = {"vr": "CS", "Value": ["ISO_IR 192"]}
        found: Dataset = Dataset.from_json(model, nested)
        return found
    except BadFileFormat:
        raise
    except Exception as error:  # pydicom tells what is wrong with a model in many ways
        raise BadFileFormat(f"the metadata cannot be read: {error}") from error


def _pieces(
    header: bytes,
    dataset: "Dataset",
    large: Mapping[int, tuple[str, Sequence[Bulk]]],
    is_encapsulated: bool,
) -> Iterator[bytes]:
    yield header
    start = 0
    for tag in sorted(large):
        yield _written(dataset[start:tag])
        vr, bulks = large[tag]
        if tag == _PIXEL_DATA and is_encapsulated:
            yield from _encapsulated(bulks)
        else:
            yield from _native(tag, vr, bulks)
        start = tag + 1
    yield _written(dataset[start:])


def _written(dataset: "Dataset") -> bytes:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    try:
        write_dataset(out, dataset)
    except Exception as error:  # as above
        raise BadFileFormat(f"the metadata cannot be written: {error}") from error
    written: bytes = out.getvalue()
    return written


def _native(tag: int, vr: str, bulks: Sequence[Bulk]) -> Iterator[bytes]:
    size = sum(_size(each.body) for each in bulks)
    padding = b" " if vr in ("UT", "UC", "UR") else b"\0"
    yield _head(tag, vr, size + size % 2)
    for each in bulks:
        yield from _parts(each.body)
    if size % 2:
        yield padding


def _encapsulated(bulks: Sequence[Bulk]) -> Iterator[bytes]:
    """A fragment for each frame, with an empty offset table: PS3.5, section A.4."""
    yield struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + _item(0)
    for each in bulks:
        size = _size(each.body)
        yield _item(size + size % 2)
        yield from _parts(each.body)
        if size % 2:
            yield b"\0"
    yield struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def _head(tag: int, vr: str, size: int) -> bytes:
    if size > _MOST:
        raise BadFileFormat("a native value has at most 4 GB")
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, size)


def _item(size: int) -> bytes:
    if size > _MOST:
        raise BadFileFormat("a fragment has at most 4 GB")
    return struct.pack("<HHI", 0xFFFE, 0xE000, size)


def _syntax(bulks: Sequence[Bulk]) -> str:
    first = bulks[0]
    if first.syntax or first.kind not in _SYNTAXES:
        return _EXPLICIT if first.syntax in _NATIVE else first.syntax
    if first.kind == "image/jpeg":
        return _jpeg_syntax(first.body)
    return _SYNTAXES[first.kind]


def _jpeg_syntax(body: Body) -> str:
    """By the process of the first frame header (ITU-T T.81, table B.1), else the default."""
    head = body[:_STEP] if isinstance(body, bytes) else body.read(0, _STEP)
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker in (0xC0, 0xC1):
            return f"1.2.840.10008.1.2.4.{50 + marker - 0xC0}"
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            break
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return _SYNTAXES["image/jpeg"]


def _parts(body: Body) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield body
    else:
        yield from body.parts(_STEP)


def _size(body: Body) -> int:
    return len(body) if isinstance(body, bytes) else body.size


def _tag(key: str) -> int:
    if not _TAG.fullmatch(key):
        raise BadFileFormat(f"no tag of eight digits: {key[:20]!r}")
    tag = int(key, 16)
    if tag >> 16 >= _DELIMITERS:
        raise BadFileFormat(f"no tag of a data element: {key}")
    return tag


def _reference(key: str, member: Any) -> tuple[str | None, str]:
    """The address of the bulk data of an element, if it refers to any, and its VR."""
    address = member.get("BulkDataURI") if isinstance(member, dict) else None
    vr = "" if address is None else member.get("vr", "")
    if not isinstance(vr, str) or not isinstance(address, str | None):
        raise BadFileFormat(f"the BulkDataURI and the vr of {key} are texts")
    return address, vr


def _first(model: Model, key: str) -> str:
    member: Any = model.get(key)
    values = member.get("Value") if isinstance(member, dict) else None
    found = values[0] if isinstance(values, list) and values else ""
    return found.strip() if isinstance(found, str) and found.isascii() else ""
