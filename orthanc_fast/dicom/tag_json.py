"""Orthanc's three JSON formats of a data set. Source: reference chapter 2, section 1."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from orthanc_fast._ext.scan import ScanError
from orthanc_fast._ext.tagjson import TagError, dataset_json
from orthanc_fast.dicom.dictionary import Dictionary, generic_name, tag_text
from orthanc_fast.dicom.part10 import (
    Buffer,
    DicomFile,
    open_dicom,
    open_meta,
    open_until_pixel_data,
)
from orthanc_fast.dicom.text import CharacterSet, character_set_of, decode, without_padding
from orthanc_fast.dicom.walk import first_value
from orthanc_fast.errors import BadFileFormat

Format = Literal["full", "short", "simplify"]

_FORMS: Final = {"full": 0, "short": 1, "simplify": 2}
_NOTHING: Final[frozenset[int]] = frozenset()
_CHARACTER_SET = 0x00080005
_META_VERSION = 0x00020001


def tags_json(
    data: Buffer | DicomFile,
    form: Format,
    dictionary: Dictionary,
    default_character_set: str = "Latin1",
    whole: bool = False,
    ignore_length: frozenset[int] = _NOTHING,
    until_pixel_data: bool = False,
) -> bytes:
    """The data set of a DICOM file as one JSON object. Who has opened it already may give that, but
    for a deflated one.

    `until_pixel_data`: `data` ends where the pixel data begin; the PixelData member is added as
    null. `whole` shows what follows the pixel data, `ignore_length` names tags that may exceed
    256 bytes. Raises BadFileFormat.
    """
    try:
        if whole or until_pixel_data:
            file, is_head = open_dicom(data), until_pixel_data
        else:
            file, is_head = open_until_pixel_data(data)
        return dataset_json(
            file.data,
            file.start,
            len(file.data),
            file.explicit,
            file.big,
            _FORMS[form],
            whole,
            is_head,
            dictionary,
            character_set_in(file, default_character_set),
            decode,
            ignore_length,
        )
    except (ScanError, TagError) as error:
        raise BadFileFormat(str(error)) from error


def character_set_in(file: DicomFile, default: str) -> CharacterSet:
    """The character set that the root data set announces."""
    raw = first_value(file, _CHARACTER_SET)
    return character_set_of(raw, default)


def header_json(data: Buffer, form: Format, dictionary: Dictionary) -> bytes:
    """The file meta information as JSON: section 1.9. `{}` for a file without one."""
    try:
        file = open_meta(data)
    except ScanError as error:
        raise BadFileFormat(str(error)) from error
    values: dict[int, str] = {}
    for tag, vr, raw in file.meta:
        if tag not in dictionary.standard or tag == _META_VERSION or tag in values:
            continue
        text = _meta_text(tag, vr, raw)
        if text is not None:
            values[tag] = text
    return msgspec.json.encode(named_tags(values, form, dictionary))


def _meta_text(tag: int, vr: int, raw: bytes) -> str | None:
    name = f"{vr >> 8:c}{vr & 255:c}"
    if name == "UL" and len(raw) == 4:
        return str(int.from_bytes(raw, "little"))
    if name in ("OB", "OW", "UN"):
        return None
    return decode(without_padding(raw, name), CharacterSet("Ascii"))


def named_tags(
    values: Mapping[int, str | None], form: Format, dictionary: Dictionary
) -> dict[str, Any]:
    """Texts by tag as an object in one of the three formats, for the JSON encoder; None is
    null."""
    if form == "simplify":
        names = dictionary.names
        return {names.get(tag) or generic_name(tag): value for tag, value in values.items()}
    if form == "short":
        return {tag_text(tag): value for tag, value in values.items()}
    return {
        tag_text(tag): {
            "Name": dictionary.name(tag),
            "Type": "Null" if value is None else "String",
            "Value": value,
        }
        for tag, value in values.items()
    }


def parse_tags(texts: Iterable[str], dictionary: Dictionary) -> frozenset[int]:
    """The tags of an argument such as `ignore-length`. Raises UnknownDicomTag."""
    return frozenset(dictionary.parse(text) for text in texts)


def reduced(element: dict[str, Any], short: bool) -> Any:
    """The Short or Simplified form of an element in the Full format."""
    if element["Type"] == "Sequence":
        return [
            {
                (tag if short else member["Name"]): reduced(member, short)
                for tag, member in item.items()
            }
            for item in element["Value"]
        ]
    return element["Value"] if element["Type"] == "String" else None
