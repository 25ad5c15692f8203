"""Data sets through `_ext.rewrite`, and what must hold for all that it writes."""

from typing import NamedTuple

from orthanc_fast._ext.rewrite import rewrite
from orthanc_fast._ext.scan import elements
from orthanc_fast.dicom.dictionary import Dictionary

_DICTIONARY = Dictionary()


class Form(NamedTuple):
    """How a data set is encoded."""

    explicit: bool
    big: bool = False


IMPLICIT = Form(False)
EXPLICIT = Form(True)


def rewritten(
    data: bytes,
    source: Form,
    target: Form,
    edits: list[tuple[int, bytes]] | None = None,
    nested_pixels: bool = False,
) -> bytes:
    """`data`, all of it in the form `source`, in the form `target`."""
    edits = edits or []
    return rewrite(data, 0, len(data), *source, *target, _DICTIONARY, edits, nested_pixels)


def check_lengths(data: bytes, form: Form) -> None:
    """Values have even lengths, and group lengths tell where the group ends, or where the next
    group length of the same group begins."""
    rows = elements(data, 0, len(data), *form)
    assert (rows[-1][5] if rows else 0) == len(data)
    for number, (tag, _, _, value, length, end) in enumerate(rows):
        assert length % 2 == 0 or length == -1
        if tag & 0xFFFF or length != 4:
            continue
        part_end = end
        for other in rows[number + 1 :]:
            if other[0] >> 16 != tag >> 16 or (other[0] == tag and other[4] == 4):
                break
            part_end = other[5]
        written = int.from_bytes(data[value:end], "big" if form.big else "little")
        assert written == part_end - end
