"""The de-identification profiles, as the machine-readable table beside this module has them.

Source: reference chapter 3, section 3.3.5; DICOM PS3.15 Table E.1-1.
"""

from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from orthanc_fast.errors import ParameterOutOfRange

DEFAULT: Final = "2023b"


class Profile(msgspec.Struct, frozen=True):
    """What one edition does: tags that are removed, emptied or get a new UID, and ranges of tags,
    as (mask, value), that are removed. `method` names it in DeidentificationMethod."""

    method: str
    removed: frozenset[int]
    cleared: frozenset[int]
    uids: frozenset[int]
    ranges: tuple[tuple[int, int], ...]


@lru_cache
def profile(version: str) -> Profile:
    """Raises ParameterOutOfRange for an edition that there is no table of."""
    row = _table().get(version)
    if not isinstance(row, dict):
        raise ParameterOutOfRange(f"Unknown specific version of the DICOM standard: {version}")
    return Profile(
        row["deidentification_method"],
        _tags(row["removed"]),
        _tags(row["cleared"]),
        _tags(row["uids"]),
        tuple(map(_range, row["removed_wildcards"])),
    )


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    folder = files("orthanc_fast.services.modification")
    table: dict[str, Any] = msgspec.json.decode(
        folder.joinpath("anonymization_profiles.json").read_bytes()
    )
    return {name: row for name, row in table.items() if not name.startswith("_")}


def _tags(texts: list[str]) -> frozenset[int]:
    # Group 0000 and file meta information occur in no data set.
    return frozenset(tag for tag in map(_tag, texts) if tag >> 16 > 4)


def _tag(text: str) -> int:
    return int(text.replace(",", ""), 16)


def _range(text: str) -> tuple[int, int]:
    """`60xx,3000` as (mask, value), of even groups only: odd ones are private."""
    digits = text.replace(",", "")
    mask = "".join("0" if digit == "x" else "f" for digit in digits)
    return int(mask, 16) | 0x00010000, _tag(text.replace("x", "0"))
