"""Elements of answers as the DICOM JSON model has them. Source: PS3.18 annex F.2; reference chapter
5, section 12."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.numerals import decimal, integer
from orthanc_fast.services.find.requested import Value

Element = dict[str, Any]
"""`vr`, and `Value` where there is one: a list of texts, numbers, names as mappings, items."""

# These are not shown; of UN nobody knows what the text stands for.
BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})

_SINGLE: Final = frozenset({"LT", "ST", "UR", "UT"})
_NAME_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_MAX_DEPTH: Final = 62  # of sequences in sequences, as files may have


def element(tag: int, vr: str, value: Value, dictionary: Dictionary) -> Element | None:
    """An element of a text, a sequence in the Full format, or nothing; None for what is not
    shown."""
    return _element(vr, value, dictionary, 0)


def _element(vr: str, value: Value, dictionary: Dictionary, depth: int) -> Element | None:
    if isinstance(value, dict):
        if value["Type"] != "Sequence" or depth > _MAX_DEPTH:
            return {"vr": vr} if value["Type"] == "Null" else None
        items = [_item(item, dictionary, depth + 1) for item in value["Value"]]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    if vr in BINARY:
        return None
    if not value:
        return {"vr": vr}
    return {"vr": vr, "Value": values(vr, value)}


def _item(
    members: Mapping[str, dict[str, Any]], dictionary: Dictionary, depth: int
) -> dict[str, Element]:
    shown = {}
    for name, member in sorted(members.items()):
        tag = int(name[:4] + name[5:], 16)
        creator = member.get("PrivateCreator")
        vr = dictionary.vr(tag, None if creator is None else creator.encode())
        value = member["Value"] if member["Type"] == "String" else member
        found = _element(vr, value, dictionary, depth)
        if found is not None:
            shown[f"{tag:08X}"] = found
    return shown


def values(vr: str, text: str) -> list[Any]:
    """The values of a text. Those that are no numbers where numbers are due are left out."""
    if vr in _SINGLE:
        return [text.rstrip(" \0")]
    parts = [part.rstrip(" \0") for part in text.split("\\")]
    convert = _CONVERSIONS.get(vr)
    if convert is None:
        return [part or None for part in parts]
    found = [convert(part) if part else None for part in parts]
    return [
        value for value, part in zip(found, parts, strict=True) if value is not None or not part
    ]


def _name(text: str) -> dict[str, str]:
    groups = zip(_NAME_GROUPS, text.split("="), strict=False)
    return {group: value for group, value in groups if value}


def _decimal_text(text: str) -> str | None:
    """Verbatim but for what readers of JSON do not take for a number."""
    text = text.strip().replace(",", ".").removesuffix(".")
    return None if decimal(text) is None else text


def _float(text: str) -> float | int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def _tag(text: str) -> str | None:
    digits = text.strip().replace(",", "").upper()
    return digits if len(digits) == 8 else None


_CONVERSIONS: Final[Mapping[str, Callable[[str], Any]]] = {
    "PN": _name,
    "DS": _decimal_text,
    "AT": _tag,
    **dict.fromkeys(("FD", "FL"), _float),
    **dict.fromkeys(("IS", "SL", "SS", "SV", "UL", "US", "UV"), lambda text: integer(text.strip())),
}
