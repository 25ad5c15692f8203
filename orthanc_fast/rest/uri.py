"""Paths and query strings as Orthanc reads them. Source: reference chapter 1, sections 1.1 (step
5) and 1.6."""

import re
from urllib.parse import unquote_plus, unquote_to_bytes

from orthanc_fast.errors import BadParameterType, ParameterOutOfRange

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")
_SYNTAX = "Syntax error in some user-supplied data"

TRUE = ("1", "true")
FALSE = ("0", "false")


def segments(raw_path: bytes) -> list[str]:
    """The components of a path: decoded first, then split; `..` goes up, empty ones do not
    count. As in Orthanc a `+` is a blank, a backslash a slash, and the path ends at a NUL."""
    # As text: Python 3.11 raises and forgets an exception whenever bytes are looked for in bytes.
    path = raw_path.decode("utf-8", "replace")
    if "%" in path or "+" in path or "\\" in path:
        path = _decoded_path(raw_path)
    found: list[str] = []
    for part in path.split("/"):
        if not part or part == ".":
            continue
        if part == "..":
            if found:
                found.pop()
        else:
            found.append(part)
    return found


def shown(raw_path: bytes) -> str:
    """The path as errors name it: decoded, and with the slash that it ends with."""
    is_folder = _decoded_path(raw_path).rpartition("/")[2] in ("", ".", "..")
    path = "".join(f"/{part}" for part in segments(raw_path))
    return f"{path}/" if is_folder else path


def _decoded_path(raw: bytes) -> str:
    plain = unquote_to_bytes(raw.replace(b"+", b" ")).partition(b"\0")[0]
    return plain.replace(b"\\", b"/").decode("utf-8", "replace")


def arguments(query: bytes) -> dict[str, str]:
    """The arguments of a query string; the whole string is decoded before it is split, and ends
    at a NUL."""
    return dict(pairs(query))


def pairs(query: bytes) -> list[tuple[str, str]]:
    """As `arguments`, for who takes one several times."""
    if not query:
        return []
    parts = (part.partition("=") for part in _decoded(query).split("&") if part)
    return [(name, value) for name, _, value in parts]


def first_argument(query: bytes, name: str) -> str:
    """The first value of an argument, "" without it."""
    for part in _decoded(query).split("&"):
        key, _, value = part.partition("=")
        if key == name:
            return value
    return ""


def _decoded(query: bytes) -> str:
    return unquote_plus(query.decode("latin-1")).partition("\0")[0]


def boolean(arguments: dict[str, str], name: str, default: bool = False) -> bool:
    """Absent: the default; without value: true. Raises ParameterOutOfRange."""
    value = arguments.get(name)
    if value is None:
        return default
    if value == "" or value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ParameterOutOfRange(
        f'Expected a Boolean for GET argument "{name}", found: {value} (give 0, 1, true or false)'
    )


def integer_argument(value: str, bits: int = 64) -> int:
    """A signed number. Raises BadParameterType, also for spaces and for what `bits` cannot hold."""
    number = int(value) if _INTEGER.fullmatch(value) else None
    if number is None or not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise BadParameterType(_SYNTAX)
    return number


def unsigned_argument(value: str, bits: int = 64) -> int:
    """An unsigned number; as in Orthanc a negative one counts from the upper end. Raises
    BadParameterType."""
    number = int(value) if _INTEGER.fullmatch(value) else None
    if number is None or abs(number) >= 1 << bits:
        raise BadParameterType(_SYNTAX)
    return number % (1 << bits)
