"""The worklists that are known, found by what a query asks of them."""

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from orthanc_fast._ext.scan import ScanError
from orthanc_fast.dicom.dictionary import Dictionary, tag_text
from orthanc_fast.dicom.part10 import open_dicom
from orthanc_fast.dicom.tag_json import tags_json
from orthanc_fast.errors import BadFileFormat, ParameterOutOfRange
from orthanc_fast.services.find.matching import Equality, Matcher

Element = Mapping[str, Any]
"""Name, Type and Value: the Full format."""
Elements = Mapping[str, Element]
"""A data set, or an item of a sequence, by tags such as 0010,0020."""

STUDY_UID: Final = "0020,000d"
SUFFIX: Final = ".wl"
"""Of the names of worklist files."""

_MOST_COLUMNS: Final = 64
_LONGEST_NAME: Final = 255  # bytes of the name of a file

_decode = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


class Worklist(msgspec.Struct, frozen=True, gc=False):
    """One worklist: its data set as JSON in the Full format. `created` is known of those in the
    database: a moment such as 20261129T124509."""

    id: str
    content: bytes
    study_uid: str
    created: str | None = None

    @property
    def elements(self) -> Elements:
        return _decode(self.content)


def read_worklist(
    name: str, data: bytes, dictionary: Dictionary, character_set: str, created: str | None = None
) -> Worklist:
    """The worklist of a DICOM file; `character_set` is that of one that names none. Raises
    BadFileFormat."""
    try:
        file = open_dicom(data)
    except ScanError as error:
        raise BadFileFormat(str(error)) from error
    content = tags_json(
        file, "full", dictionary, character_set, whole=True, ignore_length=_standard(dictionary)
    )
    elements = _decode(content)
    if not elements:
        raise BadFileFormat("it has no elements")
    study = elements.get(STUDY_UID)
    return Worklist(name, content, "" if study is None else text_of(study), created)


def check_identifier(identifier: str) -> None:
    """Raises ParameterOutOfRange for what is not the name of a file without its suffix."""
    name = identifier + SUFFIX
    is_name = identifier and "/" not in name and "\0" not in name
    if not is_name or len(os.fsencode(name)) > _LONGEST_NAME:
        raise ParameterOutOfRange(
            "The identifier of a worklist is the name of its file: 1 to "
            f"{_LONGEST_NAME - len(SUFFIX)} bytes without a slash"
        )


@lru_cache(4)
def _standard(dictionary: Dictionary) -> frozenset[int]:
    return frozenset(dictionary.standard)


Path = tuple[int, ...]
"""A tag of the data set, or that of a sequence and a tag of its items."""


class _Column:
    """The values of one path: which worklists have each of them."""

    def __init__(self, path: Path) -> None:
        self._keys = tuple(map(tag_text, path))
        self._by_value: dict[str, set[int]] = {}
        self._with_sequence: set[int] = set()

    def add(self, number: int, elements: Elements) -> None:
        for value in self._values(number, elements):
            self._by_value.setdefault(value, set()).add(number)

    def remove(self, number: int, elements: Elements) -> None:
        for value in set(self._values(number, elements)):
            owners = self._by_value[value]
            owners.discard(number)
            if not owners:
                del self._by_value[value]
        self._with_sequence.discard(number)

    def matching(self, matcher: Matcher, everybody: set[int]) -> set[int]:
        """Those with a value that matches. A worklist without the sequence is not asked for its
        items."""
        found: set[int] = set()
        if isinstance(matcher, Equality) and matcher.case_sensitive:
            found |= self._by_value.get(matcher.value, found)
        else:
            for value, owners in self._by_value.items():
                if matcher.exact(value):
                    found |= owners
        return found | (everybody - self._with_sequence) if len(self._keys) > 1 else found

    def _values(self, number: int, elements: Elements) -> Iterator[str]:
        *sequence, key = self._keys
        items = [elements]
        if sequence:
            element = elements.get(sequence[0])
            if element is None:
                return
            self._with_sequence.add(number)
            items = element["Value"] if element["Type"] == "Sequence" else []
        for item in items:
            element = item.get(key)
            if element is not None:
                yield text_of(element)


def text_of(element: Element) -> str:
    """The value of an element, "" where it is none that a text could be compared with."""
    return element["Value"] or "" if element["Type"] == "String" else ""


class Entries:
    """The worklists by their names. Conditions are looked up in columns, which are made with the
    first query for them. Not for several threads at once."""

    def __init__(self) -> None:
        self._by_name: dict[str, int] = {}
        self._worklists: dict[int, Worklist] = {}
        self._columns: dict[Path, _Column] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._worklists)

    def names(self) -> list[str]:
        return list(self._by_name)

    def get(self, name: str) -> Worklist | None:
        number = self._by_name.get(name)
        return None if number is None else self._worklists[number]

    def named(self) -> list[tuple[str, Worklist]]:
        """All with their names, in the order of these."""
        return [(name, self._worklists[self._by_name[name]]) for name in sorted(self._by_name)]

    def put(self, name: str, worklist: Worklist) -> None:
        """Adds or replaces."""
        self.remove(name)
        number = self._next
        self._next += 1
        self._by_name[name] = number
        self._worklists[number] = worklist
        if self._columns:
            elements = worklist.elements
            for column in self._columns.values():
                column.add(number, elements)

    def remove(self, name: str) -> None:
        """Nothing happens where there is none."""
        number = self._by_name.pop(name, None)
        if number is None:
            return
        worklist = self._worklists.pop(number)
        if self._columns:
            elements = worklist.elements
            for column in self._columns.values():
                column.remove(number, elements)

    def clear(self) -> None:
        self._by_name.clear()
        self._worklists.clear()
        self._columns.clear()

    def candidates(self, conditions: Mapping[Path, Matcher]) -> list[Worklist]:
        """Those that have, somewhere in each path, a value that matches, by their identifiers.
        Whether these belong to the same item of a sequence has still to be seen."""
        everybody = set(self._worklists)
        found = everybody
        for path, matcher in conditions.items():
            found = found & self._column(path).matching(matcher, everybody)
        return sorted((self._worklists[number] for number in found), key=lambda each: each.id)

    def _column(self, path: Path) -> _Column:
        column = self._columns.get(path)
        if column is None:
            if len(self._columns) >= _MOST_COLUMNS:
                self._columns.pop(next(iter(self._columns)))
            column = self._columns[path] = _Column(path)
            for number, worklist in self._worklists.items():
                column.add(number, worklist.elements)
        return column
