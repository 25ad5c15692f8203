"""The attributes that change when pixels are encoded differently.

Sources: reference chapter 2, section 8.2; DICOM PS3.3 C.7.6.1.1.5 (lossy compression), C.7.6.3
(image pixel), C.9.2 (overlays), C.11.1 (modality LUT).
"""

import numpy as np

from orthanc_fast.dicom.editing import Editor
from orthanc_fast.errors import NotImplementedYet
from orthanc_fast.imaging.info import ImageInfo
from orthanc_fast.imaging.recode import Recoding, whole_cells
from orthanc_fast.numerals import BLANKS, decimal
from orthanc_fast.services.pixels.pixels import OpenImage

_IMAGE_TYPE = 0x00080008
_DERIVATION_DESCRIPTION = 0x00082111
_SOURCE_IMAGES = 0x00082112
_DERIVATION_CODES = 0x00089215
_LOSSY, _LOSSY_RATIO, _LOSSY_METHOD = 0x00282110, 0x00282112, 0x00282114
_PALETTE = (
    *(0x00281101, 0x00281102, 0x00281103, 0x00281199),
    *(0x00281201, 0x00281202, 0x00281203, 0x00281221, 0x00281222, 0x00281223),
)
_ROWS, _COLUMNS = 0x00280010, 0x00280011
_INTERCEPT, _SLOPE, _RESCALE_TYPE = 0x00281052, 0x00281053, 0x00281054
_MODALITY_LUT = 0x00283000
_FUNCTIONAL_GROUPS = (0x52009229, 0x52009230)
_SMALLEST, _LARGEST = 0x00280106, 0x00280107
# Of the series, and padding: US or SS as PixelRepresentation says.
_VALUES = (0x00280108, 0x00280109, 0x00280120, 0x00280121)
_MAX_ST = 1024


def check(editor: Editor, image: OpenImage, recoding: Recoding) -> None:
    """Raises NotImplementedYet where attributes cannot follow what happens to the pixels."""
    if recoding.offset and (
        _MODALITY_LUT in editor.rows or any(tag in editor.rows for tag in _FUNCTIONAL_GROUPS)
    ):
        raise NotImplementedYet(
            f"{recoding.syntax.name} has no negative values, and the image's way to physical "
            "values is no single slope and intercept"
        )
    if not recoding.keeps_cells:
        for group in _overlays_in_pixels(editor):
            size = editor.number(group | 0x0010), editor.number(group | 0x0011)
            if size != (image.info.rows, image.info.columns):
                raise NotImplementedYet("an overlay in the pixel data that is not of their size")


def describe_pixels(editor: Editor, info: ImageInfo, recoding: Recoding) -> None:
    """The image pixel module, of the size that the codestreams have."""
    if (info.rows, info.columns) != (editor.number(_ROWS), editor.number(_COLUMNS)):
        editor.set_number(_ROWS, info.rows)
        editor.set_number(_COLUMNS, info.columns)
    editor.set_number(0x00280002, recoding.samples_per_pixel)
    if recoding.photometric_interpretation:
        editor.set_text(0x00280004, "CS", recoding.photometric_interpretation)
    if recoding.samples_per_pixel > 1:
        editor.set_number(0x00280006, 0)
    else:
        editor.remove(0x00280006)
    editor.set_number(0x00280100, recoding.bits_allocated)
    editor.set_number(0x00280101, recoding.bits_stored)
    editor.set_number(0x00280102, recoding.high_bit)
    editor.set_number(0x00280103, int(recoding.is_signed))
    if info.is_palette and recoding.samples_per_pixel == 3:
        editor.remove(*_PALETTE)
    if recoding.offset:
        _shift(editor, recoding)


def _shift(editor: Editor, recoding: Recoding) -> None:
    """Stored values have become greater by an offset; physical values stay what they are."""
    slope = _decimal(editor, _SLOPE, 1.0)
    intercept = _decimal(editor, _INTERCEPT, 0.0)
    editor.set_text(_INTERCEPT, "DS", _as_decimal(intercept - recoding.offset * slope))
    if _SLOPE not in editor.rows:
        editor.set_text(_SLOPE, "DS", "1")
    if _RESCALE_TYPE not in editor.rows:
        editor.set_text(_RESCALE_TYPE, "LO", "US")
    for tag in _VALUES:
        value = editor.number(tag, signed=True)
        if value is not None:
            moved = min(max(value + recoding.offset, 0), 0xFFFF)
            editor.set_number(tag, moved)


def _decimal(editor: Editor, tag: int, default: float) -> float:
    text = editor.text(tag)
    if not text:
        return default
    value = decimal(text.split("\\")[0].strip(BLANKS))
    if value is None:
        raise NotImplementedYet(f"the rescale value {text[:64]!r} is no number")
    return value


def _as_decimal(value: float) -> str:
    """A DS: at most 16 characters."""
    text = f"{value:.10g}"
    return text if len(text) <= 16 else f"{value:.8e}"


def describe_derivation(editor: Editor, recoding: Recoding, quality: int, ratio: float) -> None:
    """What was lost, by what method, and from which image. `ratio` is uncompressed to compressed
    size."""
    number = f"{ratio:.5g}"
    if not recoding.is_lossy:
        if recoding.target.description:
            _add_description(editor, f"{recoding.target.description}, compression ratio {number}")
        return
    name = f"Lossy compression with {recoding.syntax.name}, quality {quality}"
    _add_description(editor, f"{name}, compression ratio {number}")
    old = (editor.raw(_IMAGE_TYPE) or b"").rstrip(b" \0").split(b"\\")[1:] or [b"SECONDARY"]
    editor.set(_IMAGE_TYPE, editor.write.element(_IMAGE_TYPE, "CS", b"\\".join([b"DERIVED", *old])))
    _add_source(editor)
    editor.append_item(_DERIVATION_CODES, _code(editor, "113040", "Lossy Compression"))
    editor.remove(_SMALLEST, _LARGEST)  # may be others now
    editor.set_text(_LOSSY, "CS", "01")
    editor.append_text(_LOSSY_RATIO, "DS", number)
    editor.append_text(_LOSSY_METHOD, "CS", recoding.target.method)


def _add_description(editor: Editor, text: str) -> None:
    """In front of what was there, which is kept whole or not at all: its characters may take
    several bytes."""
    new = text.encode("ascii")
    old = (editor.raw(_DERIVATION_DESCRIPTION) or b"").rstrip(b" \0")
    if old and len(new) + len(old) + 3 <= _MAX_ST:
        new += b" [" + old + b"]"
    editor.set(_DERIVATION_DESCRIPTION, editor.write.element(_DERIVATION_DESCRIPTION, "ST", new))


def _add_source(editor: Editor) -> None:
    write = editor.write
    purpose = _code(editor, "121320", "Uncompressed predecessor")
    item = b"".join(
        (
            write.element(0x00081150, "UI", (editor.raw(0x00080016) or b"").rstrip(b" \0")),
            write.element(0x00081155, "UI", (editor.raw(0x00080018) or b"").rstrip(b" \0")),
            write.sequence(0x0040A170, [purpose]),
        )
    )
    editor.append_item(_SOURCE_IMAGES, item)


def _code(editor: Editor, value: str, meaning: str) -> bytes:
    text = editor.write.text
    return b"".join(
        (
            text(0x00080100, "SH", value),
            text(0x00080102, "SH", "DCM"),
            text(0x00080104, "LO", meaning),
        )
    )


def _overlays_in_pixels(editor: Editor) -> list[int]:
    """The groups, as tags with element 0, of overlays in unused bits of the pixel data."""
    return [
        group
        for group in range(0x60000000, 0x60200000, 0x00020000)
        if editor.number(group | 0x0102) and (group | 0x3000) not in editor.rows
    ]


def move_overlays(editor: Editor, image: OpenImage, recoding: Recoding) -> None:
    """Overlays in bits that the target does not keep become overlays of their own."""
    if recoding.keeps_cells:
        return
    for group in _overlays_in_pixels(editor):
        position = editor.number(group | 0x0102) or 0
        planes = [
            (whole_cells(image, index) >> position & 1).astype(np.uint8).reshape(-1)
            for index in range(image.number_of_frames)
        ]
        bits = np.packbits(np.concatenate(planes), bitorder="little").tobytes()
        editor.set_number(group | 0x0100, 1)
        editor.set_number(group | 0x0102, 0)
        editor.set(group | 0x3000, editor.write.element(group | 0x3000, "OW", bits))
