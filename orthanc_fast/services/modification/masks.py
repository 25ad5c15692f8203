"""`MaskPixels`: rectangles that are blanked, each for the images that its filters name.

An extension of ours: see docs/deviations.md.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from orthanc_fast.errors import BadParameterType, ParameterOutOfRange
from orthanc_fast.imaging.blank import Region

_FILTERS: Final = {
    "FilterSopClass": 0x00080016,
    "Modality": 0x00080060,
    "Manufacturer": 0x00080070,
    "StationName": 0x00081010,
    "ManufacturerModelName": 0x00081090,
}
_SIZES: Final = {"Rows": 0x00280010, "Columns": 0x00280011}


class Mask(msgspec.Struct, frozen=True):
    """One rectangle; `texts` and `numbers` are what the elements of an image must have."""

    region: Region
    texts: tuple[tuple[int, str], ...]
    numbers: tuple[tuple[int, int], ...]


Masks = tuple[Mask, ...]


def read_masks(body: Mapping[str, Any]) -> Masks:
    """Those of a request. Raises BadParameterType for what has the wrong type, ParameterOutOfRange
    for a rectangle without pixels and for filters that there are not."""
    value = body.get("MaskPixels", [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadParameterType("MaskPixels is an array of objects")
    return tuple(map(_mask, value))


def _mask(fields: Mapping[str, Any]) -> Mask:
    texts: list[tuple[int, str]] = []
    numbers: list[tuple[int, int]] = []
    for name, value in fields.items():
        if name == "Region":
            continue
        if name in _FILTERS:
            if not isinstance(value, str):
                raise BadParameterType(f"{name} of MaskPixels is a text")
            texts.append((_FILTERS[name], value.strip()))
        elif name in _SIZES:
            if not _is_number(value):
                raise BadParameterType(f"{name} of MaskPixels is a number")
            numbers.append((_SIZES[name], value))
        else:
            raise ParameterOutOfRange(f"MaskPixels has no filter {name}")
    return Mask(_region(fields.get("Region")), tuple(texts), tuple(numbers))


def _region(value: Any) -> Region:
    if not isinstance(value, list) or len(value) != 4 or not all(map(_is_number, value)):
        raise BadParameterType("Region of MaskPixels is an array of four integers: x1, y1, x2, y2")
    x1, y1, x2, y2 = value
    if not (0 <= x1 < x2 and 0 <= y1 < y2):
        raise ParameterOutOfRange(f"Region of MaskPixels has no pixels: {value}")
    return x1, y1, x2, y2


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def regions_of(
    masks: Masks, text: Callable[[int], str | None], number: Callable[[int], int | None]
) -> list[Region]:
    """The rectangles for one image, whose root elements `text` and `number` give."""
    return [
        mask.region
        for mask in masks
        if all(text(tag) == value for tag, value in mask.texts)
        and all(number(tag) == value for tag, value in mask.numbers)
    ]
