"""JSON answers as XML for clients that ask for it. Source: reference chapter 1, section 1.8."""

from contextlib import aclosing
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from orthanc_fast.rest.response import JSON, PLAIN_JSON, Response

CONTENT_TYPE = (b"content-type", b"application/xml; charset=utf-8")


def is_wanted(accept: bytes) -> bool:
    """Whether one of the parts between semicolons is exactly application/xml."""
    return b"application/xml" in accept and any(
        part == b"application/xml" for part in accept.split(b";")
    )


async def convert(response: Response) -> None:
    """Turns a JSON answer into XML in place; leaves any other alone."""
    if response.kind not in (JSON, PLAIN_JSON):
        return
    if response.stream is not None:
        async with aclosing(response.stream) as stream:
            response.body = b"".join([chunk async for chunk in stream])
        response.stream = None
    value = msgspec.json.decode(response.body)
    response.body = f'<?xml version="1.0" encoding="utf-8"?>\n{_element("root", value)}\n'.encode()
    response.length = len(response.body)
    response.kind = CONTENT_TYPE


def _element(name: str, value: Any) -> str:
    return f"<{name}>{_content(value)}</{name}>"


def _content(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(_element(key, value[key]) for key in sorted(value))
    if isinstance(value, list):
        return "".join(_element("item", member) for member in value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(str(value))
