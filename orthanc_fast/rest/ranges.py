"""The header Range, as Orthanc reads it. Source: reference chapter 1, section 1.13."""

import re

from orthanc_fast.errors import BadRange, BadSequenceOfCalls

_RANGE = re.compile(rb"bytes=([0-9]{0,18})-([0-9]{0,18})\Z")


def parse_range(header: bytes, size: int) -> tuple[int, int]:
    """First and last byte that are asked for, of `size`. Without a first byte it is the first of
    all, against HTTP. Raises BadRange, or BadSequenceOfCalls where the end comes first."""
    match = _RANGE.match(header.strip())
    if match is None:
        raise BadRange(f"only one range of bytes can be answered, not {header.decode('latin-1')!r}")
    first = int(match[1] or 0)
    last = int(match[2]) if match[2] else size - 1
    if first > last:
        raise BadSequenceOfCalls(f"the range begins at {first} and ends at {last}")
    if last >= size:
        raise BadRange(f"the range ends at {last}, the content at {size - 1}")
    return first, last
