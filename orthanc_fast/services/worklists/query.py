"""What a modality asks of worklists, and what matches it. Source: reference chapter 4, section 3.7;
DICOM PS3.4 annexes C.2.2.2 and K.6.1."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from orthanc_fast.dicom.dictionary import Dictionary, tag_text
from orthanc_fast.errors import BadRequest
from orthanc_fast.services.find.facts import FileElement
from orthanc_fast.services.find.matching import Matcher, matcher
from orthanc_fast.services.find.requested import Value
from orthanc_fast.services.worklists.entries import Element, Elements, Path, text_of

Keys: TypeAlias = "dict[int, str | list[Keys]]"
"""A query as it was asked: texts, and the items of sequences, by tag."""

SPECIFIC_CHARACTER_SET: Final = 0x00080005
SOP_INSTANCE_UID: Final = 0x00080018
STEPS: Final = 0x00400100
STATION: Final = 0x00400001
_FIRST_GROUP: Final = 0x0008
_REFERENCES: Final = (0x00081110, 0x00081120)  # of study and patient
_REFERENCED: Final = (0x00081150, 0x00081155)  # class and instance


def keys_of(elements: Mapping[int, FileElement]) -> Keys:
    """The keys of an identifier."""
    return {
        tag: _items(each.Value) if each.Type == "Sequence" else each.text or ""
        for tag, each in elements.items()
    }


def _items(items: list[dict[str, Any]]) -> list[Keys]:
    return [
        {
            int(text[:4] + text[5:], 16): (
                _items(each["Value"]) if each["Type"] == "Sequence" else text_of(each)
            )
            for text, each in item.items()
        }
        for item in items
    ]


def for_station(keys: Keys, title: str) -> Keys:
    """The same for the steps of one station only, whatever station it names."""
    steps = keys.get(STEPS)
    first = steps[0] if isinstance(steps, list) and steps else {}
    others = steps[1:] if isinstance(steps, list) else []
    return {**keys, STEPS: [{**first, STATION: title}, *others]}


class Query:
    """A query, or what it says of the items of a sequence. `texts` are conditions on values,
    `sequences` those on items, None where the whole sequence is asked for."""

    def __init__(self, keys: Keys, dictionary: Dictionary, case_sensitive_names: bool) -> None:
        """Raises BadRequest for a sequence of several items and for a key that is none where a
        sequence should be, ParameterOutOfRange for wildcards where the VR has none."""
        self.texts: dict[int, Matcher] = {}
        self.sequences: dict[int, Query | None] = {}
        self.wanted: list[int] = []
        sequences = {tag: each for tag, each in keys.items() if isinstance(each, list)}
        self._form = repr((sorted(keys), sorted(sequences.items())))
        for tag, value in sorted(keys.items()):
            if tag == SPECIFIC_CHARACTER_SET or tag >> 16 < _FIRST_GROUP or not tag & 0xFFFF:
                continue
            self.wanted.append(tag)
            vr = dictionary.vr(tag)
            _check_kind(tag, vr, value)
            if isinstance(value, list):
                self.sequences[tag] = _of_items(tag, value, dictionary, case_sensitive_names)
                continue
            case_sensitive = case_sensitive_names or vr != "PN"
            made = matcher(value, vr, False, case_sensitive, tag_text(tag))
            if made is not None:
                self.texts[tag] = made
        self._texts = [(tag_text(tag), each) for tag, each in self.texts.items()]
        self._sequences = [(tag_text(tag), each) for tag, each in self.sequences.items()]

    @property
    def form(self) -> str:
        """What it asks for, and what it asks of sequences."""
        return self._form

    @property
    def conditions(self) -> dict[Path, Matcher]:
        """Those on values of the data set and of the items of its sequences."""
        found: dict[Path, Matcher] = {(tag,): each for tag, each in self.texts.items()}
        for sequence, inner in self.sequences.items():
            if inner is not None:
                found |= {(sequence, tag): each for tag, each in inner.texts.items()}
        return found

    def matches(self, elements: Elements) -> bool:
        """Whether a data set, or an item, has what is asked for. What is absent has no value that
        could match; of an absent sequence nothing is asked."""
        for key, each in self._texts:
            element = elements.get(key)
            if element is None or not each.exact(text_of(element)):
                return False
        return all(
            inner is None or key not in elements or inner._matching(elements[key])
            for key, inner in self._sequences
        )

    def _matching(self, sequence: Element) -> list[Elements]:
        items = sequence["Value"] if sequence["Type"] == "Sequence" else []
        return [item for item in items if self.matches(item)]

    def answer(self, elements: Elements) -> dict[int, Value]:
        """The values of an answer: of what is asked for what is there, of sequences the items that
        match."""
        found: dict[int, Value] = {}
        for tag in self.wanted:
            element = elements.get(tag_text(tag))
            if element is not None and tag != SOP_INSTANCE_UID:
                found[tag] = self._value(tag, element)
        return found

    def _value(self, tag: int, element: Element) -> Value:
        if element["Type"] != "Sequence":
            return element["Value"] if element["Type"] == "String" else None
        inner = self.sequences.get(tag)
        return dict(element) if inner is None else inner._reduced(element)

    def _reduced(self, sequence: Element) -> dict[str, Any]:
        return {
            "Type": "Sequence",
            "Value": [self._item(item) for item in self._matching(sequence)],
        }

    def _item(self, item: Elements) -> dict[str, Element]:
        found: dict[str, Element] = {}
        for tag in self.wanted:
            key = tag_text(tag)
            if key in item:
                inner = self.sequences.get(tag)
                found[key] = item[key] if inner is None else inner._reduced(item[key])
        return found


def _check_kind(tag: int, vr: str, value: object) -> None:
    is_sequence = isinstance(value, list)
    if vr != "UN" and value != "" and is_sequence != (vr == "SQ"):
        kind = "a sequence" if is_sequence else "a text"
        raise BadRequest(f"{tag_text(tag)} of a query for worklists is {kind}, but its VR is {vr}")


def _of_items(
    tag: int, items: list[Keys], dictionary: Dictionary, case_sensitive_names: bool
) -> Query | None:
    if len(items) > 1:
        raise BadRequest(f"the sequence {tag_text(tag)} of a query for worklists has several items")
    if not items or not items[0] or _asks_for_references(tag, items[0]):
        return None
    return Query(items[0], dictionary, case_sensitive_names)


def _asks_for_references(tag: int, item: Keys) -> bool:
    """Whether modalities mean the whole sequence by two empty UIDs, as Orthanc takes it."""
    return tag in _REFERENCES and item == dict.fromkeys(_REFERENCED, "")
