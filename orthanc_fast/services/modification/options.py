"""The options of PS3.15 that an anonymization may ask for, and what they do to the attributes of
the profile. An extension of ours: see docs/deviations.md.

Sources: DICOM PS3.15 section E.3 and Table E.1-1, PS3.16 CID 7050 (codes); the tables beside this
module name their edition.
"""

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from orthanc_fast.errors import BadParameterType, ParameterOutOfRange
from orthanc_fast.services.modification.recorded import Code


class Option(Enum):
    """By the name that requests give it; the value is its code."""

    CleanDescriptors = ("113105", "Clean Descriptors Option")
    RetainLongitudinalFullDates = (
        "113106",
        "Retain Longitudinal Temporal Information Full Dates Option",
    )
    RetainLongitudinalModifiedDates = (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    )
    RetainPatientCharacteristics = ("113108", "Retain Patient Characteristics Option")
    RetainDeviceIdentity = ("113109", "Retain Device Identity Option")
    RetainUIDs = ("113110", "Retain UIDs Option")
    RetainSafePrivate = ("113111", "Retain Safe Private Option")
    RetainInstitutionIdentity = ("113112", "Retain Institution Identity Option")

    @property
    def code(self) -> Code:
        return self.value


_LONGEST_SHIFT: Final = 100 * 366


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Those of one request. `days` is by how many days dates are to be moved, None where the server
    chooses."""

    chosen: frozenset[Option] = frozenset()
    days: int | None = None

    def __contains__(self, option: Option) -> bool:
        return option in self.chosen

    @property
    def codes(self) -> list[Code]:
        """Ascending."""
        return sorted(option.code for option in self.chosen)


NO_OPTIONS: Final = Options()


class Column(msgspec.Struct, frozen=True):
    """What an option says: attributes that are kept, and those that are kept and cleaned."""

    kept: frozenset[int]
    cleaned: frozenset[int]
    excepted: frozenset[int]  # of RetainUIDs: UIDs that are replaced all the same


def read_options(body: Mapping[str, Any]) -> Options:
    """`Options` and `DateShift`. Raises BadParameterType for what has the wrong type,
    ParameterOutOfRange for what there is not, or cannot be together."""
    value = body.get("Options", [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise BadParameterType("Options is an array of texts")
    for name in value:
        if name not in Option.__members__:
            raise ParameterOutOfRange(f"There is no option {name}; known are {_NAMES}")
    chosen = frozenset(Option[name] for name in value)
    shifts = Option.RetainLongitudinalModifiedDates in chosen
    if shifts and Option.RetainLongitudinalFullDates in chosen:
        raise ParameterOutOfRange("Dates are either kept or modified")
    return Options(chosen=chosen, days=_days(body, shifts))


_NAMES: Final = ", ".join(Option.__members__)


def _days(body: Mapping[str, Any], shifts: bool) -> int | None:
    days = body.get("DateShift")
    if days is None:
        return None
    if not isinstance(days, int) or isinstance(days, bool):
        raise BadParameterType("DateShift is a number of days")
    if not shifts:
        raise ParameterOutOfRange("DateShift asks for RetainLongitudinalModifiedDates")
    if not 0 < abs(days) <= _LONGEST_SHIFT:
        raise ParameterOutOfRange(f"DateShift is not between 1 and {_LONGEST_SHIFT} days")
    return days


_COLUMNS: Final = {
    Option.CleanDescriptors: "clean_descriptors",
    Option.RetainLongitudinalFullDates: "retain_dates",
    Option.RetainLongitudinalModifiedDates: "retain_dates",
    Option.RetainPatientCharacteristics: "retain_patient",
    Option.RetainDeviceIdentity: "retain_device",
    Option.RetainUIDs: "retain_uids",
    Option.RetainInstitutionIdentity: "retain_institution",
}


@lru_cache
def column(option: Option) -> Column:
    """Of an option that has one."""
    row = _file("option_columns.json")[_COLUMNS[option]]
    return Column(*(_tags(row.get(name, "")) for name in ("K", "C", "except")))


@lru_cache(maxsize=1)
def safe_private() -> dict[str, frozenset[int]]:
    """By private creator, group << 8 | element of its block (Table E.3.10-1)."""
    rows = _file("safe_private_attributes.json")
    return {name: _tags(text) for name, text in rows.items() if not name.startswith("_")}


def _file(name: str) -> dict[str, Any]:
    data = files("orthanc_fast.services.modification").joinpath(name).read_bytes()
    found: dict[str, Any] = msgspec.json.decode(data)
    return found


def _tags(text: str) -> frozenset[int]:
    return frozenset(int(each, 16) for each in text.split())
