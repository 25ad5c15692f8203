"""Remote DICOM modalities: their two configuration formats. Source: reference chapter 4,
section 5.1."""

from string import ascii_lowercase, ascii_uppercase
from typing import Any

import msgspec

from orthanc_fast.errors import (
    BadFileFormat,
    InternalError,
    ParameterOutOfRange,
)
from orthanc_fast.numerals import MAX_INT32, MIN_INT32, fits_json, integer
from orthanc_fast.services.exchange.fields import flag_of, text_of, timeout_of
from orthanc_fast.services.exchange.server_registry import check_name

_MANUFACTURERS = {
    "Generic": "Generic",
    "GenericNoWildcardInDates": "GenericNoWildcardInDates",
    "GenericNoUniversalWildcard": "GenericNoUniversalWildcard",
    "Vitrea": "Vitrea",
    "GE": "GE",
    "SiemensSyngoCT": "SiemensSyngoCT",
    # obsolete names
    "AgfaImpax": "GenericNoWildcardInDates",
    "SyngoVia": "GenericNoWildcardInDates",
    "EFilm2": "Generic",
    "MedInria": "Generic",
    "ClearCanvas": "Generic",
    "Dcm4Chee": "Generic",
}
_RETRIEVE_METHODS = ("SystemDefault", "C-MOVE", "C-GET")
_FLAGS = {
    "AllowEcho": "allow_echo",
    "AllowFind": "allow_find",
    "AllowFindWorklist": "allow_find_worklist",
    "AllowGet": "allow_get",
    "AllowMove": "allow_move",
    "AllowStore": "allow_store",
    "AllowNAction": "allow_n_action",
    "AllowEventReport": "allow_event_report",
    "AllowTranscoding": "allow_transcoding",
    "UseDicomTls": "use_dicom_tls",
}


_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)


class Modality(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One remote modality; encodes as `GET /modalities/{id}/configuration` answers it."""

    aet: str = msgspec.field(name="AET")
    allow_echo: bool = True
    allow_event_report: bool = True
    allow_find: bool = True
    allow_find_worklist: bool = True
    allow_get: bool = True
    allow_move: bool = True
    allow_n_action: bool = msgspec.field(name="AllowNAction", default=True)
    allow_store: bool = True
    allow_transcoding: bool = True
    host: str
    local_aet: str = msgspec.field(name="LocalAet", default="")
    manufacturer: str = "Generic"
    port: int
    retrieve_method: str = "SystemDefault"
    timeout: int = 0
    use_dicom_tls: bool = False


def comparable_aet(aet: str, is_strict: bool) -> str:
    """An AE title as it is compared with others: `is_strict` is `StrictAetComparison`. Other
    letters than those of ASCII have no case, as with Orthanc."""
    aet = aet.strip(" ")
    return aet if is_strict else aet.translate(_UPPER)


def parse_modality(name: str, value: Any) -> Modality:
    """Reads `["AET", "host", port, "Manufacturer"]` or the object form, unknown fields ignored.

    Raises BadFileFormat, BadParameterType or ParameterOutOfRange with what is wrong.
    """
    check_name(name)
    if isinstance(value, list):
        return _short(value)
    if isinstance(value, dict):
        return _object(value)
    raise BadFileFormat("A modality is a list or an object")


def _short(value: list[Any]) -> Modality:
    if len(value) not in (3, 4):
        raise BadFileFormat("A modality is [AET, host, port] or [AET, host, port, manufacturer]")
    return Modality(
        aet=text_of(value[0], "AET"),
        host=text_of(value[1], "Host"),
        port=_port(value[2]),
        manufacturer=_manufacturer(value[3] if len(value) == 4 else "Generic"),
    )


def _object(value: dict[str, Any]) -> Modality:
    for field in ("AET", "Host", "Port"):
        if field not in value:
            raise BadFileFormat(f"A modality needs the field {field!r}")
    flags: dict[str, bool] = {}
    for field, attribute in _FLAGS.items():
        if field in value:
            flags[attribute] = flag_of(value[field], field)
    if "AllowStorageCommitment" in value:  # an alias of two rights, which it overrules
        both = flag_of(value["AllowStorageCommitment"], "AllowStorageCommitment")
        flags["allow_n_action"] = flags["allow_event_report"] = both
    method = text_of(value.get("RetrieveMethod", "SystemDefault"), "RetrieveMethod")
    if method not in _RETRIEVE_METHODS:
        raise ParameterOutOfRange(f"RetrieveMethod must be one of {', '.join(_RETRIEVE_METHODS)}")
    return Modality(
        aet=text_of(value["AET"], "AET"),
        host=text_of(value["Host"], "Host"),
        port=_port(value["Port"]),
        manufacturer=_manufacturer(value.get("Manufacturer", "Generic")),
        local_aet=text_of(value.get("LocalAet", ""), "LocalAet"),
        retrieve_method=method,
        timeout=timeout_of(value.get("Timeout", 0), InternalError),
        **flags,
    )


def _port(value: Any) -> int:
    """A number, or a text that is one."""
    is_text = isinstance(value, str)
    if is_text:
        value = integer(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadFileFormat("Port must be a number")
    if not MIN_INT32 <= value <= MAX_INT32:
        if is_text or not fits_json(value):
            raise BadFileFormat("Port must be a number of 16 bits")
        raise InternalError("Port must be a number of 16 bits")
    if not 1 <= value <= 65534:
        raise ParameterOutOfRange("Port must be from 1 to 65534")
    return value


def _manufacturer(value: Any) -> str:
    if text_of(value, "Manufacturer") not in _MANUFACTURERS:
        raise ParameterOutOfRange(f"Unknown manufacturer: {value}")
    return _MANUFACTURERS[value]
