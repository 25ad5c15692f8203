"""study.json and series.json in the folders by UID. Source: the running server."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from orthanc_fast.services.browse.describe import Answer

_NEW_LINE = "\r\n"


def document(answer: Answer) -> bytes:
    """What a resource shows, written as Orthanc writes files: sorted, indented by tabs, with line
    ends of Windows, nothing but ASCII."""
    value = msgspec.json.decode(msgspec.json.encode(answer))
    return ("".join(_written(value, "")) + _NEW_LINE).encode("ascii")


def _written(value: Any, indent: str) -> Iterator[str]:
    if not value or not isinstance(value, dict | list):
        yield json.dumps(value)
        return
    deeper = f"{indent}\t"
    is_object = isinstance(value, dict)
    yield "{" if is_object else "["
    for number, member in enumerate(sorted(value) if is_object else value):
        yield f"{',' if number else ''}{_NEW_LINE}{deeper}"
        if is_object:
            yield f"{json.dumps(member)} : "
            member = value[member]
            if member and isinstance(member, dict | list):
                yield f"{_NEW_LINE}{deeper}"
        yield from _written(member, deeper)
    yield f"{_NEW_LINE}{indent}{'}' if is_object else ']'}"
