"""The folders by-dates: years, and months in them. Source: the running server."""

import re
from collections.abc import Iterator

from orthanc_fast.errors import InternalError, ParameterOutOfRange
from orthanc_fast.index.contract import Search, Snapshot
from orthanc_fast.index.terms import Kind, fold, value_of
from orthanc_fast.model import Level
from orthanc_fast.services.webdav.names import STUDY_DATE, safe_uid
from orthanc_fast.services.webdav.nodes import Branch

_DATE = 8  # characters
_YEAR = 4
_MONTH = re.compile(r"(.{4})-(.{2})")
_MONTHS = frozenset(f"{month:02d}" for month in range(1, 13))


def years(view: Snapshot) -> Branch:
    """All years in which there are studies."""
    found = {date[:4] for date in _dates(view.search, "")}
    return Branch(tuple(sorted(year for year in found if safe_uid(year))), "")


def months(view: Snapshot, year: str) -> Branch:
    """The months of a year. Raises ParameterOutOfRange for what is none."""
    if len(year) != _YEAR:
        raise ParameterOutOfRange(f"a year has four digits, not {year[:64]!r}")
    found = {date[4:6] for date in _dates(view.search, year)} & _MONTHS
    return Branch(tuple(f"{year}-{month}" for month in sorted(found)), year)


def studies_below(view: Snapshot, year: str) -> bytes:
    """The studies in the months of a year, or of all years for "", packed."""
    return _studies(view.search, year, _MONTHS)


def studies_of_month(view: Snapshot, text: str) -> bytes:
    """The studies of a month such as `2024-01`, packed. Raises InternalError, as Orthanc does, for
    what is no month."""
    match = _MONTH.fullmatch(text)
    if match is None:
        raise InternalError(f"a month is a folder such as 2024-01, not {text[:64]!r}")
    return _studies(view.search, match[1], {match[2]} & _MONTHS)


def _dates(search: Search, prefix: str) -> Iterator[str]:
    for key in _keys(search, prefix):
        date = value_of(key)
        if date is not None and len(date) == _DATE and date.startswith(prefix):
            yield date


def _keys(search: Search, prefix: str) -> list[bytes]:
    low = fold(prefix).encode("utf-8", "replace")
    return search.between(Kind.TAG, Level.STUDY, STUDY_DATE, low, low + b"\xff")


def _studies(search: Search, year: str, wanted: set[str] | frozenset[str]) -> bytes:
    keys = [
        key
        for key in _keys(search, year)
        if (date := value_of(key)) is not None
        and len(date) == _DATE
        and date.startswith(year)
        and date[4:6] in wanted
    ]
    return search.members(keys)
