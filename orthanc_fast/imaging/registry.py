"""How images of each transfer syntax are decoded and encoded: one row for each that is, or the
reason why it is not. A new syntax is a row in `orthanc_fast.transfer_syntaxes`, one here, and a
module of `imaging.codecs`.

Sources: DICOM PS3.5 section 8.2 (what each encoding can hold); reference chapter 2, section 8.2
(descriptions). The support matrix in docs/imaging.md is made from this table by
`scripts/support_matrix.py`.
"""

from typing import Literal

import msgspec

from orthanc_fast.transfer_syntaxes import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    HTJ2K,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    IMPLICIT_LITTLE,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    JPEG_LS_NEAR_LOSSLESS,
    RLE,
    SYNTAXES,
    TransferSyntax,
)

CodecName = Literal["native", "rle", "jpeg", "jpeg_lossless", "jpeg_ls", "jpeg_2000", "htj2k"]

# What a target is made of: whole cells with all that stands in their unused bits, stored values,
# or what is shown (RGB).
Material = Literal["cells", "values", "shown"]


class Target(msgspec.Struct, frozen=True, gc=False):
    """One way to encode. `method` is the defined term of LossyImageCompressionMethod, `color` the
    photometric interpretation that RGB becomes."""

    material: Material
    max_bits: int  # of stored values
    method: str = ""
    color: str = "RGB"
    description: str = ""  # of a lossless derivation, where Orthanc gives one


class Coding(msgspec.Struct, frozen=True, gc=False):
    """`codec` is the name of a module of `imaging.codecs`, None where the syntax is known but not
    decodable, for which `reason` then says why. Without `target` images are never brought into
    it."""

    codec: CodecName | None
    target: Target | None = None
    reason: str = ""


_BASE = "1.2.840.10008.1.2"
_NATIVE = Coding("native", Target("cells", 32))
_UNKNOWN = Coding(None, reason="nobody knows it")
_VIDEO = Coding(None, reason="a video stream: served as it is")
_ARITHMETIC = Coding(
    None, reason="arithmetic coding or hierarchical JPEG, retired in 2004 and never in use"
)
_PART_2 = Coding(None, reason="multi-component transformations of JPEG 2000 part 2")
_ELSEWHERE = Coding(None, reason="the pixels are on another server")
_TOO_NEW = Coding(None, reason="JPEG XL is stored and served as it is")
_NO_IMAGE = Coding(None, reason="no encoding of images")


def _jpeg_lossless(selection_value: int) -> Coding:
    description = f"Lossless JPEG compression, selection value {selection_value}, point transform 0"
    return Coding("jpeg_lossless", Target("cells", 16, description=description))


_ROWS: dict[str, Coding] = {
    IMPLICIT_LITTLE: _NATIVE,
    EXPLICIT_LITTLE: _NATIVE,
    DEFLATED: _NATIVE,
    EXPLICIT_BIG: _NATIVE,
    JPEG_BASELINE: Coding("jpeg", Target("shown", 8, "ISO_10918_1", "YBR_FULL_422")),
    JPEG_EXTENDED: Coding("jpeg", Target("shown", 12, "ISO_10918_1", "YBR_FULL_422")),
    f"{_BASE}.4.53": Coding("jpeg"),
    f"{_BASE}.4.55": Coding("jpeg"),
    JPEG_LOSSLESS: _jpeg_lossless(6),
    JPEG_LOSSLESS_SV1: _jpeg_lossless(1),
    JPEG_LS_LOSSLESS: Coding("jpeg_ls", Target("cells", 16)),
    JPEG_LS_NEAR_LOSSLESS: Coding("jpeg_ls", Target("shown", 16, "ISO_14495_1")),
    JPEG_2000_LOSSLESS: Coding("jpeg_2000", Target("values", 16, color="YBR_RCT")),
    JPEG_2000: Coding("jpeg_2000", Target("shown", 16, "ISO_15444_1", "YBR_ICT")),
    f"{_BASE}.4.92": _PART_2,
    f"{_BASE}.4.93": _PART_2,
    f"{_BASE}.4.94": _ELSEWHERE,
    f"{_BASE}.4.95": _ELSEWHERE,
    RLE: Coding("rle", Target("cells", 32)),
    f"{_BASE}.6.1": _NO_IMAGE,
    f"{_BASE}.6.2": _NO_IMAGE,
    **dict.fromkeys((f"{_BASE}.4.{number}" for number in range(110, 113)), _TOO_NEW),
    HTJ2K_LOSSLESS: Coding("htj2k", Target("values", 16, color="YBR_RCT")),
    HTJ2K_LOSSLESS_RPCL: Coding("htj2k", Target("values", 16, color="YBR_RCT")),
    HTJ2K: Coding("htj2k", Target("shown", 16, "ISO_15444_15", "YBR_ICT")),
}

CODINGS: dict[str, Coding] = {
    uid: _ROWS.get(uid, _VIDEO if syntax.is_video else _ARITHMETIC)
    for uid, syntax in SYNTAXES.items()
}


def coding_of(syntax: TransferSyntax) -> Coding:
    """The row of a syntax; of one that is not in the table a row that says so."""
    return CODINGS.get(syntax.uid, _UNKNOWN)
