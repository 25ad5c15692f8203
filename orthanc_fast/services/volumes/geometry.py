"""Where a volume lies in the patient: origin, spacing and directions in mm, of LPS coordinates.

Source: DICOM PS3.3 C.7.6.2 (Image Plane), C.7.6.16.2 (functional groups of multi-frame images).
"""

import io
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from orthanc_fast.dicom.part10 import DicomFile
from orthanc_fast.dicom.pixel_layout import raw_values
from orthanc_fast.errors import BadFileFormat, InexistentItem
from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.services.volumes.plan import Source, Volume
from orthanc_fast.services.volumes.slices import IMAGE_ORIENTATION, IMAGE_POSITION, numbers

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PIXEL_SPACING, IMAGER_PIXEL_SPACING = 0x00280030, 0x00181164
SPACING_BETWEEN_SLICES, SLICE_THICKNESS = 0x00180088, 0x00180050
SPACINGS = frozenset({PIXEL_SPACING, IMAGER_PIXEL_SPACING, SPACING_BETWEEN_SLICES, SLICE_THICKNESS})

UNEVEN = 0.01  # of the spacing: what two neighbours may differ from it


class Geometry(msgspec.Struct, frozen=True):
    """`Size` and `Spacing` are (columns, rows, slices); `Direction` has one column for each axis.
    `Affine` takes (column, row, slice, 1) to the centre of a pixel in LPS mm. `IsUniform` tells
    whether every slice lies where `Affine` says."""

    Size: tuple[int, int, int]
    Origin: tuple[float, ...]
    Spacing: tuple[float, ...]
    Direction: tuple[tuple[float, ...], ...]
    Affine: tuple[tuple[float, ...], ...]
    IsUniform: bool

    @property
    def affine(self) -> np.ndarray:
        return np.array(self.Affine)


class _Place(msgspec.Struct, frozen=True):
    """Of one frame; spacings are (between rows, between columns) and between slices, if known."""

    position: np.ndarray
    orientation: np.ndarray
    pixel_spacing: np.ndarray | None
    slice_spacing: float | None


def geometry(volume: Volume, pixels: Pixels, check: bool = True) -> Geometry:
    """Of the frames of a volume, in their order; without `check` only the first and last are
    looked at and `IsUniform` is True. Waits for the disk.

    Raises InexistentItem where the files do not say it.
    """
    places = _Places(volume, pixels)
    count = len(volume.frames)
    first = places.of(0)
    last = places.of(count - 1)
    row, column = first.orientation[:3], first.orientation[3:]
    normal = np.cross(row, column)
    if count > 1:
        step = (last.position - first.position) / (count - 1)
    else:
        step = normal * (first.slice_spacing or 1.0)
    distance = float(np.linalg.norm(step))
    if distance == 0:
        step, distance = normal, 1.0  # a series in time
    between_rows, between_columns = (
        (1.0, 1.0) if first.pixel_spacing is None else first.pixel_spacing.tolist()
    )
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * between_columns, column * between_rows
    affine[:3, 2], affine[:3, 3] = step, first.position
    is_uniform = True
    if check and count > 1:
        positions = np.array([places.of(place).position for place in range(count)])
        expected = first.position + np.outer(np.arange(count), step)
        is_uniform = bool((np.abs(positions - expected) <= UNEVEN * distance).all())
    info = volume.info
    direction = np.stack([row, column, step / distance], axis=1)
    return Geometry(
        Size=(info.columns, info.rows, count),
        Origin=tuple(first.position.tolist()),
        Spacing=(between_columns, between_rows, distance),
        Direction=tuple(map(tuple, direction.tolist())),
        Affine=tuple(map(tuple, affine.tolist())),
        IsUniform=is_uniform,
    )


class _Places:
    """The places of a volume's frames. Positions of single frames come from the index, spacings
    from the first file, everything of functional groups from the file that has them."""

    def __init__(self, volume: Volume, pixels: Pixels) -> None:
        self._volume = volume
        self._pixels = pixels
        self._spacings: tuple[np.ndarray | None, float | None] | None = None
        self._groups: dict[int, Dataset] = {}

    def of(self, place: int) -> _Place:
        number_of_source, frame = self._volume.frames[place]
        source = self._volume.sources[number_of_source]
        tags = source.instance.tags
        position = numbers(tags.get(IMAGE_POSITION), 3)
        orientation = numbers(tags.get(IMAGE_ORIENTATION), 6)
        if position is None or orientation is None:
            return self._of_groups(number_of_source, frame)
        if self._spacings is None:
            self._spacings = _spacings(self._head(source))
        pixel, between = self._spacings
        if frame and between:
            normal = np.cross(orientation[:3], orientation[3:])
            position = position + frame * between * normal
        return _Place(position, orientation, pixel, between)

    def _head(self, source: Source) -> bytes | DicomFile:
        """Nothing of the image is kept with it."""
        with self._pixels.open(source.instance) as image:
            head = image.dataset_head
            if isinstance(head, DicomFile):
                return msgspec.structs.replace(head, data=bytes(head.data))
            return bytes(head)

    def _of_groups(self, number_of_source: int, frame: int) -> _Place:
        dataset = self._groups.get(number_of_source)
        if dataset is None:
            head = self._head(self._volume.sources[number_of_source])
            dataset = _dataset(head)
            self._groups[number_of_source] = dataset
        position = _grouped(dataset, frame, "PlanePositionSequence", "ImagePositionPatient")
        orientation = _grouped(
            dataset, frame, "PlaneOrientationSequence", "ImageOrientationPatient"
        )
        if position is None or orientation is None or (len(position), len(orientation)) != (3, 6):
            raise InexistentItem(
                "the images have no ImagePositionPatient and ImageOrientationPatient"
            )
        measures = "PixelMeasuresSequence"
        pixel = _grouped(dataset, frame, measures, "PixelSpacing")
        between = _grouped(dataset, frame, measures, "SpacingBetweenSlices")
        thickness = _grouped(dataset, frame, measures, "SliceThickness")
        known = next((each for each in (between, thickness) if each is not None), None)
        return _Place(position, orientation, pixel, None if known is None else float(known[0]))


def _dataset(head: bytes | DicomFile) -> "Dataset":
    # Of enhanced images only: the library takes its time to be loaded.
    from pydicom import dcmread
    from pydicom.filereader import read_dataset

    if isinstance(head, DicomFile):  # inflated: pydicom would look for a deflated data set
        stream = io.BytesIO(head.data)
        stream.seek(head.start)
        return read_dataset(stream, not head.explicit, not head.big)
    return dcmread(io.BytesIO(head), stop_before_pixels=True, force=True)


def _spacings(head: bytes | DicomFile) -> tuple[np.ndarray | None, float | None]:
    """(PixelSpacing, distance of slices) of the root of a data set."""
    try:
        values, _ = raw_values(head, SPACINGS)
    except BadFileFormat:
        return None, None
    texts = {tag: value.decode("latin-1").strip(" \0") for tag, value in values.items()}
    pixel = numbers(texts.get(PIXEL_SPACING), 2)
    if pixel is None:
        pixel = numbers(texts.get(IMAGER_PIXEL_SPACING), 2)
    between = numbers(texts.get(SPACING_BETWEEN_SLICES), 1)
    if between is None:
        between = numbers(texts.get(SLICE_THICKNESS), 1)
    return pixel, None if between is None else abs(float(between[0]))


def _grouped(dataset: "Dataset", frame: int, group: str, name: str) -> np.ndarray | None:
    """An attribute in the functional groups of a frame, else in the shared ones."""
    per_frame: Any = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared: Any = dataset.get("SharedFunctionalGroupsSequence") or []
    for item in (*per_frame[frame : frame + 1], *shared[:1]):
        for member in (item.get(group) or [])[:1]:
            value = member.get(name)
            if value is not None:
                return np.atleast_1d(np.array(value, np.float64))
    return None
