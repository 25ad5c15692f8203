"""Transfer syntaxes of the SCP: what is accepted, and which one is chosen.
Source: reference chapter 4, section 1.4."""

from collections.abc import Iterable, Mapping, Sequence

from orthanc_fast.services.scp.patterns import matching
from orthanc_fast.transfer_syntaxes import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    SYNTAXES,
)

# In the order of `GET /tools/accepted-transfer-syntaxes`.
KNOWN: tuple[str, ...] = tuple(SYNTAXES)

GROUPS: dict[str, frozenset[str]] = {
    group: frozenset(uid for uid, syntax in SYNTAXES.items() if syntax.group == group)
    for group in dict.fromkeys(syntax.group for syntax in SYNTAXES.values())
    if group
}

PREFERENCE = (EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE)


def expand(patterns: Iterable[str]) -> frozenset[str]:
    """The known syntaxes that match (`*` and `?`); what matches nothing is ignored."""
    return frozenset(uid for pattern in patterns for uid in matching(pattern, KNOWN))


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
    """Those that may be agreed upon in an association: that encode images."""
    return frozenset(uid for uid in syntaxes if SYNTAXES[uid].is_image)


def first_proposed(proposed: Sequence[str], syntaxes: frozenset[str]) -> str | None:
    """Storage classes: the requestor's order decides."""
    return next((uid for uid in proposed if uid in syntaxes), None)


def preferred(proposed: Sequence[str]) -> str | None:
    """All other classes: our order decides, little endian explicit first."""
    return next((uid for uid in PREFERENCE if uid in proposed), None)
