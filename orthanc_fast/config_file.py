"""Orthanc's configuration files: JSON with comments and trailing commas, and `${}` substitution.

Source: reference chapter 1, section 11.1. The lenient JSON is also what request bodies are
parsed with (section 1.7).
"""

import codecs
import os
import re
from collections.abc import Mapping
from typing import Any

import msgspec

_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_]+)(?::-([^}]*))?\}")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/|[\[\]{},]|[^\s"/\[\]{},]+|/', re.DOTALL)


_CONTROL = re.compile(r"[\x00-\x1f]")
TOO_DEEP = "the JSON is nested too deeply"


UTF_8 = "UTF-8"
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(data: bytes) -> tuple[str, str]:
    """The text of a configuration file and its character set. Old editors write what is not
    UTF-8: UTF-16 with a byte order mark, or the character set of Western Europe; every byte is a
    character there. Raises UnicodeDecodeError for damaged UTF-16."""
    if data.startswith(_UTF_16_MARKS):
        return data.decode("utf-16"), "UTF-16"
    try:
        return data.decode("utf-8-sig"), UTF_8
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "Latin-1"


def substitute(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Replaces `${NAME}` and `${NAME:-default}`; a default may be quoted; unset without one:
    empty."""

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if name in environment or default is None:
            return environment.get(name, "")
        if len(default) >= 2 and default[0] == default[-1] and default[0] in "\"'":
            return default[1:-1]
        return str(default)

    return _VARIABLE.sub(value, text)


def parse(text: str | bytes) -> Any:
    """Lenient JSON: a byte order mark, comments, trailing commas and what follows the closing
    bracket are ignored, texts may hold control characters, of duplicate keys the last counts.
    Raises ValueError."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    try:
        return msgspec.json.decode(_plain(text.removeprefix("\ufeff")))
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


def _plain(text: str) -> str:
    """The text without comments and trailing commas, up to the end of its first value."""
    kept: list[str] = []
    depth = 0
    for token in _TOKEN.findall(text):
        if token.startswith(("//", "/*")):
            continue
        if token in ("]", "}"):
            if kept and kept[-1] == ",":
                kept.pop()
            depth -= 1
        elif token in ("[", "{"):
            depth += 1
        kept.append(_CONTROL.sub(_escaped, token) if token[0] == '"' else token)
        if depth <= 0:
            break
    return " ".join(kept)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
