"""The header Range as HTTP has it (RFC 9110, section 14): one range; anything else is ignored."""

import re

_RANGE = re.compile(rb"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*\Z")


class Unsatisfiable(Exception):
    """The range lies outside of the content: 416."""


def byte_range(header: bytes | None, size: int) -> tuple[int, int] | None:
    """(first byte, byte behind the last one), None where the whole content is to be sent. Raises
    Unsatisfiable."""
    match = None if header is None else _RANGE.match(header.strip())
    if match is None or match[1] == match[2] == b"":
        return None
    if not match[1]:
        length = int(match[2])
        if length == 0:
            raise Unsatisfiable
        return max(size - length, 0), size
    first = int(match[1])
    stop = min(int(match[2]) + 1, size) if match[2] else size
    if match[2] and int(match[2]) < first:
        return None  # invalid, hence to be ignored
    if first >= size:
        raise Unsatisfiable
    return first, stop
