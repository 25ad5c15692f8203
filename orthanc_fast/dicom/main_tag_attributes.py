"""What the index knows of a data set as attributes with typed values, as metadata of DICOMweb show
them. Source: reference chapter 5, sections 4.2 and 12."""

from collections.abc import Mapping
from typing import Any

from orthanc_fast.dicom.attributes import Attribute, Value, values_of_text
from orthanc_fast.dicom.dictionary import TEXT_VRS, Dictionary
from orthanc_fast.numerals import decimal, integer


def main_tag_attributes(tags: Mapping[int, str], dictionary: Dictionary) -> list[Attribute]:
    """Main tags and their texts."""
    return [_attribute(tag, text, dictionary) for tag, text in tags.items()]


def main_sequence_attributes(
    sequences: Mapping[str, Any], dictionary: Dictionary
) -> list[Attribute]:
    """Main sequences in the full format of the index: name, type and value by `gggg,eeee`."""
    found = []
    for key, member in sequences.items():
        tag, value = int(key.replace(",", ""), 16), member["Value"]
        if isinstance(value, list):
            items: list[Value] = [main_sequence_attributes(item, dictionary) for item in value]
            found.append(Attribute(tag, "SQ", _keyword(tag, dictionary), items or None))
        else:
            text = value if isinstance(value, str) else ""
            found.append(_attribute(tag, text, dictionary))
    return sorted(found)


def _attribute(tag: int, text: str, dictionary: Dictionary) -> Attribute:
    vr = dictionary.vr(tag)
    return Attribute(tag, vr, _keyword(tag, dictionary), _values(text, vr))


def _keyword(tag: int, dictionary: Dictionary) -> str | None:
    entry = dictionary.entry(tag)
    return None if entry is None or tag >> 16 & 1 else entry[0].decode()


def _values(text: str, vr: str) -> list[Value] | None:
    if vr in TEXT_VRS:
        return values_of_text(text, vr)
    if not text:
        return None
    parts = text.split("\\")
    if vr == "AT":
        return [part.replace(",", "").upper() for part in parts]
    numbers = [integer(part) if "." not in part else decimal(part) for part in parts]
    return [number for number in numbers if number is not None] or None
