"""The order of the slices of a series, from what the index knows. Source: reference chapter 2,
section 7."""

from typing import Literal

import msgspec
import numpy as np

from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.model import Resource
from orthanc_fast.numerals import BLANKS, decimal, integer
from orthanc_fast.registries import INDEX_IN_SERIES
from orthanc_fast.services.pixels.pixels import Pixels

IMAGE_POSITION = 0x00200032
IMAGE_ORIENTATION = 0x00200037

CANNOT_ORDER = 2040
TOLERANCE = 10 * float(np.finfo(np.float32).eps)

Vector = np.ndarray  # three numbers


class OrderedSlices(msgspec.Struct, frozen=True, gc=False):
    """The instances of a series from the first slice to the last; a "Volume" is ordered along its
    normal, a "Sequence" by number."""

    kind: Literal["Volume", "Sequence"]
    instances: list[Resource]


def order_slices(series: Resource, instances: list[Resource]) -> OrderedSlices:
    """The instances of `series` in order: by position, else by IndexInSeries; those of the same
    index by identifier.

    Raises OrthancError 2040 where neither can be told, UnknownResource for a series that has just
    been deleted.
    """
    if not instances:
        raise UnknownResource
    if len(instances) == 1:
        return OrderedSlices("Sequence", instances)
    by_position = _by_position(series, instances)
    if by_position is not None:
        return OrderedSlices("Volume", by_position)
    by_index = _by_index(instances)
    if by_index is not None:
        return OrderedSlices("Sequence", by_index)
    raise OrthancError(
        "the slices have neither positions along one normal, all different, nor a number each",
        code=CANNOT_ORDER,
    )


def frame_count(instance: Resource, pixels: Pixels) -> int:
    """NumberOfFrames; 1 where it is missing, no number or one that the file has no room for."""
    try:
        return pixels.frame_count(instance)
    except OrthancError:
        return 1


def numbers(text: str | None, count: int) -> Vector | None:
    """The components of a DS with exactly `count` of them, None for anything else."""
    parts = (text or "").split("\\")
    if len(parts) != count:
        return None
    values = [decimal(part.strip(BLANKS)) for part in parts]
    return None if None in values else np.array(values)


def normal(orientation: str | None) -> Vector | None:
    """The cross product of the two directions of ImageOrientationPatient."""
    cosines = numbers(orientation, 6)
    return None if cosines is None else np.cross(cosines[:3], cosines[3:])


def _by_position(series: Resource, instances: list[Resource]) -> list[Resource] | None:
    axis = normal(series.tags.get(IMAGE_ORIENTATION))
    if axis is None:
        return None
    positions = []
    along: dict[str | None, bool] = {}  # most series have one orientation
    for instance in instances:
        orientation = instance.tags.get(IMAGE_ORIENTATION)
        if orientation not in along:
            along[orientation] = _is_along(axis, orientation)
        position = numbers(instance.tags.get(IMAGE_POSITION), 3)
        if position is None or not along[orientation]:
            return None
        positions.append(position)
    distances = (np.array(positions) @ axis).astype(np.float32)
    order = np.argsort(distances, kind="stable")
    if (np.diff(distances[order]) <= TOLERANCE).any():
        return None
    return [instances[number] for number in order]


def _is_along(axis: Vector, orientation: str | None) -> bool:
    """Whether an instance's own normal, if it has one, is parallel or opposite."""
    own = normal(orientation)
    if own is None:
        return True
    lengths = float(np.linalg.norm(axis) * np.linalg.norm(own))
    if lengths == 0:
        return False
    return abs(abs(float(axis @ own)) / lengths - 1) <= TOLERANCE


def _by_index(instances: list[Resource]) -> list[Resource] | None:
    rows = []
    for instance in instances:
        index = _integer(instance.metadata.get(INDEX_IN_SERIES))
        if index is None:
            return None
        rows.append((index, instance.public, instance))
    rows.sort(key=lambda row: row[:2])
    return [instance for _, _, instance in rows]


def _integer(text: str | None) -> int | None:
    return integer((text or "").strip(BLANKS))
