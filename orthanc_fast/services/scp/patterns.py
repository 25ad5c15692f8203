"""UIDs by pattern: `*` is any text and `?` any character; nothing else means anything but itself,
as in Orthanc."""

import re
from collections.abc import Iterable, Iterator


def has_wildcards(pattern: str) -> bool:
    """Whether it may match more than itself."""
    return "*" in pattern or "?" in pattern


def matching(pattern: str, known: Iterable[str]) -> Iterator[str]:
    """Those of the known UIDs that match, in their order."""
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    matches = re.compile(text, re.DOTALL).fullmatch
    return (uid for uid in known if matches(uid))
