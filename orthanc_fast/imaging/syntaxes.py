"""The transfer syntaxes of images, one table: how the file is encoded and which codec decodes it.

Sources: DICOM PS3.5 section 10 and Annex A, PS3.6 Table A-1. The support matrix in docs/imaging.md
is made from this table by `scripts/support_matrix.py`.
"""

import msgspec

_BASE = "1.2.840.10008.1.2"

IMPLICIT_LITTLE = _BASE
EXPLICIT_LITTLE = f"{_BASE}.1"
DEFLATED = f"{_BASE}.1.99"
EXPLICIT_BIG = f"{_BASE}.2"
JPEG_BASELINE = f"{_BASE}.4.50"
JPEG_EXTENDED = f"{_BASE}.4.51"
JPEG_LOSSLESS = f"{_BASE}.4.57"
JPEG_LOSSLESS_SV1 = f"{_BASE}.4.70"
JPEG_LS_LOSSLESS = f"{_BASE}.4.80"
JPEG_LS_NEAR_LOSSLESS = f"{_BASE}.4.81"
JPEG_2000_LOSSLESS = f"{_BASE}.4.90"
JPEG_2000 = f"{_BASE}.4.91"
HTJ2K_LOSSLESS = f"{_BASE}.4.201"
HTJ2K_LOSSLESS_RPCL = f"{_BASE}.4.202"
HTJ2K = f"{_BASE}.4.203"
RLE = f"{_BASE}.5"

_ARITHMETIC = "arithmetic coding or hierarchical JPEG, retired in 2004 and never in use"
_PART_2 = "multi-component transformations of JPEG 2000 part 2"
_ELSEWHERE = "the pixels are on another server"
_TOO_NEW = "JPEG XL is stored and served as it is"
_VIDEO = "a video stream: served as it is"
_NO_IMAGE = "no encoding of images"


class TransferSyntax(msgspec.Struct, frozen=True, gc=False):
    """`codec` is the name of a module of imaging.codecs, None where the syntax is known but not
    decodable, for which `reason` then says why. `is_lossy` means that pixel values may differ from
    those that were encoded."""

    uid: str
    name: str
    codec: str | None = None
    reason: str = ""
    is_encapsulated: bool = True
    is_implicit: bool = False
    is_big_endian: bool = False
    is_deflated: bool = False
    is_lossy: bool = False
    is_video: bool = False
    is_image: bool = True


def _native(
    uid: str, name: str, implicit: bool = False, big: bool = False, deflated: bool = False
) -> TransferSyntax:
    return TransferSyntax(
        uid,
        name,
        "native",
        is_encapsulated=False,
        is_implicit=implicit,
        is_big_endian=big,
        is_deflated=deflated,
    )


def _coded(uid: str, name: str, codec: str, lossy: bool = False) -> TransferSyntax:
    return TransferSyntax(uid, name, codec, is_lossy=lossy)


def _known(number: int, name: str, reason: str, lossy: bool = False) -> TransferSyntax:
    return TransferSyntax(f"{_BASE}.4.{number}", name, reason=reason, is_lossy=lossy)


def _video(number: int, name: str) -> TransferSyntax:
    uid = f"{_BASE}.4.{number}"
    return TransferSyntax(uid, name, reason=_VIDEO, is_lossy=True, is_video=True)


_ROWS: tuple[TransferSyntax, ...] = (
    _native(IMPLICIT_LITTLE, "Implicit VR Little Endian", implicit=True),
    _native(EXPLICIT_LITTLE, "Explicit VR Little Endian"),
    _native(DEFLATED, "Deflated Explicit VR Little Endian", deflated=True),
    _native(EXPLICIT_BIG, "Explicit VR Big Endian", big=True),
    _coded(JPEG_BASELINE, "JPEG Baseline (Process 1)", "jpeg", lossy=True),
    _coded(JPEG_EXTENDED, "JPEG Extended (Process 2 & 4)", "jpeg", lossy=True),
    _known(52, "JPEG Extended (Process 3 & 5)", _ARITHMETIC, lossy=True),
    _coded(
        f"{_BASE}.4.53",
        "JPEG Spectral Selection, Non-Hierarchical (Process 6 & 8)",
        "jpeg",
        lossy=True,
    ),
    _known(54, "JPEG Spectral Selection, Non-Hierarchical (Process 7 & 9)", _ARITHMETIC, True),
    _coded(
        f"{_BASE}.4.55",
        "JPEG Full Progression, Non-Hierarchical (Process 10 & 12)",
        "jpeg",
        lossy=True,
    ),
    _known(56, "JPEG Full Progression, Non-Hierarchical (Process 11 & 13)", _ARITHMETIC, True),
    _coded(JPEG_LOSSLESS, "JPEG Lossless, Non-Hierarchical (Process 14)", "jpeg_lossless"),
    _known(58, "JPEG Lossless, Non-Hierarchical (Process 15)", _ARITHMETIC),
    _known(59, "JPEG Extended, Hierarchical (Process 16 & 18)", _ARITHMETIC, True),
    _known(60, "JPEG Extended, Hierarchical (Process 17 & 19)", _ARITHMETIC, True),
    _known(61, "JPEG Spectral Selection, Hierarchical (Process 20 & 22)", _ARITHMETIC, True),
    _known(62, "JPEG Spectral Selection, Hierarchical (Process 21 & 23)", _ARITHMETIC, True),
    _known(63, "JPEG Full Progression, Hierarchical (Process 24 & 26)", _ARITHMETIC, True),
    _known(64, "JPEG Full Progression, Hierarchical (Process 25 & 27)", _ARITHMETIC, True),
    _known(65, "JPEG Lossless, Hierarchical (Process 28)", _ARITHMETIC),
    _known(66, "JPEG Lossless, Hierarchical (Process 29)", _ARITHMETIC),
    _coded(
        JPEG_LOSSLESS_SV1,
        "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14, Selection Value 1)",
        "jpeg_lossless",
    ),
    _coded(JPEG_LS_LOSSLESS, "JPEG-LS Lossless", "jpeg_ls"),
    _coded(JPEG_LS_NEAR_LOSSLESS, "JPEG-LS Lossy (Near-Lossless)", "jpeg_ls", lossy=True),
    _coded(JPEG_2000_LOSSLESS, "JPEG 2000 (Lossless Only)", "jpeg_2000"),
    _coded(JPEG_2000, "JPEG 2000", "jpeg_2000", lossy=True),
    _known(92, "JPEG 2000 Part 2 Multi-component (Lossless Only)", _PART_2),
    _known(93, "JPEG 2000 Part 2 Multi-component", _PART_2, lossy=True),
    _known(94, "JPIP Referenced", _ELSEWHERE),
    _known(95, "JPIP Referenced Deflate", _ELSEWHERE),
    _video(100, "MPEG2 Main Profile / Main Level"),
    _video(101, "MPEG2 Main Profile / High Level"),
    _video(102, "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
    _video(103, "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1"),
    _video(104, "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video"),
    _video(105, "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video"),
    _video(106, "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2"),
    _video(107, "HEVC/H.265 Main Profile / Level 5.1"),
    _video(108, "HEVC/H.265 Main 10 Profile / Level 5.1"),
    _known(110, "JPEG XL Lossless", _TOO_NEW),
    _known(111, "JPEG XL JPEG Recompression", _TOO_NEW, lossy=True),
    _known(112, "JPEG XL", _TOO_NEW, lossy=True),
    _coded(HTJ2K_LOSSLESS, "High-Throughput JPEG 2000 (Lossless Only)", "htj2k"),
    _coded(
        HTJ2K_LOSSLESS_RPCL, "High-Throughput JPEG 2000 with RPCL Options (Lossless Only)", "htj2k"
    ),
    _coded(HTJ2K, "High-Throughput JPEG 2000", "htj2k", lossy=True),
    _coded(RLE, "RLE Lossless", "rle"),
    TransferSyntax(f"{_BASE}.6.1", "RFC 2557 MIME encapsulation", reason=_NO_IMAGE, is_image=False),
    TransferSyntax(f"{_BASE}.6.2", "XML Encoding", reason=_NO_IMAGE, is_image=False),
)

SYNTAXES: dict[str, TransferSyntax] = {row.uid: row for row in _ROWS}
