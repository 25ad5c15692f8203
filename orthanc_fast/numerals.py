"""Numbers that stand as text in a file or a request.

Python's own `int` and `float` take more than any standard means (underscores, digits of other
scripts) and `int` raises from 4,301 digits on. What comes from outside is read here instead: a
number, or None.
"""

import math
import re
from typing import Final

MIN_INT32: Final = -(1 << 31)
MAX_INT32: Final = (1 << 31) - 1
MIN_INT64: Final = -(1 << 63)
MAX_INT64: Final = (1 << 63) - 1
MAX_UINT32: Final = (1 << 32) - 1
MAX_UINT64: Final = (1 << 64) - 1

BLANKS: Final = " \t\n\v\f\r"

# More digits than 64 bits can have are not converted.
_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,20})")
_LEADING_INTEGER = re.compile(rf"[{BLANKS}]*([+-]?)0*([0-9]+)")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LEADING_DECIMAL = re.compile(rf"[{BLANKS}]*({_DECIMAL.pattern})")
_MAX_DIGITS = 20


def fits_json(number: int) -> bool:
    """Whether Orthanc's JSON reader has a type of integers for it: 64 bits, signed or not."""
    return MIN_INT64 <= number <= MAX_UINT64


def integer(text: str) -> int | None:
    """The integer of 64 bits that the whole text is, with an optional sign and without blanks (an
    IS without its padding); None for anything else."""
    match = _INTEGER.fullmatch(text)
    if match is None:
        return None
    number = int(match[1] + match[2])
    return number if MIN_INT64 <= number <= MAX_INT64 else None


def unsigned(text: str, high: int = MAX_UINT32) -> int | None:
    """The number from 0 to `high` that the whole text is, without blanks and without a minus; None
    for anything else."""
    number = None if text.startswith("-") else integer(text)
    return number if number is not None and number <= high else None


def decimal(text: str) -> float | None:
    """The finite number that the whole text is, without blanks (a DS without its padding); None
    for anything else."""
    if _DECIMAL.fullmatch(text) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def leading_integer(text: str) -> int:
    """The number that a text begins with, else 0; what 64 bits cannot hold is the nearest that
    they can. SQL's CAST of a text to INTEGER."""
    match = _LEADING_INTEGER.match(text)
    if match is None:
        return 0
    if len(match[2]) > _MAX_DIGITS:
        return MIN_INT64 if match[1] == "-" else MAX_INT64
    return min(max(int(match[1] + match[2]), MIN_INT64), MAX_INT64)


def leading_decimal(text: str) -> float:
    """The number that a text begins with, else 0; infinite where a double cannot hold it. SQL's
    CAST of a text to REAL."""
    match = _LEADING_DECIMAL.match(text)
    return float(match[1]) if match else 0.0
