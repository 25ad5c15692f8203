"""Fields of the objects that describe other servers, and of bodies that call them. Source:
reference chapter 4, sections 5.1, 5.3 and 8.1."""

from typing import Any

from orthanc_fast.errors import BadFileFormat, BadParameterType, OrthancError
from orthanc_fast.numerals import MAX_INT64, MAX_UINT32, fits_json


def text_of(value: Any, field: str) -> str:
    """Raises BadFileFormat."""
    if not isinstance(value, str):
        raise BadFileFormat(f"{field} must be a text")
    return value


def flag_of(value: Any, field: str) -> bool:
    """Raises BadFileFormat."""
    if not isinstance(value, bool):
        raise BadFileFormat(f"{field} must be true or false")
    return value


# Orthanc's JSON reader makes a fraction of an integer that 64 bits cannot hold. What is in between
# and does not fit its own type is in some places an error that it does not catch: section 1.3.


def timeout_of(value: Any, too_large: type[OrthancError]) -> int:
    """Seconds, of which 32 bits count. Raises BadFileFormat, BadParameterType for a negative number
    and `too_large` for one that only a JSON reader takes."""
    if not isinstance(value, int) or isinstance(value, bool) or not fits_json(value):
        raise BadFileFormat("Integer value expected in field: Timeout")
    if value < 0:
        raise BadParameterType(
            "Negative value found while expecting an unsigned int in field 'Timeout'"
        )
    if value > MAX_INT64:
        raise too_large("Timeout must be a number of 64 bits")
    return value & MAX_UINT32
