"""Series for the viewer whose values and places are known by formulas."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.uid import generate_uid
from support import generated

SLICES = 200
COLUMNS, ROWS = 160, 120
ROW_MM, COLUMN_MM = 0.5, 0.8
INTERCEPT = -1000


def stored(number: int, columns: int = COLUMNS, rows: int = ROWS) -> "np.ndarray":
    """The values of a slice: each tells its column, its row and its slice."""
    y, x = np.mgrid[:rows, :columns]
    values: np.ndarray = (10 * x + y - 3 * number).astype("<i2")
    return values


def value(number: int, column: int, row: int) -> int:
    """In Hounsfield units."""
    return 10 * column + row - 3 * number + INTERCEPT


def ct(slices: int = SLICES, columns: int = COLUMNS, rows: int = ROWS) -> Iterator[bytes]:
    """One series of axial slices a millimetre apart, the highest number at the head."""
    yield from series(
        [stored(number, columns, rows) for number in range(slices)],
        RescaleIntercept=str(INTERCEPT),
        PixelSpacing=[ROW_MM, COLUMN_MM],
    )


def series(pictures: list["np.ndarray"], **elements: Any) -> Iterator[bytes]:
    """One series of these slices; an element that is None is left out."""
    common = generated.base()
    common.StudyInstanceUID, common.SeriesInstanceUID = generate_uid(), generate_uid()
    common.FrameOfReferenceUID = generate_uid()
    for number, pixels in enumerate(pictures):
        generated.add_pixels(common, pixels)
        common.SOPInstanceUID = common.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        common.InstanceNumber = str(number + 1)
        common.ImagePositionPatient = [-64.0, -30.0, float(number)]
        _change(common, elements)
        yield generated.encode_once(common)


def _change(dataset: Dataset, elements: dict[str, Any]) -> None:
    for name, content in elements.items():
        if content is not None:
            setattr(dataset, name, content)
        elif name in dataset:
            delattr(dataset, name)
