"""In which media type and transfer syntax frames are sent: what a client accepts against what an
image can be.

Source: PS3.18, section 8.7.3 (tables 8.7.3-4 and 8.7.3-5); reference chapter 5, section 5.2.
"""

from typing import Final, NamedTuple

from orthanc_fast.errors import BadRequest
from orthanc_fast.media_types import MediaRange
from orthanc_fast.services.dicom_web.frame_parts import FrameImage
from orthanc_fast.transfer_syntaxes import (
    DEFLATED,
    EXPLICIT_LITTLE,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    JPEG_LS_NEAR_LOSSLESS,
    RLE,
    SYNTAXES,
)

OCTETS: Final = "application/octet-stream"
OFFERED: Final = (
    'multipart/related with the type "application/octet-stream" or "image/*", or, for one frame, '
    "these by themselves"
)
_ANY: Final = frozenset({"", "*/*", "application/*", OCTETS})
_BASE: Final = "1.2.840.10008.1.2.4"

# The transfer syntaxes of each media type, its default first.
_SYNTAXES: Final[dict[str, tuple[str, ...]]] = {
    "image/jpeg": (JPEG_LOSSLESS_SV1, JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS),
    "image/dicom-rle": (RLE,),
    "image/jls": (JPEG_LS_LOSSLESS, JPEG_LS_NEAR_LOSSLESS),
    "image/jp2": (f"{_BASE}.90", f"{_BASE}.91"),
    "image/jpx": (f"{_BASE}.92", f"{_BASE}.93"),
    "image/jphc": tuple(f"{_BASE}.{number}" for number in (201, 202, 203)),
    "image/jxl": tuple(f"{_BASE}.{number}" for number in (110, 111, 112)),
    "video/mpeg": tuple(f"{_BASE}.{number}" for number in (100, 101)),
    "video/mp4": tuple(f"{_BASE}.{number}" for number in range(102, 109)),
}
# Names of older editions, and of who wrote them otherwise.
_ALIASES: Final = {
    "image/x-dicom-rle": "image/dicom-rle",
    "image/dicom+rle": "image/dicom-rle",
    "image/x-jls": "image/jls",
    "image/dicom+jpeg": "image/jpeg",
    "image/dicom+jpeg-ls": "image/jls",
    "image/dicom+jp2": "image/jp2",
    "image/dicom+jpx": "image/jpx",
    "video/mpeg2": "video/mpeg",
}
_TYPES: Final = {uid: name for name, uids in _SYNTAXES.items() for uid in uids}


class Sent(NamedTuple):
    """How frames are sent: the transfer syntax of their bytes, and what names it to the client."""

    is_multipart: bool
    syntax: str
    type: str  # with its parameter


def sent_as(asked: MediaRange, image: FrameImage, count: int) -> Sent | None:
    """What an element of Accept stands for with `count` frames of this image; None where it cannot
    be had. Raises BadRequest for a transfer syntax that nobody knows."""
    is_multipart = asked.type in ("*/*", "multipart/*", "multipart/related")
    if not is_multipart and count != 1:
        return None
    name = asked.part_type if is_multipart else asked.type
    uid = _syntax(_ALIASES.get(name, name), asked.transfer_syntax, image)
    if uid is None or not image.can_be(uid):
        return None
    shown = EXPLICIT_LITTLE if uid == DEFLATED else uid  # nothing is deflated here
    return Sent(is_multipart, uid, f"{_TYPES.get(uid, OCTETS)}; transfer-syntax={shown}")


def _syntax(name: str, asked: str, image: FrameImage) -> str | None:
    """The transfer syntax that is meant by a media type with this one as its parameter."""
    if asked not in ("", "*") and asked not in SYNTAXES:
        raise BadRequest(f"Unknown transfer syntax in 'Accept' header: {asked}")
    stored = image.syntax
    if name in _ANY:
        if asked:
            return stored if asked == "*" else asked
        return EXPLICIT_LITTLE if image.can_be(EXPLICIT_LITTLE) or name == OCTETS else stored
    if name in ("image/*", "video/*"):
        if asked not in ("", "*"):
            return asked if _TYPES.get(asked, "").startswith(name[:-1]) else None
        if _TYPES.get(stored, "").startswith(name[:-1]):
            return stored
        return JPEG_LOSSLESS_SV1 if name == "image/*" and not asked else None
    known = _SYNTAXES.get(name, ())
    if asked == "*":
        return stored if stored in known else None
    if asked:
        return asked if asked in known else None
    if known and image.can_be(known[0]):
        return known[0]
    return stored if stored in known else None
