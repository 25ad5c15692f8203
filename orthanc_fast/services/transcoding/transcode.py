"""One DICOM file into another transfer syntax: the one entry for downloads, ingest, networking,
modification and archives.

Sources: reference chapter 2, section 8.2; DICOM PS3.5 sections 7, 8 and Annex A; PS3.3 C.7.6.1.1.5
(lossy compression).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import xxhash
from isal import isal_zlib

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.editing import Editor, Row
from orthanc_fast.dicom.file_meta import meta_header
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import (
    BadFileFormat,
    BadParameterType,
    NotImplementedYet,
    ParameterOutOfRange,
)
from orthanc_fast.imaging.encapsulate import Encapsulated, encapsulate
from orthanc_fast.imaging.recode import Recoding, Wider, can_encode, plan, recode
from orthanc_fast.services.pixels.pixels import OpenImage, open_image
from orthanc_fast.services.transcoding import attributes
from orthanc_fast.transfer_syntaxes import SYNTAXES, TransferSyntax

SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_PIXEL_DATA = 0x7FE00010
_GROUP_LENGTH = 0x7FE00000
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002
_SHORT_OF_BYTES = {0x4F42: "OB", 0x4F57: "OW", 0x4F46: "OF", 0x4F44: "OD"}
_MAX_LENGTH = 0xFFFFFFFE


class Transcoded(msgspec.Struct, frozen=True, gc=False):
    """The new file. `is_lossy` tells that pixels changed and `sop_instance_uid` is a new one."""

    data: bytes
    sop_instance_uid: str
    is_lossy: bool


def check_syntax(uid: str) -> TransferSyntax:
    """Raises ParameterOutOfRange for a UID that no transfer syntax has."""
    if uid not in SYNTAXES:
        raise ParameterOutOfRange(f"Unknown transfer syntax: {uid}")
    return SYNTAXES[uid]


def quality_field(body: Mapping[str, Any], default: int) -> int:
    """`LossyQuality` of a JSON body, 0 or more. Raises BadFileFormat, BadParameterType."""
    quality = body.get("LossyQuality", default)
    if not isinstance(quality, int) or isinstance(quality, bool):
        raise BadFileFormat("Integer value expected in field: LossyQuality")
    if quality < 0:
        raise BadParameterType(
            "Negative value found while expecting an unsigned int in field 'LossyQuality'"
        )
    return quality


def transcode(
    file: Buffer,
    uid: str,
    quality: int,
    dictionary: Dictionary,
    may_lose: bool = True,
    keeps_identity: bool = False,
) -> Transcoded:
    """The DICOM file `file` in the transfer syntax `uid`.

    `quality`, 1 to 100, is that of lossy targets, which are refused unless `may_lose`. Compressed
    pixel data that are in the target already are kept as they are. The new SOPInstanceUID of a
    lossy result follows from the file, the target and the quality, unless it `keeps_identity`.

    Works on the calling thread, mostly without the GIL. Raises ParameterOutOfRange for an unknown
    UID, NotImplementedYet where there is no way, BadFileFormat for damaged files.
    """
    syntax = check_syntax(uid)
    editor = Editor(file, not syntax.is_implicit, syntax.is_big_endian, dictionary)
    pixels = next((editor.rows[tag] for tag in _PIXELS if tag in editor.rows), None)
    source = editor.source.known_syntax
    recoding: Recoding | None = None
    is_kept = source == uid and syntax.is_encapsulated
    value: Iterable[Buffer] = ()
    if pixels is None:
        if not is_kept and not can_encode(syntax):
            raise NotImplementedYet(f"no file can be transcoded to {syntax.name}")
    elif is_kept:
        value = [memoryview(editor.source.data)[pixels[2] : pixels[5]]]
    elif not syntax.is_encapsulated and pixels[4] >= 0:
        editor.remove(_GROUP_LENGTH)
        value = _native_copy(editor, pixels)
    else:
        editor.remove(_GROUP_LENGTH, _OFFSETS, _LENGTHS)
        with open_image(file, None, source, opened_file=editor.source) as image:
            try:
                recoding = _planned(image, uid, may_lose)
                value = _recoded(editor, image, recoding, quality)
            except Wider:
                image.widen()
                recoding = _planned(image, uid, may_lose)
                value = _recoded(editor, image, recoding, quality)
    sop = editor.text(SOP_INSTANCE) or ""
    is_lossy = recoding is not None and recoding.is_lossy
    if is_lossy and not keeps_identity:
        sop = _new_uid(file, uid, quality)
        editor.set_text(SOP_INSTANCE, "UI", sop)
    parts: list[Buffer] = [editor.head(pixels, is_kept), *value]
    if pixels is not None:
        parts.append(editor.tail(pixels))
    sop_class = (editor.raw(SOP_CLASS) or b"").rstrip(b" \0")
    header = meta_header(sop_class, sop.encode("latin-1"), uid)
    if syntax.is_deflated:
        parts = list(deflated(parts))
    return Transcoded(b"".join([header, *parts]), sop, is_lossy)


def _planned(image: OpenImage, uid: str, may_lose: bool) -> Recoding:
    recoding = plan(image.info, uid)
    if recoding.is_lossy and not may_lose:
        raise NotImplementedYet(f"{recoding.syntax.name} is lossy, which is not wanted")
    return recoding


def _native_copy(editor: Editor, pixels: Row) -> list[Buffer]:
    """The pixel data element with the same cells, in the byte order of the target."""
    tag, number, _, begin, length, end = pixels
    vr = _SHORT_OF_BYTES.get(number, "OW")
    value: Buffer = memoryview(editor.source.data)[begin:end]
    if editor.source.big != editor.write.big:
        bits = {0x7FE00008: 32, 0x7FE00009: 64}.get(tag) or editor.number(0x00280100) or 0
        value = _swapped(value, _word(bits, vr))
    return _element(editor, tag, vr, [value], length)


def _word(bits_allocated: int, vr: str) -> int:
    """Bytes whose order changes: whole cells, but of OW at least its words."""
    return max(bits_allocated // 8, 2 if vr == "OW" else 1)


def _swapped(value: Buffer, size: int) -> bytes:
    raw = np.frombuffer(value, np.uint8)
    whole = len(raw) // size * size
    return raw[:whole].reshape(-1, size)[:, ::-1].tobytes() + raw[whole:].tobytes()


def _element(editor: Editor, tag: int, vr: str, values: list[Buffer], length: int) -> list[Buffer]:
    header = editor.write.header(tag, vr, length + length % 2)
    return [header, *values, b"\0" * (length % 2)]


def _recoded(editor: Editor, image: OpenImage, recoding: Recoding, quality: int) -> list[Buffer]:
    """The pixel data element after all frames were decoded and encoded, and the attributes that
    this changes."""
    info = image.info
    if info.frame_bits // 8 * info.number_of_frames > _MAX_LENGTH:
        raise NotImplementedYet("the uncompressed pixel data would exceed 4 GiB")
    attributes.check(editor, image, recoding)
    frames = [recode(image, index, recoding, quality) for index in range(info.number_of_frames)]
    attributes.describe_pixels(editor, info, recoding)
    attributes.move_overlays(editor, image, recoding)
    size = sum(map(len, frames))
    if not recoding.syntax.is_encapsulated:
        if editor.write.big:
            joined = b"".join(frames)
            word = _word(info.bits_allocated, "OW")
            frames = [_swapped(joined + b"\0" * (len(joined) % 2), word)]
            size = len(frames[0])
        return _element(editor, _PIXEL_DATA, "OW", list(frames), size)
    ratio = info.frame_bits / 8 * info.number_of_frames / size
    attributes.describe_derivation(editor, recoding, quality, ratio)
    return _encapsulated(editor, encapsulate(frames))


def _encapsulated(editor: Editor, value: Encapsulated) -> list[Buffer]:
    if value.extended is not None:
        for tag, table in zip((_OFFSETS, _LENGTHS), value.extended, strict=True):
            editor.set(tag, editor.write.element(tag, "OV", table))
    return [editor.write.header(_PIXEL_DATA, "OB", 0xFFFFFFFF), *value.parts]


def _new_uid(file: Buffer, uid: str, quality: int) -> str:
    """Always the same for the same file, target and quality: repeating a request does not make
    another instance of what is bit by bit the same image."""
    digest = xxhash.xxh3_128(file)
    digest.update(f"|{uid}|{quality}".encode())
    return f"2.25.{UUID(bytes=digest.digest(), version=5).int}"


def deflated(parts: Iterable[Buffer]) -> Iterator[bytes]:
    """PS3.5 Annex A.5: a bare deflate stream of even length."""
    stream = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)
    size = 0
    for part in parts:
        block = stream.compress(part)
        size += len(block)
        yield block
    block = stream.flush()
    size += len(block)
    yield block + b"\0" * (size % 2)
