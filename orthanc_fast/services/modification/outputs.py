"""What clients see of what a job has made. Source: reference chapter 3, section 3.9."""

from collections.abc import Sequence

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.model import Level
from orthanc_fast.services.browse.describe import NAMES, PLURALS
from orthanc_fast.services.modification.sources import Publics


def output(level: Level, public: bytes) -> dict[str, str]:
    """One resource."""
    text = to_text(public)
    return {"ID": text, "Path": f"/{PLURALS[level]}/{text}", "Type": NAMES[level]}


def outputs(stored: Sequence[Publics]) -> list[dict[str, str]]:
    """All that the new instances belong to: instances first, by identifier."""
    return [
        output(level, public)
        for level in reversed(Level)
        for public in sorted({publics[level] for publics in stored})
    ]
