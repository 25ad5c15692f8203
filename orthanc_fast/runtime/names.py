"""Names of values, and what rings when they change."""

from collections.abc import Iterable

from orthanc_fast.errors import ParameterOutOfRange

LONGEST = 500  # bytes; LMDB takes 511


def encoded(name: str) -> bytes:
    """Raises ParameterOutOfRange for what cannot be a name."""
    raw = name.encode()
    if not 0 < len(raw) <= LONGEST:
        raise ParameterOutOfRange(f"A name of 1 to {LONGEST} bytes is expected, not {len(raw)}")
    return raw


def topics(changed: Iterable[str]) -> set[str]:
    """Each name, and the part of it in front of the first slash."""
    return {topic for name in changed for topic in (name, name.partition("/")[0])}
