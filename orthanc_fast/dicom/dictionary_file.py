"""Dictionary files in DCMTK's format, as the option ExternalDictionaries names them. Source: the
comments at the top of DCMTK's `dicom.dic` and `private.dic`."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_RANGE = r"([0-9a-f]{2,4})(?:-(?:([ou])-)?([0-9a-f]{2,4}))?"
_LINE = re.compile(rf'\({_RANGE},(?:"([^"]*)",)?{_RANGE}\)\s+(\S+)\s+(\S+)', re.IGNORECASE)

# VRs that depend on the data set, in DCMTK's notation.
_VRS = {"XS": "US or SS", "LT": "US or OW", "OX": "OB or OW", "PX": "OB or OW", "UP": "UL"}


class Line(NamedTuple):
    """One definition, for each of `groups` with each of `elements`; `is_fixed` tells that the
    elements of a private one are those of a certain block."""

    groups: range
    elements: range
    creator: str
    is_fixed: bool
    vr: str
    name: str


def definitions(text: str) -> Iterator[Line]:
    """What a file defines; lines of another form are no definitions."""
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is not None:
            group, which, last_group, creator, element, each, last_element, vr, name = (
                found.groups()
            )
            yield Line(
                _numbers(group, which, last_group),
                _numbers(element, each, last_element),
                creator or "",
                len(element) == 4,
                _VRS.get(vr.upper(), vr.upper()) if vr.islower() else vr,
                name,
            )


def _numbers(first: str, which: str | None, last: str | None) -> range:
    """Ranges stand for their even numbers, with `o` for the odd and with `u` for all of them."""
    start = int(first, 16)
    if last is None:
        return range(start, start + 1)
    end = int(last, 16) + 1
    if which is not None and which.lower() == "u":
        return range(start, end)
    parity = 1 if which is not None else 0
    return range(start + (start % 2 != parity), end, 2)
