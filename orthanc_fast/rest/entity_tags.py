"""Entity tags that clients name. Source: RFC 9110, section 13.1.2."""

import re
from typing import Final

from orthanc_fast.rest.request import Request

_CONDITION: Final = b"if-none-match"
_TAG: Final = re.compile(rb'"([^"]*)"')


def is_any(request: Request) -> bool:
    """Whether If-None-Match is `*`: any content will do."""
    return (request.header(_CONDITION) or b"").strip() == b"*"


def is_named(request: Request, tag: bytes) -> bool:
    """Whether If-None-Match names this tag, which is with its quotes, on one of its lines. The
    comparison is the weak one; a tag may have commas in it."""
    if request.header(_CONDITION) is None:
        return False
    known = b",".join(value for name, value in request.headers if name == _CONDITION)
    return tag.removeprefix(b"W/")[1:-1] in _TAG.findall(known)
