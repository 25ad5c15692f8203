"""Dates moved by days. Source: DICOM PS3.5 section 6.2 (DA, DT), PS3.15 section E.3.6."""

import re
from datetime import date, timedelta
from typing import Final

_DATE: Final = re.compile(r"(\d{4})\.?(\d\d)?\.?(\d\d)?(.*)", re.DOTALL)
_REST: Final = re.compile(r"[0-9.+-]*")


def shifted(raw: bytes, days: int) -> bytes:
    """One or several values of DA or DT with their times as they are; what is no date becomes
    empty. A value without a day, or month, is taken for the first one, and stays without it."""
    values = raw.decode("latin-1").split("\\")
    found = "\\".join(_shifted(value.strip(" \0"), days) for value in values).encode("latin-1")
    return found + b" " * (len(found) % 2)


def _shifted(text: str, days: int) -> str:
    match = _DATE.fullmatch(text)
    if match is None or not _REST.fullmatch(match[4]):
        return ""
    year, month, day, rest = match.groups()
    if rest and day is None and rest[0] not in "+-":
        return ""
    try:
        moved = date(int(year), int(month or 1), int(day or 1)) + timedelta(days)
    except (ValueError, OverflowError):
        return ""
    form = f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"
    return form[: 4 + 2 * (month is not None) + 2 * (day is not None)] + rest
