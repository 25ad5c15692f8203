"""Which format of picture an `Accept` header asks for. Source: reference chapter 2, section 5.5."""

import re
from enum import Enum
from functools import lru_cache

_QUALITY = re.compile(r"[+]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


class PictureFormat(Enum):
    """The formats that pictures are sent in, by their MIME type."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    PAM = "image/x-portable-arbitrarymap"


class BadQualityFactor(ValueError):
    """A range that matches has a `q` that is no number from 0 to 1."""


# What each range matches, and how specific it is. Case counts; a wildcard means PNG.
_RANGES: dict[str, tuple[int, PictureFormat]] = {
    "*/*": (0, PictureFormat.PNG),
    "image/*": (1, PictureFormat.PNG),
    **{each.value: (2, each) for each in PictureFormat},
}


@lru_cache(maxsize=256)
def negotiate(accept: bytes | None) -> PictureFormat | None:
    """The format for an `Accept` header (None: there is no header), or None if nothing matches.

    The most specific match wins, then the highest `q`, then the first; `q=0` excludes nothing.
    Raises BadQualityFactor.
    """
    if accept is None:
        return PictureFormat.PNG
    best: tuple[int, float] | None = None
    found: PictureFormat | None = None
    for part in accept.decode("latin-1").split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        match = _RANGES.get(name)
        if match is None:
            continue
        rank = (match[0], _quality_factor(parameters))
        if best is None or rank > best:
            best, found = rank, match[1]
    return found


def _quality_factor(parameters: list[str]) -> float:
    for parameter in parameters:
        name, separator, value = parameter.partition("=")
        if separator and name.strip() == "q":
            text = value.strip()
            if not _QUALITY.fullmatch(text) or not 0 <= float(text) <= 1:
                raise BadQualityFactor(f"q must be a number from 0 to 1, found: {text}")
            return float(text)
    return 1.0
