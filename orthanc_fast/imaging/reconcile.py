"""Where the header of a file and its codestreams disagree, the codestream is what can be seen.

Sources: DICOM PS3.5 section 8.2 (the attributes shall be those of the codestream), Annex A.4;
ITU-T T.871 (JFIF means YCbCr), T.872 (Adobe's marker).
"""

import msgspec

from orthanc_fast.imaging.codecs.headers import Header
from orthanc_fast.imaging.info import YBR, ImageInfo, require_frame_size

_NOT_IN_JPEG = frozenset({"YBR_ICT", "YBR_RCT"})
_ALLOCATED = (8, 16, 32)


def as_encoded(info: ImageInfo, header: Header) -> ImageInfo:
    """The attributes as the codestream has them: its shape, as many bits as its values need, its
    colour where it says that. The same object where they agree, or where what differs makes no
    image. Raises BadFileFormat for frames above 4 GiB.

    A codestream of whole cells does not tell how many of their bits belong to the value: there
    BitsStored stays, and `may_be_wider` is set.
    """
    if header.components not in (1, 3) or info.samples_per_pixel not in (1, 3) or info.is_float:
        return info
    changed: dict[str, object] = {}
    if (header.rows, header.columns) != (info.rows, info.columns):
        changed |= {"rows": header.rows, "columns": header.columns}
    changed |= _samples(info, header)
    changed |= _bits(info, header.precision)
    if not changed:
        return info
    found = msgspec.structs.replace(info, **changed)
    require_frame_size(found)
    return found


def difference(announced: ImageInfo, found: ImageInfo) -> str:
    """What `as_encoded` has changed, for a log; "" for nothing that needs to be told."""
    names = ("rows", "columns", "samples_per_pixel", "photometric_interpretation", "bits_stored")
    return ", ".join(
        f"{name} {now} instead of {before}"
        for name in names
        if (before := getattr(announced, name)) != (now := getattr(found, name))
    )


def _samples(info: ImageInfo, header: Header) -> dict[str, object]:
    photometric = info.photometric_interpretation
    if header.components == 1:
        if info.samples_per_pixel == 1:
            return {}
        return {
            "samples_per_pixel": 1,
            "planar_configuration": 0,
            "photometric_interpretation": "MONOCHROME2",
        }
    is_ycbcr = photometric in YBR - _NOT_IN_JPEG
    if header.color == "YCBCR" and not is_ycbcr:
        wanted = "YBR_FULL_422"
    elif header.color == "RGB" or (info.samples_per_pixel == 1 and not is_ycbcr):
        wanted = "RGB"
    else:
        wanted = photometric
    changed: dict[str, object] = {}
    if info.samples_per_pixel == 1:
        changed["samples_per_pixel"] = 3
    if wanted != photometric:
        changed["photometric_interpretation"] = wanted
    return changed


def _bits(info: ImageInfo, precision: int) -> dict[str, object]:
    if precision <= info.bits_stored:
        return {}
    if precision == info.bits_allocated:
        is_plain = info.high_bit == info.bits_stored - 1 and not info.syntax.is_lossy
        return {"may_be_wider": True} if is_plain else {}
    changed: dict[str, object] = {"bits_stored": precision, "high_bit": precision - 1}
    if precision > info.bits_allocated:
        changed["bits_allocated"] = next((n for n in _ALLOCATED if precision <= n), precision)
    return changed
