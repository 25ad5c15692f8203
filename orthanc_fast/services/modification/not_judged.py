"""What an anonymization leaves in a file without knowing what it says: people have to look at it.

Source: DICOM PS3.15 section E.1 (what conformance does not promise).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from orthanc_fast.dicom.edits import Action, Change

PRIVATE: Final = "PrivateElements"
UNKNOWN: Final = "UnknownElements"
DOCUMENT: Final = "EncapsulatedDocument"
REPORT: Final = "StructuredReportText"
PIXELS: Final = "BurnedInAnnotation"
SHORT: Final = "ShortIdentifiers"
REQUEST: Final = "KeptByRequest"

REASONS: Final = {
    PRIVATE: "private elements are kept",
    UNKNOWN: "elements of unknown VR are kept",
    DOCUMENT: "an encapsulated document is kept",
    REPORT: "the text of a structured report is kept",
    PIXELS: "the pixels may show names",
    SHORT: "identifying values are too short to be looked for in texts",
    REQUEST: "the request keeps what the profile would remove",
}

_SOP_CLASS, _MODALITY, _BURNED_IN = 0x00080016, 0x00080060, 0x00280301
_DOCUMENT, _TEXT_VALUE, _PIXEL_DATA = 0x00420011, 0x0040A160, 0x7FE00010
_SECONDARY_CAPTURE = b"1.2.840.10008.5.1.4.1.1.7"
# Whose pictures have names in them as a rule, or are made of paper or screens.
_WITH_TEXT = frozenset(b"DOC ES GM IVUS OP OT RF SC US XA XC".split())


def judge(changes: Sequence[Change], is_masked: bool) -> set[str]:
    """The reasons that hold for one file."""
    kept = [each for each in changes if each.action in (None, Action.KEEP, Action.MAP)]
    found: set[str] = set()
    for change in kept:
        tag = change.path.tag
        if tag >> 16 & 1:
            if tag & 0xFFFF >= 0x1000:
                found.add(PRIVATE)
        elif change.vr == "UN":
            found.add(UNKNOWN)
        elif tag == _DOCUMENT:
            found.add(DOCUMENT)
        elif tag == _TEXT_VALUE and change.path.parents:
            found.add(REPORT)
        if change.action is Action.KEEP:
            found.add(REQUEST)
    if not is_masked and _may_show_names(kept):
        found.add(PIXELS)
    return found


def _may_show_names(kept: Iterable[Change]) -> bool:
    root = {each.path.tag: (each.old or b"").strip(b" \0") for each in kept if each.path.is_root}
    if _PIXEL_DATA not in root or root.get(_BURNED_IN) == b"NO":
        return False
    if root.get(_BURNED_IN) == b"YES" or root.get(_MODALITY) in _WITH_TEXT:
        return True
    return root.get(_SOP_CLASS, b"").startswith(_SECONDARY_CAPTURE)


def told(counts: Mapping[str, int]) -> list[dict[str, str | int]]:
    """The reasons as clients get them, each with the number of instances for which it holds."""
    return [
        {"Reason": name, "Details": REASONS[name], "Instances": counts[name]}
        for name in sorted(counts)
    ]
