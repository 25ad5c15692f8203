"""From what is wanted to data sets. Source: reference chapter 3, section 3.6.2."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.editing import Editor
from orthanc_fast.dicom.json_values import PIXEL_DATA, Elements, Embedded, is_of_data_set
from orthanc_fast.dicom.modules import MODULES
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.dicom.text import CharacterSet, character_set_of, term_of
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Level
from orthanc_fast.services.creation.content import add_content, add_elements
from orthanc_fast.services.creation.data_set import SOP_UID, WRITE, DataSet
from orthanc_fast.services.creation.request import Item, Tags, Wanted, without_character_set
from orthanc_fast.services.modification.content import DOCUMENT, is_data_uri

NOT_STRING: Final = 2019
OVERRIDES: Final = 2020
USE_CONTENT: Final = 2021

_CHARACTER_SET: Final = 0x00080005
_PATIENT_ID: Final = 0x00100020
_STUDY_UID: Final = 0x0020000D
_SERIES_UID: Final = 0x0020000E
_INSTANCE_NUMBER: Final = 0x00200013
_IMAGE_INDEX: Final = 0x00541330
_IMAGES_IN_ACQUISITION: Final = 0x00201002
_TEMPORAL_POSITIONS: Final = 0x00200105

# Date and time of instance, acquisition and content; of a series, of a study.
_OF_INSTANCE: Final = ((0x00080012, 0x00080013), (0x00080022, 0x00080032), (0x00080023, 0x00080033))
_OF_SERIES: Final = ((0x00080021, 0x00080031),)
_OF_STUDY: Final = ((0x00080020, 0x00080030),)
_MOMENTS: Final = frozenset(tag for pair in _OF_INSTANCE + _OF_SERIES + _OF_STUDY for tag in pair)

# Of the elements of a module neither sequences nor bytes are inherited.
_NOT_INHERITED: Final = frozenset({b"SQ", b"OB", b"OW", b"OD", b"OF", b"OL", b"OV", b"UN"})


class Parent(msgspec.Struct, frozen=True):
    """A resource that gets one more instance: `head` is the beginning of the file of one that it
    has already."""

    level: Level
    head: Buffer


def new_uid() -> str:
    """A UID made of a random UUID. Source: DICOM PS3.5 section B.2."""
    return f"2.25.{uuid.uuid4().int}"


class Builder:
    """Makes the data sets of one request."""

    def __init__(
        self, wanted: Wanted, parent: Parent | None, dictionary: Dictionary, character_set: str
    ) -> None:
        """`character_set` is the server's own. Raises BadFileFormat for a damaged parent."""
        self._wanted = wanted
        self._dictionary = dictionary
        self._data_set = DataSet()
        self._identify()
        term = wanted.term or term_of(character_set)
        if term is not None:
            self._data_set.set_text(_CHARACTER_SET, "CS", term)
        raw = None if term is None else term.encode()
        if parent is not None:
            raw = self._inherit(parent) or raw
        self._elements = self._encoder(character_set_of(raw, character_set))
        self._date(None if parent is None else parent.level)

    def _encoder(self, character_set: CharacterSet) -> Elements:
        return Elements(
            dictionary=self._dictionary,
            character_set=character_set,
            write=WRITE,
            private_creator=self._wanted.private_creator,
            literal=self._wanted.literal,
        )

    def _identify(self) -> None:
        self._data_set.set_text(_PATIENT_ID, "LO", str(uuid.uuid4()))
        for tag in (_STUDY_UID, _SERIES_UID, SOP_UID):
            self._data_set.set_text(tag, "UI", new_uid())

    def _inherit(self, parent: Parent) -> bytes | None:
        """Takes over the elements of the parent, and its character set, which is returned."""
        editor = Editor(parent.head, WRITE.explicit, WRITE.big, self._dictionary)
        for level in range(Level.PATIENT, parent.level + 1):
            for tag in MODULES[Level(level)]:
                element = editor.element(tag)
                if element is not None and element[4:6] not in _NOT_INHERITED:
                    self._data_set.set(tag, element)
        announced = editor.element(_CHARACTER_SET)
        if announced is None:
            return None
        self._data_set.set(_CHARACTER_SET, announced)
        return editor.raw(_CHARACTER_SET)

    def _date(self, level: Level | None) -> None:
        now = time.gmtime()
        moments = list(_OF_INSTANCE)
        if level != Level.SERIES:
            moments += _OF_SERIES
        if level in (None, Level.PATIENT):
            moments += _OF_STUDY
        for date, moment in moments:
            self._data_set.set_text(date, "DA", time.strftime("%Y%m%d", now))
            self._data_set.set_text(moment, "TM", time.strftime("%H%M%S.000000", now))

    @property
    def count(self) -> int:
        """How many files there will be."""
        return len(self._wanted.items) or 1

    def files(self) -> Iterator[bytes]:
        """The DICOM files, made one by one. Raises what tags and content raise."""
        self._add_tags(self._data_set, self._wanted.tags)
        if self._wanted.items:
            for number, item in enumerate(self._wanted.items, start=1):
                yield self._one_of_series(number, item)
            return
        content = self._wanted.content
        if isinstance(content, OrthancError):
            raise content
        if content is not None:
            add_content(self._data_set, content, self._wanted.is_encapsulated)
        yield self._data_set.file()

    def _one_of_series(self, number: int, item: Item | OrthancError) -> bytes:
        if isinstance(item, OrthancError):
            raise item
        data_set = self._data_set.copy()
        self._add_tags(data_set, item.tags)
        count = len(self._wanted.items)
        data_set.set_text(SOP_UID, "UI", new_uid())
        data_set.set_text(_INSTANCE_NUMBER, "IS", str(number))
        data_set.set_text(_IMAGES_IN_ACQUISITION, "IS", str(count))
        data_set.set_text(_TEMPORAL_POSITIONS, "IS", "1")
        data_set.set_number(_IMAGE_INDEX, number & 0xFFFF)
        add_content(data_set, item.content)
        return data_set.file()

    def _add_tags(self, data_set: DataSet, tags: Tags) -> None:
        """In the order of their names, as Orthanc: what a document brings along is there for the
        names behind it."""
        for name, value in sorted(without_character_set(tags).items()):
            tag = self._dictionary.parse(name)
            if tag == _CHARACTER_SET:
                continue
            if tag == PIXEL_DATA:
                raise OrthancError(code=USE_CONTENT)
            may_override = self._wanted.force or tag == _PATIENT_ID or tag in _MOMENTS
            if tag in data_set and not may_override:
                raise OrthancError(name, code=OVERRIDES)
            if tag == DOCUMENT and _is_content(value) and not self._wanted.literal:
                add_content(data_set, value)
            else:
                _set(data_set, tag, self._elements, value)


def legacy_file(tags: Mapping[str, Any], dictionary: Dictionary, character_set: str) -> bytes:
    """The DICOM file of a request that is a map of tags and no more: values are texts,
    `PixelData` is content. Raises OrthancError 2019, and what tags and content raise."""
    made = DataSet()
    made.set_text(_PATIENT_ID, "LO", str(uuid.uuid4()))
    for tag in (_STUDY_UID, _SERIES_UID, SOP_UID):
        made.set_text(tag, "UI", new_uid())
    values = {}
    for name, value in sorted(tags.items()):
        if not isinstance(value, str):
            raise OrthancError(code=NOT_STRING)
        values[dictionary.parse(name)] = value
    announced = values.get(_CHARACTER_SET)
    raw = None if announced is None else announced.encode("latin-1", "ignore")
    elements = Elements(
        dictionary=dictionary,
        character_set=character_set_of(raw, character_set),
        write=WRITE,
        literal=True,
    )
    for tag, value in values.items():
        if tag == PIXEL_DATA:
            add_content(made, value)
        else:
            _set(made, tag, elements, value)
    return made.file()


def scripted_file(
    wanted: Wanted,
    image: Sequence[Embedded],
    identifies: bool,
    dictionary: Dictionary,
    character_set: str,
) -> bytes:
    """The DICOM file that a script asks for: nothing is added to what it gives but the character
    set, new identifiers where it `identifies`, and what describes the image. Raises what the tags
    raise. Source: reference chapter 7, section 3."""
    made = DataSet()
    if identifies:
        made.set_text(_PATIENT_ID, "LO", str(uuid.uuid4()))
        for tag in (_STUDY_UID, _SERIES_UID, SOP_UID):
            made.set_text(tag, "UI", new_uid())
    term = wanted.term or term_of(character_set)
    if term is not None:
        made.set_text(_CHARACTER_SET, "CS", term)
    raw = None if term is None else term.encode()
    elements = Elements(
        dictionary=dictionary,
        character_set=character_set_of(raw, character_set),
        write=WRITE,
        private_creator=wanted.private_creator,
        literal=wanted.literal,
    )
    for name, value in sorted(without_character_set(wanted.tags).items()):
        tag = dictionary.parse(name)
        if tag == PIXEL_DATA and _is_content(value):
            add_content(made, value)
        else:
            _set(made, tag, elements, value)
    add_elements(made, image)
    return made.file()


def _is_content(value: Any) -> bool:
    return isinstance(value, str) and is_data_uri(value)


def _set(data_set: DataSet, tag: int, elements: Elements, value: Any) -> None:
    if is_of_data_set(tag):
        data_set.set(tag, elements.root_element(tag, value))
