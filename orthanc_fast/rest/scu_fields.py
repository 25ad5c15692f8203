"""Fields of bodies that change how a modality is called. Their errors have Orthanc's codes.
Source: reference chapter 4, sections 5.3 and 5.5."""

from collections.abc import Mapping
from typing import Any, Final

from orthanc_fast.errors import BadParameterType, InternalError, ParameterOutOfRange
from orthanc_fast.numerals import MAX_INT32, MIN_INT32
from orthanc_fast.services.exchange.fields import timeout_of

MAX_UINT16: Final = 0xFFFF
MAX_PORT: Final = 65534


def text_field(body: dict[str, Any], name: str, default: str) -> str:
    """Raises BadParameterType."""
    value = body.get(name, default)
    if not isinstance(value, str):
        raise BadParameterType(f"String value expected in field: {name}")
    return value


def flag_field(body: dict[str, Any], name: str) -> bool:
    """False without the field. Raises BadParameterType."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BadParameterType(f"Boolean value expected in field: {name}")
    return value


def number_field(body: dict[str, Any], name: str, default: int) -> int:
    """Raises BadParameterType; InternalError for what has more than 32 bits, which Orthanc does
    not foresee."""
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadParameterType(f"Integer value expected in field: {name}")
    if not MIN_INT32 <= value <= MAX_INT32:
        raise InternalError(f"Value too large to fit in an integer in field '{name}'")
    return value


def port_field(body: dict[str, Any], default: int) -> int:
    """`Port`, of which 16 bits count. Raises as `number_field`, ParameterOutOfRange."""
    port = number_field(body, "Port", default) & MAX_UINT16
    if not 1 <= port <= MAX_PORT:
        raise ParameterOutOfRange(
            f"A TCP port number must be in range [1..{MAX_PORT}], but found: {port}"
        )
    return port


def timeout_field(body: Mapping[str, Any]) -> int | None:
    """`Timeout` in seconds, None without it. Raises BadFileFormat, BadParameterType for a negative
    one, InternalError for one that 64 bits cannot hold."""
    if "Timeout" not in body:
        return None
    return timeout_of(body["Timeout"], InternalError)
