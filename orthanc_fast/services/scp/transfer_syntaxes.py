"""Transfer syntaxes of the SCP: what is accepted, and which one is chosen.
Source: reference chapter 4, section 1.4."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

_BASE = "1.2.840.10008.1.2"

IMPLICIT_LITTLE = _BASE
EXPLICIT_LITTLE = f"{_BASE}.1"
DEFLATED = f"{_BASE}.1.99"
EXPLICIT_BIG = f"{_BASE}.2"

# In the order of `GET /tools/accepted-transfer-syntaxes`.
KNOWN: tuple[str, ...] = (
    IMPLICIT_LITTLE,
    EXPLICIT_LITTLE,
    DEFLATED,
    EXPLICIT_BIG,
    *(f"{_BASE}.4.{number}" for number in range(50, 67)),
    f"{_BASE}.4.70",
    f"{_BASE}.4.80",
    f"{_BASE}.4.81",
    *(f"{_BASE}.4.{number}" for number in range(90, 96)),
    *(f"{_BASE}.4.{number}" for number in range(100, 109)),
    f"{_BASE}.5",
    f"{_BASE}.6.1",
    f"{_BASE}.6.2",
    *(f"{_BASE}.4.{number}" for number in range(110, 113)),
    *(f"{_BASE}.4.{number}" for number in range(201, 204)),
)

# RFC 2557 MIME and XML: listed as accepted, but no way to encode images.
_NEVER_NEGOTIATED = frozenset({f"{_BASE}.6.1", f"{_BASE}.6.2"})

GROUPS: dict[str, frozenset[str]] = {
    "Deflated": frozenset({DEFLATED}),
    "Jpeg": frozenset([*(f"{_BASE}.4.{n}" for n in range(50, 67)), f"{_BASE}.4.70"]),
    "JpegLossless": frozenset({f"{_BASE}.4.80", f"{_BASE}.4.81"}),  # JPEG-LS, despite the name
    "Jpeg2000": frozenset(f"{_BASE}.4.{n}" for n in range(90, 94)),
    "Jpip": frozenset({f"{_BASE}.4.94", f"{_BASE}.4.95"}),
    "Mpeg2": frozenset({f"{_BASE}.4.100", f"{_BASE}.4.101"}),
    "Mpeg4": frozenset(f"{_BASE}.4.{n}" for n in range(102, 107)),
    "H265": frozenset({f"{_BASE}.4.107", f"{_BASE}.4.108"}),
    "Rle": frozenset({f"{_BASE}.5"}),
}

PREFERENCE = (EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE)


def expand(patterns: Iterable[str]) -> frozenset[str]:
    """The known syntaxes that match (`*` and `?`); what matches nothing is ignored."""
    return frozenset(uid for pattern in patterns for uid in KNOWN if fnmatchcase(uid, pattern))


def accepted(patterns: Sequence[str] | None, groups: Mapping[str, bool]) -> frozenset[str]:
    """The accepted syntaxes: all or those of the patterns, then groups added and removed."""
    found = set(KNOWN if patterns is None else expand(patterns))
    for group, wanted in groups.items():
        if wanted:
            found |= GROUPS[group]
        else:
            found -= GROUPS[group]
    return frozenset(found)


def negotiable(syntaxes: frozenset[str]) -> frozenset[str]:
    """Those that may be agreed upon in an association."""
    return syntaxes - _NEVER_NEGOTIATED


def first_proposed(proposed: Sequence[str], syntaxes: frozenset[str]) -> str | None:
    """Storage classes: the requestor's order decides."""
    return next((uid for uid in proposed if uid in syntaxes), None)


def preferred(proposed: Sequence[str]) -> str | None:
    """All other classes: our order decides, little endian explicit first."""
    return next((uid for uid in PREFERENCE if uid in proposed), None)


def is_explicit(uid: str) -> bool:
    return uid != IMPLICIT_LITTLE


def is_big(uid: str) -> bool:
    return uid == EXPLICIT_BIG
