"""Data sets in the DICOM JSON model (PS3.18 annex F) and as Native DICOM Model in XML (PS3.19
annex A). Source: reference chapter 2, section 1.12."""

import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

import msgspec

from orthanc_fast.dicom.attributes import Attribute, Dataset, PersonName, Value

_XML_HEAD: Final = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM"'
    ' xsi:schemaLocation="http://dicom.nema.org/PS3.19/models/NativeDICOM"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
)
_NAME_PARTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_encode = msgspec.json.Encoder().encode


def data_set_json(dataset: Dataset) -> bytes:
    """One JSON object; numbers that are not finite are null."""
    return _encode(_json_members(dataset))


def _json_members(dataset: Dataset) -> dict[str, dict[str, Any]]:
    return {f"{attribute.tag:08X}": _json_member(attribute) for attribute in dataset}


def _json_member(attribute: Attribute) -> dict[str, Any]:
    if attribute.uri is not None:
        return {"BulkDataURI": attribute.uri, "vr": attribute.vr}
    if attribute.binary is not None:
        return {"InlineBinary": attribute.binary, "vr": attribute.vr}  # bytes become base64
    if attribute.values is not None:
        return {"Value": [_json_value(value) for value in attribute.values], "vr": attribute.vr}
    return {"vr": attribute.vr}


def _json_value(value: Value) -> Any:
    return _json_members(value) if isinstance(value, list) else value


def data_set_xml(dataset: Dataset) -> bytes:
    """One XML document; characters that XML has no place for are left out."""
    lines = [_XML_HEAD, *_xml_lines(dataset, "  "), "</NativeDicomModel>", ""]
    return "\n".join(lines).encode()


def _xml_lines(dataset: Dataset, indent: str) -> Iterator[str]:
    for attribute in dataset:
        keyword = "" if attribute.keyword is None else f" keyword={quoteattr(attribute.keyword)}"
        start = f'{indent}<DicomAttribute tag="{attribute.tag:08X}" vr="{attribute.vr}"{keyword}'
        if attribute.creator is not None:
            start += f" privateCreator={quoteattr(_NO_XML.sub('', attribute.creator))}"
        if attribute.uri is not None:
            yield f"{start}>"
            yield f"{indent}  <BulkData uri={quoteattr(attribute.uri)} />"
            yield f"{indent}</DicomAttribute>"
            continue
        if attribute.binary is None and not attribute.values:
            yield f"{start} />"
            continue
        yield f"{start}>"
        if attribute.binary is not None:
            yield f"{indent}  <InlineBinary>{b64encode(attribute.binary).decode()}</InlineBinary>"
        for number, value in enumerate(attribute.values or (), start=1):
            yield from _xml_value(number, value, f"{indent}  ")
        yield f"{indent}</DicomAttribute>"


def _xml_value(number: int, value: Value, indent: str) -> Iterator[str]:
    if isinstance(value, list):
        yield f'{indent}<Item number="{number}">'
        yield from _xml_lines(value, f"{indent}  ")
        yield f"{indent}</Item>"
    elif isinstance(value, PersonName):
        yield from _xml_name(number, value, indent)
    elif value is None:
        yield f'{indent}<Value number="{number}" />'
    else:
        yield f'{indent}<Value number="{number}">{_xml_text(str(value))}</Value>'


def _xml_name(number: int, name: PersonName, indent: str) -> Iterator[str]:
    groups = msgspec.structs.asdict(name)
    if name.Alphabetic is None:
        return  # an empty value
    yield f'{indent}<PersonName number="{number}">'
    for group, text in groups.items():
        if text is not None:
            yield f"{indent}  <{group}>"
            for part, component in zip(_NAME_PARTS, text.split("^"), strict=False):
                yield f"{indent}    <{part}>{_xml_text(component)}</{part}>"
            yield f"{indent}  </{group}>"
    yield f"{indent}</PersonName>"


def _xml_text(text: str) -> str:
    return escape(_NO_XML.sub("", text))
