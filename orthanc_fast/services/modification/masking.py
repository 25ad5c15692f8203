"""Pixels of a DICOM file blanked: native ones in a copy, compressed ones by decoding and storing
them without loss.

Sources: DICOM PS3.15 section E.3.1 (Clean Pixel Data Option), PS3.3 C.7.6.1.
"""

from typing import Final

import numpy as np

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.editing import Editor, Row
from orthanc_fast.dicom.file_meta import meta_header
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import NotImplementedYet, ParameterOutOfRange
from orthanc_fast.imaging.blank import Region, blank
from orthanc_fast.imaging.info import ImageInfo
from orthanc_fast.services.modification.masks import Masks, regions_of
from orthanc_fast.services.modification.recorded import CLEAN_PIXEL_DATA, METHOD_CODES, code_item
from orthanc_fast.services.pixels.pixels import open_image
from orthanc_fast.services.transcoding.transcode import SOP_CLASS, SOP_INSTANCE, transcode
from orthanc_fast.transfer_syntaxes import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    JPEG_LS_NEAR_LOSSLESS,
    RLE,
    SYNTAXES,
)

PIXELS: Final = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_SHORT_OF_BYTES: Final = {0x4F42: "OB", 0x4F57: "OW", 0x4F46: "OF", 0x4F44: "OD", 0x554E: "UN"}
_IN_PLACE: Final = frozenset({EXPLICIT_LITTLE, IMPLICIT_LITTLE})
_LOSSLESS_OF: Final = {JPEG_2000: JPEG_2000_LOSSLESS, JPEG_LS_NEAR_LOSSLESS: JPEG_LS_LOSSLESS}
_QUALITY: Final = 100  # of no effect: nothing is lost


class Masking:
    """The rectangles of one request."""

    def __init__(self, masks: Masks, dictionary: Dictionary) -> None:
        self._masks = masks
        self._dictionary = dictionary

    def applies(self, file: Buffer) -> bool:
        """Whether pixels of this file are to be blanked. Raises BadFileFormat for what is no DICOM
        file."""
        editor = Editor(file, True, False, self._dictionary)
        return _pixels(editor) is not None and bool(self._regions(editor))

    def masked(self, file: Buffer) -> bytes:
        """The file with its pixels blanked, compressed as it was where that can be done without
        loss. Raises ParameterOutOfRange for a rectangle that lies outside of the image,
        NotImplementedYet for pixels that cannot be decoded, BadFileFormat."""
        editor = Editor(file, True, False, self._dictionary)
        regions = self._regions(editor)
        syntax = editor.source.known_syntax or EXPLICIT_LITTLE
        if syntax in _IN_PLACE:
            return self._blanked(file, regions, syntax)
        native = transcode(file, EXPLICIT_LITTLE, _QUALITY, self._dictionary, may_lose=False).data
        return self._encoded(self._blanked(native, regions, EXPLICIT_LITTLE), syntax)

    def _regions(self, editor: Editor) -> list[Region]:
        return regions_of(self._masks, editor.text, editor.number)

    def _blanked(self, file: Buffer, regions: list[Region], syntax: str) -> bytes:
        editor = Editor(file, syntax != IMPLICIT_LITTLE, False, self._dictionary)
        row = _pixels(editor)
        assert row is not None  # `applies` has seen them
        _, vr, _, begin, length, _ = row
        value = np.array(np.frombuffer(editor.source.data, np.uint8, length, begin))
        with open_image(file, None, syntax, opened_file=editor.source) as image:
            _check(image.info, regions)
            blank(value, image.info, regions, image.darkest_index())
        sop_class, sop = (_uid(editor, tag) for tag in (SOP_CLASS, SOP_INSTANCE))
        name = _SHORT_OF_BYTES.get(vr, "OW")
        editor.append_item(METHOD_CODES, code_item(editor.write, CLEAN_PIXEL_DATA))
        return b"".join(
            (
                meta_header(sop_class, sop, syntax),
                editor.head(row, False),
                editor.write.header(row[0], name, len(value)),
                value.tobytes(),
                editor.tail(row),
            )
        )

    def _encoded(self, native: bytes, syntax: str) -> bytes:
        for uid in _targets(syntax):
            try:
                return transcode(
                    native, uid, _QUALITY, self._dictionary, may_lose=False, keeps_identity=True
                ).data
            except NotImplementedYet:
                continue  # more bits than it holds, or whatever else it cannot do
        return native


def _targets(syntax: str) -> list[str]:
    """From the one that is most like the source."""
    row = SYNTAXES[syntax]
    if row.is_encapsulated and row.is_lossy:
        first = _LOSSLESS_OF.get(syntax, JPEG_LOSSLESS_SV1)
        return [first, JPEG_2000_LOSSLESS, RLE]
    return [syntax, RLE] if row.is_encapsulated else [syntax]


def _pixels(editor: Editor) -> Row | None:
    return next((editor.rows[tag] for tag in PIXELS if tag in editor.rows), None)


def _uid(editor: Editor, tag: int) -> bytes:
    return (editor.raw(tag) or b"").rstrip(b" \0")


def _check(info: ImageInfo, regions: list[Region]) -> None:
    for x1, y1, x2, y2 in regions:
        if x1 >= info.columns or y1 >= info.rows:
            raise ParameterOutOfRange(
                f"Region of MaskPixels lies outside of the image of {info.columns} x {info.rows} "
                f"pixels: {[x1, y1, x2, y2]}"
            )
