"""What clients want to be asked of other servers. Source: reference chapter 5, section 11.2."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from orthanc_fast.errors import BadFileFormat

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# They say where the message ends, and are ours to say.
_FRAMING: Final = frozenset({"connection", "content-length", "transfer-encoding", "te", "upgrade"})


class Question(msgspec.Struct, frozen=True):
    """An address below that of the server, its arguments, and headers."""

    uri: str
    arguments: dict[str, str]
    headers: dict[str, str]


def texts(body: Mapping[str, Any], field: str) -> dict[str, str]:
    """A field that is an object of texts; without it there are none. Raises BadFileFormat, also
    where a name or text is no header in `HttpHeaders`."""
    found = body.get(field, {})
    if not isinstance(found, dict):
        raise BadFileFormat("The JSON object is not a JSON associative array as expected")
    for name, value in found.items():
        if not isinstance(value, str):
            raise BadFileFormat(
                f'Value "{name}" in the associative array is not a string as expected'
            )
        if field == "HttpHeaders":
            _check_header(name, value)
    return found


def _check_header(name: str, value: str) -> None:
    if not _HEADER_NAME.fullmatch(name) or _CONTROLS.search(value):
        raise BadFileFormat(f"HttpHeaders: this is no header of HTTP: {name}")
    if name.lower() in _FRAMING:
        raise BadFileFormat(f"HttpHeaders: {name} cannot be given")
