"""How queries are logged: without what would tell of a patient. Source: reference chapter 3,
section 3.3.6."""

from collections.abc import Iterator, Mapping
from typing import Final

from orthanc_fast.dicom.dictionary import Dictionary, tag_text
from orthanc_fast.services.find.facts import FileElement
from orthanc_fast.services.modification.profiles import Profile

HIDDEN: Final = "*** POTENTIAL PHI ***"

_IDENTIFYING = frozenset({0x00100010, 0x00100020, 0x0020000D, 0x0020000E, 0x00080018})


def lines(
    elements: Mapping[int, FileElement], dictionary: Dictionary, hidden: Profile | None
) -> Iterator[str]:
    """A line for each element."""
    for tag, element in sorted(elements.items()):
        head = f"  ({tag_text(tag)})  {dictionary.name(tag)}"
        if element.Type == "Sequence":
            yield f"{head} : sequence tag whose content will be copied"
            continue
        text = element.text or ""
        hides = text and hidden is not None and _alters(hidden, tag)
        yield f"{head} = {HIDDEN if hides else text}"


def _alters(profile: Profile, tag: int) -> bool:
    return (
        tag >> 16 & 1 == 1
        or tag in _IDENTIFYING
        or tag in profile.removed
        or tag in profile.cleared
        or tag in profile.uids
        or any(tag & mask == value for mask, value in profile.ranges)
    )
