"""Data sets that come as models: DICOM JSON (PS3.18 annex F) and Native DICOM Model in XML (PS3.19
annex A). The XML is turned into the JSON, whose members are looked at elsewhere.
"""

from typing import Any, Final
from xml.etree import ElementTree

import msgspec

from orthanc_fast.errors import BadFileFormat

Model = dict[str, Any]  # DICOM JSON: one object

_decode = msgspec.json.Decoder().decode

_NUMBERS: Final = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV"})
_FLOATS: Final = frozenset({"FL", "FD"})
_NAME_PARTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def models_of_json(data: bytes) -> list[Model]:
    """The data sets of a JSON document: one, or an array of them. Raises BadFileFormat."""
    try:
        found = _decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BadFileFormat(f"Cannot parse DICOM JSON: {error}") from error
    found = found if isinstance(found, list) else [found]
    for each in found:
        if not isinstance(each, dict):
            raise BadFileFormat("DICOM JSON is an object, or an array of objects")
    return found


def model_of_xml(data: bytes) -> Model:
    """The data set of an XML document as DICOM JSON. Raises BadFileFormat."""
    try:
        root = ElementTree.fromstring(data, ElementTree.XMLParser(target=_Builder()))
        if _name(root) != "NativeDicomModel":
            raise BadFileFormat("The root of a Native DICOM Model is NativeDicomModel")
        return _members(root)
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        # LookupError: an encoding that nobody knows.
        raise BadFileFormat(f"Cannot parse a Native DICOM Model: {error}") from error


class _Builder(ElementTree.TreeBuilder):
    """Refuses what entities are declared in, before any is: whatever the encoding."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise BadFileFormat("Native DICOM Model has no document type and no entities")


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _members(parent: ElementTree.Element) -> Model:
    return {
        each.get("tag", "").upper(): _member(each)
        for each in parent
        if _name(each) == "DicomAttribute"
    }


def _member(attribute: ElementTree.Element) -> Model:
    vr = attribute.get("vr", "")
    found: Model = {"vr": vr}
    values: list[Any] = []
    for each in attribute:
        match _name(each):
            case "BulkData":
                found["BulkDataURI"] = each.get("uri") or each.get("URI") or ""
            case "InlineBinary":
                found["InlineBinary"] = "".join((each.text or "").split())
            case "Item":
                values.append(_members(each))
            case "PersonName":
                values.append({_name(group): _person(group) for group in each})
            case "Value":
                values.append(_value(vr, each.text))
    if values:
        found["Value"] = values
    return found


def _value(vr: str, text: str | None) -> str | int | float | None:
    if not text:
        return None
    if vr in _NUMBERS:
        return int(text)
    return float(text) if vr in _FLOATS else text


def _person(group: ElementTree.Element) -> str:
    parts = {_name(each): each.text or "" for each in group}
    return "^".join(parts.get(name, "") for name in _NAME_PARTS).rstrip("^")
