"""Paths to elements: `Sequence[0].Sequence[*].Tag`. Source: reference chapter 3, section 3.2.2."""

import re
from typing import Final

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import ParameterOutOfRange

EVERY_ITEM: Final = -1

_DIGITS: Final = 100
_NUMBER = re.compile(r"-?[0-9]+\Z")


class TagPath(msgspec.Struct, frozen=True, gc=False, order=True):
    """An element: `parents` are (sequence, item) from the root on, items count from 0."""

    parents: tuple[tuple[int, int], ...]
    tag: int

    @property
    def is_root(self) -> bool:
        return not self.parents


def parse_path(text: str, dictionary: Dictionary) -> TagPath:
    """Raises ParameterOutOfRange for a bad index, UnknownDicomTag for a bad tag."""
    *parents, last = text.split(".")
    tag = parse_tag(last, dictionary)
    return TagPath(tuple(_parent(part.strip(), dictionary) for part in parents), tag)


def parse_tag(text: str, dictionary: Dictionary) -> int:
    """One tag, also in parentheses. Raises UnknownDicomTag."""
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    return dictionary.parse(text)


def _parent(text: str, dictionary: Dictionary) -> tuple[int, int]:
    begin = text.find("[")
    if begin < 0:
        raise ParameterOutOfRange("Parent path doesn't contain an index")
    if begin == 0:
        raise ParameterOutOfRange("Parent path doesn't contain a tag")
    if not text.endswith("]"):
        raise ParameterOutOfRange("Parent path doesn't contain the end of the index")
    index = text[begin + 1 : -1].strip()
    tag = parse_tag(text[:begin], dictionary)
    if index == "*":
        return tag, EVERY_ITEM
    if _NUMBER.match(index) is None or len(index) > _DIGITS or abs(int(index)) >= 1 << 31:
        raise ParameterOutOfRange(f"Not a valid index in parent path: [{index}]")
    if int(index) < 0:
        raise ParameterOutOfRange(f"Negative index in parent path: {index}")
    return tag, int(index)
