"""The arguments of routes that show data sets. Source: reference chapter 2, section 1.2."""

from orthanc_fast.dicom.tag_json import Format, parse_tags
from orthanc_fast.rest.request import Request

_NO_TAGS: frozenset[int] = frozenset()


def tag_format(request: Request) -> Format:
    """Full, unless `simplify` or `short` is asked for."""
    given = request.arguments
    if not given:
        return "full"
    return "simplify" if "simplify" in given else "short" if "short" in given else "full"


def unlimited_tags(request: Request) -> frozenset[int]:
    """The tags in `ignore-length`, whose values may be longer than 256 bytes. Raises
    UnknownDicomTag."""
    given = request.arguments
    if not given or "ignore-length" not in given:
        return _NO_TAGS
    return parse_tags(given["ignore-length"].split(","), request.services.dictionary)
