"""Answers of other servers, as clients of ours see them. Source: reference chapter 5, section 11.2;
PS3.18, annex F."""

import re
from typing import Any, Final

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import BadFileFormat, NetworkProtocol

_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
_FAILED_SOP_SEQUENCE: Final = "00081198"
_REFERENCED_SOP_SEQUENCE: Final = "00081199"
_REFERENCED_SOP_INSTANCE_UID: Final = "00081155"
_FAILURE_REASON: Final = "00081197"
_TOLD: Final = 3  # failures that are told with their reasons


def matches(body: bytes, dictionary: Dictionary) -> list[dict[str, Any]]:
    """What a search has found, by tag: the first value of each. Raises BadFileFormat for what is no
    JSON, NetworkProtocol for any other JSON than that of DICOM."""
    found = _json(body)
    if not isinstance(found, list):
        raise NetworkProtocol("The answer of the DICOMweb server is no list of data sets")
    return [_match(each, dictionary) for each in found]


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFileFormat("The answer of the DICOMweb server is no JSON") from error


def _match(data_set: Any, dictionary: Dictionary) -> dict[str, Any]:
    if not isinstance(data_set, dict):
        raise NetworkProtocol("The answer of the DICOMweb server is no list of data sets")
    return {
        name.upper(): _element(name, data_set[name], dictionary)
        for name in sorted(data_set)
        if _TAG.fullmatch(name)
    }


def _element(name: str, element: Any, dictionary: Dictionary) -> dict[str, Any]:
    if not isinstance(element, dict):
        raise NetworkProtocol(f"The DICOMweb server has answered with a bad element: {name}")
    vr = element.get("vr", "")
    if not isinstance(vr, str):
        raise NetworkProtocol(f"The DICOMweb server has answered with a bad VR: {name}")
    tag = int(name, 16)
    found: dict[str, Any] = {
        "Element": tag & 0xFFFF,
        "Group": tag >> 16,
        "Name": dictionary.name(tag),
        "vr": vr,
    }
    values = element.get("Value")
    if isinstance(values, list) and values and (value := _shown(values[0])) is not None:
        found["Value"] = value
    return found


def _shown(value: Any) -> str | int | float | None:
    match value:
        case {"Alphabetic": str(name)}:
            return name
        case str() | int() | float() if not isinstance(value, bool):
            return value
    return None


def check_stored(body: bytes, count: int, name: str) -> None:
    """Raises NetworkProtocol unless the answer to a STOW-RS says that all `count` instances are
    stored, BadFileFormat where it is no JSON."""
    answer = _json(body)
    if not isinstance(answer, dict):
        raise NetworkProtocol(f"Unable to parse STOW-RS JSON response from DICOMweb server {name}")
    failed = _items(answer, _FAILED_SOP_SEQUENCE)
    if failed:
        raise NetworkProtocol(
            f"The response from the STOW-RS server contains {len(failed)} items in its Failed SOP "
            f"Sequence (0008,1198) tag{_reasons(failed)}"
        )
    if _REFERENCED_SOP_SEQUENCE not in answer:
        raise NetworkProtocol(f"Unable to parse STOW-RS JSON response from DICOMweb server {name}")
    stored = len(_items(answer, _REFERENCED_SOP_SEQUENCE))
    if stored != count:
        raise NetworkProtocol(
            f"The STOW-RS server was only able to receive {stored} instances out of {count}"
        )


def has_failures(body: bytes) -> bool:
    """Whether the body of an answer tells which instances were not stored."""
    try:
        return bool(_items(msgspec.json.decode(body), _FAILED_SOP_SEQUENCE))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _items(answer: Any, tag: str) -> list[Any]:
    match answer:
        case dict() if isinstance(element := answer.get(tag), dict):
            values = element.get("Value")
            return values if isinstance(values, list) else []
    return []


def _reasons(failed: list[Any]) -> str:
    texts = []
    for item in failed[:_TOLD]:
        uid = _first(item, _REFERENCED_SOP_INSTANCE_UID)
        reason = _first(item, _FAILURE_REASON)
        if isinstance(uid, str) and isinstance(reason, int):
            texts.append(f"{uid[:64]} (0x{reason:04x})")
    return f": {', '.join(texts)}" if texts else ""


def _first(item: Any, tag: str) -> Any:
    return next(iter(_items(item, tag)), None)
