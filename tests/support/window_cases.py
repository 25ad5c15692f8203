"""Small images whose data sets say different things about windows and rescale."""

from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from support import generated

RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"

FRAMES = 3


def image(sop_class: str = generated.CT, frames: int = 1) -> FileDataset:
    """A slice of 40 x 48 pixels without anything about windows and rescale."""
    dataset = generated.base(sop_class)
    generated.add_pixels(dataset, generated.anatomy(48)[:40], frames)
    for name in ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"):
        delattr(dataset, name)
    return dataset


def _plain() -> FileDataset:
    return image()


def _with(**attributes: object) -> Callable[[], FileDataset]:
    def build() -> FileDataset:
        dataset = image()
        for name, value in attributes.items():
            setattr(dataset, name, value)
        return dataset

    return build


def _monochrome1() -> FileDataset:
    dataset = _with(WindowCenter=500, WindowWidth=900)()
    dataset.PhotometricInterpretation = "MONOCHROME1"
    return dataset


def _dose() -> FileDataset:
    dataset = image(RT_DOSE)
    dataset.RescaleSlope, dataset.RescaleIntercept = 2, -100
    dataset.WindowCenter, dataset.WindowWidth = 500, 900
    dataset.DoseGridScaling = "0.5"
    return dataset


def _of_12_bits() -> FileDataset:
    dataset = image()
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    dataset.PixelData = np.clip(generated.anatomy(48)[:40], 0, 4095).astype("<u2").tobytes()
    return dataset


def _groups(center: float, slope: float) -> Dataset:
    group, window, transformation = Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = center, 700
    transformation.RescaleSlope, transformation.RescaleIntercept = slope, -10
    transformation.RescaleType = "HU"
    group.FrameVOILUTSequence = Sequence([window])
    group.PixelValueTransformationSequence = Sequence([transformation])
    return group


def _per_frame() -> FileDataset:
    dataset = image(ENHANCED_CT, FRAMES)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [_groups(300 + 100 * number, 1 + number / 4) for number in range(FRAMES)]
    )
    return dataset


def _shared() -> FileDataset:
    dataset = image(ENHANCED_CT, FRAMES)
    dataset.SharedFunctionalGroupsSequence = Sequence([_groups(300, 2)])
    return dataset


CASES: dict[str, Callable[[], FileDataset]] = {
    "plain": _plain,
    "window": _with(WindowCenter=500, WindowWidth=900),
    "windows": _with(WindowCenter=[400, 100], WindowWidth=[800, 1]),
    "window-center-only": _with(WindowCenter=400),
    "window-of-width-1": _with(WindowCenter=400, WindowWidth=1),
    "narrow-window": _with(WindowCenter=400, WindowWidth="0.5"),
    "negative-window": _with(WindowCenter=400, WindowWidth=-5),
    "rescale": _with(RescaleSlope="0.5", RescaleIntercept="-100", WindowCenter=20, WindowWidth=300),
    "negative-slope": _with(
        RescaleSlope=-1, RescaleIntercept=1000, WindowCenter=500, WindowWidth=900
    ),
    "small-slope": _with(
        RescaleSlope="0.00005", RescaleIntercept=0, WindowCenter="0.02", WindowWidth=1.5
    ),
    "small-negative-slope": _with(
        RescaleSlope="-0.00005", RescaleIntercept=0, WindowCenter="0.02", WindowWidth=1.5
    ),
    "slope-only": _with(RescaleSlope=2, WindowCenter=500, WindowWidth=900),
    "many-slopes": _with(
        RescaleSlope=[2, 3], RescaleIntercept=[0, 1], WindowCenter=500, WindowWidth=900
    ),
    "monochrome1": _monochrome1,
    "dose": _dose,
    "12-bits": _of_12_bits,
    "per-frame": _per_frame,
    "shared": _shared,
}


def files() -> dict[str, bytes]:
    """The file of each case, all of one series."""
    found = {}
    for number, (name, build) in enumerate(CASES.items()):
        dataset = build()
        template = generated.encode(dataset)
        found[name] = template.number(77, 77, 77, 7700 + number)
    return found
