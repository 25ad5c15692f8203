"""The transfer syntaxes of DICOM, one table for everybody: how a data set is encoded, and what its
pixels are. How images are decoded and encoded is in `imaging.registry`.

Sources: DICOM PS3.5 section 10 and Annex A, PS3.6 Table A-1; the order, and the groups of Orthanc's
options, are those of the reference, chapter 4, section 1.4.
"""

from typing import Literal

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

Group = Literal[
    "Deflated", "Jpeg", "JpegLossless", "Jpeg2000", "Jpip", "Mpeg2", "Mpeg4", "H265", "Rle", ""
]


class TransferSyntax(msgspec.Struct, frozen=True, gc=False):
    """How a data set is encoded. `group` names the option `{group}TransferSyntaxAccepted` of
    Orthanc; `is_lossy` means that pixel values may differ from those that were encoded; a syntax
    that is no `is_image` encodes none, and is never negotiated."""

    uid: str
    name: str
    group: Group = ""
    is_encapsulated: bool = True
    is_implicit: bool = False
    is_big_endian: bool = False
    is_deflated: bool = False
    is_lossy: bool = False
    is_video: bool = False
    is_image: bool = True

    @property
    def is_native(self) -> bool:
        """Whether pixels are neither encapsulated nor deflated."""
        return not self.is_encapsulated and not self.is_deflated


def _native(
    uid: str, name: str, *, implicit: bool = False, big: bool = False, deflated: bool = False
) -> TransferSyntax:
    return TransferSyntax(
        uid,
        name,
        "Deflated" if deflated else "",
        is_encapsulated=False,
        is_implicit=implicit,
        is_big_endian=big,
        is_deflated=deflated,
    )


def _coded(number: int, name: str, group: Group, *, lossy: bool = False) -> TransferSyntax:
    return TransferSyntax(f"{_BASE}.4.{number}", name, group, is_lossy=lossy)


def _video(number: int, name: str, group: Group) -> TransferSyntax:
    return TransferSyntax(f"{_BASE}.4.{number}", name, group, is_lossy=True, is_video=True)


def _no_image(uid: str, name: str) -> TransferSyntax:
    return TransferSyntax(uid, name, is_image=False)


_ROWS: tuple[TransferSyntax, ...] = (
    _native(IMPLICIT_LITTLE, "Implicit VR Little Endian", implicit=True),
    _native(EXPLICIT_LITTLE, "Explicit VR Little Endian"),
    _native(DEFLATED, "Deflated Explicit VR Little Endian", deflated=True),
    _native(EXPLICIT_BIG, "Explicit VR Big Endian", big=True),
    _coded(50, "JPEG Baseline (Process 1)", "Jpeg", lossy=True),
    _coded(51, "JPEG Extended (Process 2 & 4)", "Jpeg", lossy=True),
    _coded(52, "JPEG Extended (Process 3 & 5)", "Jpeg", lossy=True),
    _coded(53, "JPEG Spectral Selection, Non-Hierarchical (Process 6 & 8)", "Jpeg", lossy=True),
    _coded(54, "JPEG Spectral Selection, Non-Hierarchical (Process 7 & 9)", "Jpeg", lossy=True),
    _coded(55, "JPEG Full Progression, Non-Hierarchical (Process 10 & 12)", "Jpeg", lossy=True),
    _coded(56, "JPEG Full Progression, Non-Hierarchical (Process 11 & 13)", "Jpeg", lossy=True),
    _coded(57, "JPEG Lossless, Non-Hierarchical (Process 14)", "Jpeg"),
    _coded(58, "JPEG Lossless, Non-Hierarchical (Process 15)", "Jpeg"),
    _coded(59, "JPEG Extended, Hierarchical (Process 16 & 18)", "Jpeg", lossy=True),
    _coded(60, "JPEG Extended, Hierarchical (Process 17 & 19)", "Jpeg", lossy=True),
    _coded(61, "JPEG Spectral Selection, Hierarchical (Process 20 & 22)", "Jpeg", lossy=True),
    _coded(62, "JPEG Spectral Selection, Hierarchical (Process 21 & 23)", "Jpeg", lossy=True),
    _coded(63, "JPEG Full Progression, Hierarchical (Process 24 & 26)", "Jpeg", lossy=True),
    _coded(64, "JPEG Full Progression, Hierarchical (Process 25 & 27)", "Jpeg", lossy=True),
    _coded(65, "JPEG Lossless, Hierarchical (Process 28)", "Jpeg"),
    _coded(66, "JPEG Lossless, Hierarchical (Process 29)", "Jpeg"),
    _coded(
        70,
        "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14, Selection Value 1)",
        "Jpeg",
    ),
    _coded(80, "JPEG-LS Lossless", "JpegLossless"),
    _coded(81, "JPEG-LS Lossy (Near-Lossless)", "JpegLossless", lossy=True),
    _coded(90, "JPEG 2000 (Lossless Only)", "Jpeg2000"),
    _coded(91, "JPEG 2000", "Jpeg2000", lossy=True),
    _coded(92, "JPEG 2000 Part 2 Multi-component (Lossless Only)", "Jpeg2000"),
    _coded(93, "JPEG 2000 Part 2 Multi-component", "Jpeg2000", lossy=True),
    _coded(94, "JPIP Referenced", "Jpip"),
    _coded(95, "JPIP Referenced Deflate", "Jpip"),
    _video(100, "MPEG2 Main Profile / Main Level", "Mpeg2"),
    _video(101, "MPEG2 Main Profile / High Level", "Mpeg2"),
    _video(102, "MPEG-4 AVC/H.264 High Profile / Level 4.1", "Mpeg4"),
    _video(103, "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", "Mpeg4"),
    _video(104, "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", "Mpeg4"),
    _video(105, "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", "Mpeg4"),
    _video(106, "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", "Mpeg4"),
    _video(107, "HEVC/H.265 Main Profile / Level 5.1", "H265"),
    _video(108, "HEVC/H.265 Main 10 Profile / Level 5.1", "H265"),
    TransferSyntax(RLE, "RLE Lossless", "Rle"),
    _no_image(f"{_BASE}.6.1", "RFC 2557 MIME encapsulation"),
    _no_image(f"{_BASE}.6.2", "XML Encoding"),
    _coded(110, "JPEG XL Lossless", ""),
    _coded(111, "JPEG XL JPEG Recompression", "", lossy=True),
    _coded(112, "JPEG XL", "", lossy=True),
    _coded(201, "High-Throughput JPEG 2000 (Lossless Only)", ""),
    _coded(202, "High-Throughput JPEG 2000 with RPCL Options (Lossless Only)", ""),
    _coded(203, "High-Throughput JPEG 2000", "", lossy=True),
)

SYNTAXES: dict[str, TransferSyntax] = {row.uid: row for row in _ROWS}


def is_known(uid: str | None) -> bool:
    """Whether the standard has this transfer syntax."""
    return uid in SYNTAXES
