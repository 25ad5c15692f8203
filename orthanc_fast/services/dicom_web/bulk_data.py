"""The values that metadata name by an address. Source: PS3.18, section 10.4.1.1.5; reference
chapter 5, section 6."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import xxhash

from orthanc_fast._ext.scan import ScanError, elements, items
from orthanc_fast.dicom.attributes import PIXEL_DATA, Row, little_endian, metadata_vr_of
from orthanc_fast.dicom.dictionary import Dictionary, creator_tag
from orthanc_fast.dicom.part10 import open_dicom
from orthanc_fast.dicom.text import without_padding
from orthanc_fast.errors import BadFileFormat, BadRequest, InexistentItem, UnknownDicomTag
from orthanc_fast.model import Caller, Resource
from orthanc_fast.numerals import unsigned
from orthanc_fast.services.attachments.reading import dicom_attachment, opened
from orthanc_fast.services.dicom_web.targets import Targets
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.storage.contract import Content as Content
from orthanc_fast.storage.contract import Storage

_DOCUMENT: Final = 0x00420011
_DOCUMENT_TYPE: Final = 0x00420012
_CHUNK: Final = 512 << 10  # bytes that are sent at a time


class Value(NamedTuple):
    """A value as it is stored, in little endian. `parts` are views of the file: one, or the offset
    table and the fragments of compressed pixel data; `kind` is the type of a document, else
    application/octet-stream."""

    parts: list[Content]
    kind: str
    is_encapsulated: bool

    @property
    def whole(self) -> Content | None:
        """What can be sent without being taken apart, None where there are several fragments."""
        if not self.is_encapsulated:
            return self.parts[0]
        return self.parts[1] if len(self.parts) == 2 else None


class BulkValues:
    """Finds values in files. What it gives are views: of a large file no more is read than is sent.
    All but `require` waits for the disk."""

    def __init__(
        self, reads: Reads, storage: Storage, targets: Targets, dictionary: Dictionary
    ) -> None:
        self._read = reads
        self._storage = storage
        self._targets = targets
        self._dictionary = dictionary

    async def require(self, caller: Caller, uids: Sequence[str]) -> Resource:
        """The instance. Raises InexistentItem."""
        return (await self._read.run(self._targets.require, caller, uids))[0]

    def steps(self, path: Sequence[str]) -> tuple[list[int], list[int]]:
        """Tags, and the items between them, counted from one: `sequence/item/.../tag`. Raises
        BadRequest."""
        if len(path) % 2 == 0:
            raise BadRequest("A path is tag, or sequence/item/tag and so on, items from 1")
        numbers = [unsigned(text) for text in path[1::2]]
        if None in numbers:
            raise BadRequest(f"An item is a number from 1, not {'/'.join(path[1::2])[:200]!r}")
        try:
            tags = [self._dictionary.parse(text) for text in path[::2]]
        except UnknownDicomTag as error:
            raise BadRequest(f"Not a tag: {error.details}") from error
        return tags, [number for number in numbers if number is not None]

    def value(self, instance: Resource, tags: Sequence[int], numbers: Sequence[int]) -> Value:
        """Raises InexistentItem where there is no such element, or where it is a sequence."""
        try:
            file = open_dicom(opened(self._storage, dicom_attachment(instance)))
            data = memoryview(file.data)
            return _Walk(data, self._dictionary).value(
                (file.start, len(data)), file.explicit, file.big, tags, numbers
            )
        except ScanError as error:
            raise BadFileFormat(str(error)) from error


def version(instance: Resource, path: Sequence[int], form: str) -> str:
    """What changes with the value."""
    text = f"{dicom_attachment(instance).uuid} {path} {form}"
    return xxhash.xxh3_128_hexdigest(text.encode())


def chunks(parts: Sequence[Content]) -> Iterator[bytes]:
    """The bytes of all parts."""
    for part in parts:
        for start in range(0, len(part), _CHUNK):
            yield bytes(part[start : start + _CHUNK])


class _Walk:
    def __init__(self, data: memoryview, dictionary: Dictionary) -> None:
        self._data = data
        self._dictionary = dictionary

    def value(
        self,
        place: tuple[int, int],
        explicit: bool,
        big: bool,
        tags: Sequence[int],
        numbers: Sequence[int],
    ) -> Value:
        rows: dict[int, Row] = {}
        for row in elements(self._data, *place, explicit, big):
            rows.setdefault(row[0], row)
        found = rows.get(tags[0])
        if found is None:
            raise _absent(tags[0])
        tag, code, _, start, length, end = found
        vr = self._vr(rows, found, explicit)
        is_encapsulated = tag == PIXEL_DATA and length == -1
        if numbers:
            if vr != "SQ" or is_encapsulated:
                raise _absent(tag)
            is_plain = explicit and code == ord("U") << 8 | ord("N")  # PS3.5 6.2.2, note 2
            explicit, big = explicit and not is_plain, big and not is_plain
            inner = items(self._data, start, end, explicit, big)
            if not 1 <= numbers[0] <= len(inner):
                raise InexistentItem(f"The sequence has {len(inner)} items, not {numbers[0]}")
            return self.value(inner[numbers[0] - 1], explicit, big, tags[1:], numbers[1:])
        if is_encapsulated:
            fragments = items(self._data, start, end, explicit, big, True)
            views: list[Content] = [self._data[first:stop] for first, stop in fragments]
            return Value(views, "application/octet-stream", True)
        if vr == "SQ":
            raise InexistentItem("A sequence has no value of its own: ask for what its items hold")
        raw: Content = self._data[start:end]
        if big:
            raw = little_endian(bytes(raw), vr, big)
        return Value([raw], self._kind(tag, rows), False)

    def _vr(self, rows: dict[int, Row], row: Row, explicit: bool) -> str:
        tag, code, _, _, length, _ = row
        if length == -1:
            return "SQ"
        reserved = creator_tag(tag)
        creator = None if reserved is None else rows.get(reserved)
        name = None if creator is None else self._text(creator)
        return metadata_vr_of(self._dictionary, tag, code, name, explicit, False)

    def _kind(self, tag: int, rows: dict[int, Row]) -> str:
        kind = rows.get(_DOCUMENT_TYPE) if tag == _DOCUMENT else None
        if kind is None:
            return "application/octet-stream"
        return self._text(kind).decode("latin-1").strip().lower()

    def _text(self, row: Row) -> bytes:
        return without_padding(bytes(self._data[row[3] : row[5]]), "LO")


def _absent(tag: int) -> InexistentItem:
    return InexistentItem(f"The instance has no value for {tag >> 16:04x},{tag & 0xFFFF:04x}")
