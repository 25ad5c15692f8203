"""The checks of what scripts give to functions: positional, of the right number and types. Source:
reference chapter 7, sections 1 and 3."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from orthanc_fast.errors import OrthancError
from orthanc_fast.scripting.python.exceptions import of_error

P = ParamSpec("P")
T = TypeVar("T")

_BUFFERS = (bytes, bytearray)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    if not value.isascii():
        value.encode()  # raises UnicodeError for half a character, which no client can be sent
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)):
        raise TypeError
    return float(value)


def as_buffer(value: Any) -> bytes:
    """Raises TypeError for what is neither bytes nor a text nor None."""
    if isinstance(value, _BUFFERS):
        return bytes(value)
    if value is None:
        return b""
    return _text(value).encode()


def _anything(value: Any) -> Any:
    return value


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "s": _text,
    "i": _integer,
    "f": _number,
    "b": as_buffer,
    "o": _anything,
}


def takes(kinds: str = "") -> Callable[[Callable[..., T]], Callable[..., T]]:
    """For a method that scripts call: `kinds` has a letter for each argument: a text, an integer,
    a number (f), a buffer (bytes, text or None) or any object.

    Raises TypeError as Orthanc's plugin does, and turns errors of the server into OrthancException.
    """
    readers = [_READERS[kind] for kind in kinds]
    count = len(readers)
    refusal = f"Bad types for the arguments ({count} arguments expected)"

    def decorate(method: Callable[..., T]) -> Callable[..., T]:
        @wraps(method)
        def checked(self: Any, *given: Any) -> T:
            if len(given) != count:
                raise TypeError(refusal)
            try:
                values = [read(value) for read, value in zip(readers, given, strict=True)]
            except (TypeError, UnicodeError):
                raise TypeError(refusal) from None
            try:
                return method(self, *values)
            except OrthancError as error:
                raise of_error(error) from error

        checked.is_offered_to_scripts = True  # type: ignore[attr-defined]
        return checked

    return decorate


def offered(group: object) -> dict[str, Callable[..., Any]]:
    """The methods of an object that scripts may call, by name."""
    found = {}
    for name in dir(type(group)):
        is_registration = name.startswith("Register")
        if is_registration or getattr(getattr(type(group), name), "is_offered_to_scripts", False):
            found[name] = getattr(group, name)
    return found
