"""Media: archives with a DICOMDIR. Sources: DICOM PS3.3 Annex F, PS3.10 section 8; reference
chapter 3, section 3.7.4."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any, Final, NamedTuple
from uuid import uuid4

import xxhash
from isal import isal_zlib

from orthanc_fast._ext.dicomdir import Directory
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.editing import Editor
from orthanc_fast.dicom.elements import Writer
from orthanc_fast.dicom.file_meta import meta_header
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.archive.directory_keys import (
    ABOVE,
    CONTENT_DATE,
    CONTENT_TIME,
    DATES,
    EXTENDED,
    IMAGE,
    INSTANCE_NUMBER,
    MODALITY,
    PATIENT_ID,
    SERIES_NUMBER,
    SERIES_UID,
    STUDY_DATE,
    STUDY_ID,
    STUDY_TIME,
    STUDY_UID,
    TIMES,
    Key,
    Kind,
    kind_of,
)
from orthanc_fast.services.archive.packing import PART
from orthanc_fast.services.archive.stream import Archive, Last, Store, Target, Watch
from orthanc_fast.services.archive.tree import Entry
from orthanc_fast.storage.contract import Content
from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE

FILE_SET_ID: Final = b"ORTHANC_MEDIA"
NAME: Final = b"DICOMDIR"

_DIRECTORY_STORAGE: Final = b"1.2.840.10008.1.3.10"
_CHARACTER_SET: Final = 0x00080005
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_TYPE, _FILE = 0x00041430, 0x00041500
_CLASS, _INSTANCE, _SYNTAX = 0x00041510, 0x00041511, 0x00041512

# Where a value is demanded and the file has none.
_INVENTED: Final = {
    PATIENT_ID: b"UNKNOWN#",
    STUDY_ID: b"#",
    SERIES_NUMBER: b"#",
    INSTANCE_NUMBER: b"#",
    MODALITY: b"OT",
}

_NAMED_BY: Final = {Level.PATIENT: PATIENT_ID, Level.STUDY: STUDY_UID, Level.SERIES: SERIES_UID}

_LEVEL: Final = 1  # of isal, for records in memory

_write = Writer(explicit=True, big=False).element

Elements = dict[int, bytes]  # encoded, by tag


class Described(NamedTuple):
    """What the records of one file and of all above it say; `above` has a key and elements for
    each."""

    above: tuple[tuple[bytes, Elements], ...]
    kind: str
    sop_instance: bytes
    references: bytes
    elements: Elements


class Media(Archive):
    """An archive with a directory; `is_extended` adds what clients like to show of a series."""

    def __init__(
        self,
        store: Store,
        caller: Caller,
        entries: Iterable[list[Entry]],
        target: Target | None,
        watch: Watch,
        is_extended: bool,
    ) -> None:
        super().__init__(store, caller, entries, target, watch)
        self._dictionary = store.dictionary
        self._is_extended = is_extended
        self._directory = Directory(partial(isal_zlib.compress, level=_LEVEL), isal_zlib.decompress)
        self._numbers: dict[tuple[int, bytes], int] = {}  # of what stands above instances
        self._known: set[bytes] = set()  # digests of these
        self._below: dict[int, int] = {}

    def inspected(self, content: Callable[[], Content]) -> Any:
        """Raises BadFileFormat."""
        return describe(content(), self._dictionary, self._is_extended)

    def included(self, entry: Entry, found: Any) -> None:
        described: Described = found
        parent = -1
        for level, (key, elements) in zip(ABOVE, described.above, strict=True):
            parent = self._above(level, parent, key, elements)
        # Few bytes for each: there may be very many.
        known = xxhash.xxh3_128_digest(b"%d|%b" % (parent, described.sop_instance))
        if known in self._known:
            return
        self._known.add(known)
        elements = described.elements
        _invent(elements, IMAGE.keys, self._next_below(parent))
        file = entry.path.encode().replace(b"/", b"\\")
        head = _write(_TYPE, "CS", described.kind.encode()) + _write(_FILE, "CS", file)
        body = head + described.references + _joined(elements)
        self._directory.add(parent, body)

    def _above(self, level: Level, parent: int, key: bytes, elements: Elements) -> int:
        """The record of a patient, study or series; made where it is not there yet."""
        found = self._numbers.get((parent, key))
        if found is None:
            _invent(elements, ABOVE[level], self._next_below(parent))
            body = _write(_TYPE, "CS", level.name.encode()) + _joined(elements)
            found = self._numbers[parent, key] = self._directory.add(parent, body)
        return found

    def _next_below(self, parent: int) -> int:
        number = self._below[parent] = self._below.get(parent, 0) + 1
        return number

    def last(self) -> Last:
        """The DICOMDIR."""
        uid = f"2.25.{uuid4().int}".encode()
        header = meta_header(_DIRECTORY_STORAGE, uid, EXPLICIT_LITTLE)
        size, head = self._directory.begin(header, FILE_SET_ID)
        return Last(NAME, size, chain([head], iter(partial(self._directory.part, PART), b"")))


def describe(file: Content, dictionary: Dictionary, is_extended: bool) -> Described:
    """Raises BadFileFormat for what is no DICOM file, or does not say which instance it is."""
    editor = Editor(file, True, False, dictionary)
    syntax = editor.source.syntax
    sop_class, sop_instance = _value(editor, _SOP_CLASS), _value(editor, _SOP_INSTANCE)
    if not sop_class or not sop_instance or not syntax:
        raise BadFileFormat("a file without SOP class, SOP instance or transfer syntax")
    common = {}
    if character_set := _value(editor, _CHARACTER_SET):
        common[_CHARACTER_SET] = _write(_CHARACTER_SET, "CS", character_set)
    above = []
    for level, keys in ABOVE.items():
        wanted = (*keys, EXTENDED) if is_extended and level == Level.SERIES else keys
        above.append((_value(editor, _NAMED_BY[level]), common | _elements(editor, wanted)))
    kind = kind_of(sop_class.decode("latin-1"))
    elements = _elements(editor, kind.keys)
    if not _is_complete(kind, elements):
        kind, elements = IMAGE, _elements(editor, IMAGE.keys)
    references = (
        _write(_CLASS, "UI", sop_class)
        + _write(_INSTANCE, "UI", sop_instance)
        + _write(_SYNTAX, "UI", syntax.encode())
    )
    return Described(tuple(above), kind.name, sop_instance, references, common | elements)


def _is_complete(kind: Kind, elements: Elements) -> bool:
    """Whether a file has what its record must tell and nobody else can."""
    return all(
        key.type != 1 or key.tag in elements or key.tag == INSTANCE_NUMBER for key in kind.keys
    )


def _elements(editor: Editor, keys: tuple[Key, ...]) -> Elements:
    found = {}
    for key in keys:
        if key.vr == "SQ":
            element = editor.element(key.tag)
            if element is not None or key.type == 2:
                found[key.tag] = element or _write(key.tag, "SQ", b"")
            continue
        value = _value(editor, key.tag)
        if not value and key.type == 1:
            value = _instead(editor, key.tag)
        if value or key.type == 2 or (key.type == 3 and key.tag in editor.rows):
            found[key.tag] = _write(key.tag, key.vr, value)
    return found


def _instead(editor: Editor, tag: int) -> bytes:
    """A date or time of something else, or of now in UTC."""
    if tag in (STUDY_DATE, CONTENT_DATE):
        return _first(editor, DATES) or f"{datetime.now(UTC):%Y%m%d}".encode()
    if tag in (STUDY_TIME, CONTENT_TIME):
        return _first(editor, TIMES) or f"{datetime.now(UTC):%H%M%S.%f}".encode()
    return b""


def _first(editor: Editor, tags: tuple[int, ...]) -> bytes:
    return next((value for tag in tags if (value := _value(editor, tag))), b"")


def _value(editor: Editor, tag: int) -> bytes:
    """Without padding at its end, in the character set of the file."""
    return (editor.raw(tag) or b"").rstrip(b" \0")


def _invent(elements: Elements, keys: tuple[Key, ...], number: int) -> None:
    """Gives the record that is the `number`th in its place what it must have and its file does
    not."""
    for key in keys:
        if key.type == 1 and key.tag not in elements and key.tag in _INVENTED:
            elements[key.tag] = _write(
                key.tag, key.vr, _INVENTED[key.tag].replace(b"#", b"%d" % number)
            )


def _joined(elements: Elements) -> bytes:
    return b"".join(elements[tag] for tag in sorted(elements))
