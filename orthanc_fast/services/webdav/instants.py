"""Instants as WebDAV and HTTP write them."""

import calendar
import time
from email.utils import formatdate
from functools import lru_cache


def second_of(text: str | None) -> int | None:
    """The second of `YYYYMMDDThhmmss` in UTC, None for what is none."""
    text = text or ""
    digits = text[:8] + text[9:]
    if len(text) != 15 or not (digits.isascii() and digits.isdecimal()):
        return None
    parts = (int(text[:4]), *(int(text[at : at + 2]) for at in (4, 6, 9, 11, 13)))
    return calendar.timegm((*parts, 0, 0, 0))


@lru_cache(1024)
def iso(second: int) -> str:
    """As for creation: RFC 3339 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


@lru_cache(1024)
def http_date(second: int) -> str:
    """As for the last change, and in headers: RFC 9110, section 5.6.7."""
    return formatdate(second, usegmt=True)
