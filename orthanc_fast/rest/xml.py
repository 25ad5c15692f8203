"""JSON answers as XML for clients that ask for it. Source: reference chapter 1, section 1.8.

What XML 1.0 does not allow in a name (section 2.3), as the digit with which the names of tags
begin, is written `_xHHHH_`, as SQL/XML does (ISO 9075-14, section 9.1); what it allows nowhere
(section 2.2) becomes U+FFFD.
"""

import asyncio
import re
from contextlib import aclosing
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from orthanc_fast.rest.response import JSON, PLAIN_JSON, Response

_LETTERS = "A-Za-z_\xc0-\xd6\xd8-\xf6\xf8-\xff"  # what every edition of XML allows, and no more
# At the beginning, anywhere, and what reads as if it had been written by these rules.
_NOT_IN_NAME = re.compile(rf"^[^{_LETTERS}]|[^{_LETTERS}0-9.-]|_(?=x[0-9A-F]{{4,6}}_)")
_NOWHERE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Bytes of JSON that are turned in the event loop itself, in a few milliseconds.
QUICK = 64 << 10

CONTENT_TYPE = (b"content-type", b"application/xml; charset=utf-8")


def is_wanted(accept: bytes) -> bool:
    """Whether one of the parts between semicolons is exactly application/xml."""
    return b"application/xml" in accept.split(b";")


async def convert(response: Response) -> None:
    """Turns a JSON answer into XML in place; leaves any other alone."""
    if response.kind not in (JSON, PLAIN_JSON):
        return
    if response.stream is not None:
        async with aclosing(response.stream) as stream:
            response.body = b"".join([chunk async for chunk in stream])
        response.stream = None
    if len(response.body) > QUICK:
        response.body = await asyncio.to_thread(_document, response.body)
    else:
        response.body = _document(response.body)
    response.length = len(response.body)
    response.kind = CONTENT_TYPE


def _document(json: bytes | bytearray) -> bytes:
    root = _element("root", msgspec.json.decode(json))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{root}\n'.encode()


def _element(name: str, value: Any) -> str:
    name = _NOT_IN_NAME.sub(_escaped, name) or "_"
    return f"<{name}>{_content(value)}</{name}>"


def _escaped(match: re.Match[str]) -> str:
    return f"_x{ord(match[0]):04X}_"


def _content(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(_element(key, value[key]) for key in sorted(value))
    if isinstance(value, list):
        return "".join(_element("item", member) for member in value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(_NOWHERE.sub("\ufffd", str(value)))
