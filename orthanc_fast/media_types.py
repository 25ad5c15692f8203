"""Media types: what a client accepts by the header `Accept` and the argument `accept`, and what a
body is by its `Content-Type`.

Source: RFC 9110, section 12.5.1; PS3.18, section 8.7; reference chapter 5, sections 3.1 and 5.2.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from orthanc_fast.errors import BadRequest

T = TypeVar("T")

_QUALITY: Final = re.compile(r"\+?(\d+\.?\d*|\.\d+)", re.ASCII)
_PARAMETER: Final = re.compile(r';\s*([^\s=;,"]*)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^;,"]*))?')
_TYPE: Final = re.compile(r'[\s,]*([^;,"]*)')
_CACHED = 1024  # bytes of a header that is worth remembering
_SHOWN = 200  # characters of a header in an error


class MediaRange(NamedTuple):
    """One element of such a list. `type` and the names of `parameters` are in lower case, values
    without quotes; `quality` is from 0 to 1."""

    type: str
    parameters: dict[str, str]
    quality: float = 1.0

    @property
    def specificity(self) -> int:
        if self.type == "*/*":
            return 0
        return 1 if self.type.endswith("/*") else 2 + bool(self.parameters)

    @property
    def part_type(self) -> str:
        """The parameter `type` of multipart/related, in lower case without parameters of its own;
        "" where there is none."""
        return self.parameters.get("type", "").partition(";")[0].strip().lower()

    @property
    def transfer_syntax(self) -> str:
        """The parameter of this name, wherever clients put it: behind the media type, or inside the
        quotes of that of the parts; "" where there is none."""
        found = self.parameters.get("transfer-syntax", "")
        for each in self.parameters.get("type", "").split(";")[1:]:
            name, _, value = each.partition("=")
            if name.strip().lower() == "transfer-syntax":
                found = found or value.strip().strip('"')
        return found


ANYTHING: Final = MediaRange("*/*", {})


def content_type(header: bytes) -> MediaRange:
    """The header `Content-Type`: of a parameter that is there twice the last one counts. What is
    none has the type ""."""
    text = header.decode("latin-1")
    match = _TYPE.match(text)
    assert match is not None  # it matches the empty text too
    found = MediaRange(match[1].strip().lower(), {})
    at = match.end()
    while (match := _PARAMETER.match(text, at)) is not None:
        if match[1]:
            found.parameters[match[1].lower()] = _value(match[2] or "")
        at = match.end()
    return found


def accepted(header: bytes | None, argument: str | None = None) -> tuple[MediaRange, ...]:
    """The ranges in the order of preference: those of the argument first, then by quality, then
    the more specific ones, then as they stand; without a header and argument, anything. Ranges of
    quality 0 are left out. Raises BadRequest for a quality that is none."""
    found: tuple[MediaRange, ...] = ()
    if argument:
        found = _ranges(argument.replace(" ", "+") if ";" not in argument else argument)
    if header is not None:
        text = header.decode("latin-1")
        found += _remembered(text) if len(text) <= _CACHED else _ranges(text)
    elif not argument:
        found = (ANYTHING,)
    return found


def chosen(
    ranges: Iterable[MediaRange], answer: Callable[[MediaRange], T | None], offered: str
) -> T:
    """What `answer` makes of the first range that it can serve. Raises BadRequest with the status
    406, which names what is `offered`."""
    for each in ranges:
        found = answer(each)
        if found is not None:
            return found
    raise not_acceptable(offered)


def not_acceptable(offered: str) -> BadRequest:
    """The error for a client that accepts nothing of what there is."""
    return BadRequest(
        f"Nothing that the client accepts can be sent: ask for {offered}", http_status=406
    )


def _ranges(text: str) -> tuple[MediaRange, ...]:
    found: list[MediaRange] = []
    at = 0
    while at < len(text):
        match = _TYPE.match(text, at)
        assert match is not None  # it matches the empty text too
        name = match[1].strip().lower()
        at = match.end()
        parameters: dict[str, str] = {}
        while (match := _PARAMETER.match(text, at)) is not None:
            if match[1]:
                parameters[match[1].lower()] = _value(match[2] or "")
            at = match.end()
        quality = _quality(parameters.pop("q", None))
        if name and quality > 0:
            found.append(MediaRange(name, parameters, quality))
        if at < len(text) and text[at] != ",":
            at = _next(text, at)
    found.sort(key=lambda each: (-each.quality, -each.specificity))
    return tuple(found)


_remembered = lru_cache(256)(_ranges)


def _next(text: str, at: int) -> int:
    """Behind what cannot be read: the next comma."""
    comma = text.find(",", at)
    return len(text) if comma < 0 else comma


def _value(text: str) -> str:
    text = text.strip()
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[:1] == '"' else text


def _quality(text: str | None) -> float:
    if text is None:
        return 1.0
    if not _QUALITY.fullmatch(text) or not 0 <= float(text) <= 1:
        raise BadRequest(f"Accept: q must be a number from 0 to 1, not {text[:_SHOWN]!r}")
    return float(text)
