"""Values between Lua and the server. Lua's texts are bytes; everything else of the program has
texts, so what is no UTF-8 survives in surrogates. Source: reference chapter 7, section 6.2."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from orthanc_fast.config_file import parse

# What Orthanc hands over as an integer; other numbers become floating point.
_LEAST: Final = -(1 << 31)
_GREATEST: Final = (1 << 32) - 1

MakeTable = Callable[[Mapping[Any, Any]], Any]


def text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def raw(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def lua_value(value: Any, table: MakeTable) -> Any:
    """What JSON becomes in Lua: lists begin with 1, null is nothing. `table` makes a table."""
    match value:
        case str():
            return raw(value)
        case bool() | None:
            return value
        case dict():
            return table({raw(key): lua_value(each, table) for key, each in value.items()})
        case list() | tuple():
            numbered = enumerate(value, 1)
            return table({number: lua_value(each, table) for number, each in numbered})
        case int() | float():
            return _number(value)
    raise TypeError(f"{type(value).__name__} cannot become a value of Lua")


def _number(value: int | float) -> int | float:
    if value == value // 1 and _LEAST <= value <= _GREATEST:
        return int(value)
    return float(value)


def parsed(json: bytes) -> Any:
    """What a text in JSON says, as leniently read as Orthanc does. Raises ValueError."""
    try:
        return parse(text(json))
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
