"""Display values against pydicom's modality and VOI functions, over whole files."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence
from support import generated
from support.files import file_named

from orthanc_fast.imaging.voi import Display, Function, Lut, Rescale, Window
from orthanc_fast.services.pixels.display import standard_display
from orthanc_fast.services.pixels.pixels import open_image

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


def ours(data: bytes, index: int = 0) -> np.ndarray:
    image = open_image(data, None, EXPLICIT_LITTLE)
    frame = image.decode(index)
    return standard_display(image, index, frame)(frame)


def levels(values: np.ndarray, top: float) -> np.ndarray:
    return np.floor(values / top * 255 + 0.5)


def pydicoms(dataset: Dataset, index: int = 0) -> np.ndarray:
    """Windows of pydicom spread over the range of the stored values, which we undo."""
    values = apply_modality_lut(dataset.pixel_array, dataset)
    shown = apply_voi_lut(values, dataset, index).astype("f8")
    if "VOILUTSequence" in dataset:
        return levels(shown, (1 << dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    slope, intercept = (
        float(dataset.get("RescaleSlope", 1)),
        float(dataset.get("RescaleIntercept", 0)),
    )
    low = -(1 << dataset.BitsStored - 1) if dataset.PixelRepresentation else 0
    ends = [low * slope + intercept, (low + (1 << dataset.BitsStored) - 1) * slope + intercept]
    return levels(shown - ends[0], ends[1] - ends[0])


def slice_with(**attributes: object) -> tuple[FileDataset, bytes]:
    dataset = generated.base()
    generated.add_pixels(dataset, generated.anatomy(48))
    dataset.WindowCenter, dataset.WindowWidth = -20, 700
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset, generated.encode(dataset).data


def test_a_modality_lut_and_a_voi_lut_of_real_files() -> None:
    # One has a modality LUT and no window, the other a VOI LUT of 8 bits.
    path: Path = file_named("vlut_04.dcm")
    np.testing.assert_array_equal(ours(path.read_bytes()), pydicoms(dcmread(path)))
    path = file_named("mlut_18.dcm")
    dataset = dcmread(path)
    values = apply_modality_lut(dataset.pixel_array, dataset).astype("f8")
    found = ours(path.read_bytes())
    order = np.argsort(values, axis=None)
    assert (np.diff(found.reshape(-1)[order].astype(int)) >= 0).all()
    assert len(np.unique(found)) > 100


@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_with_their_functions(function: str | None) -> None:
    attributes = {} if function is None else {"VOILUTFunction": function}
    dataset, data = slice_with(**attributes)
    difference = np.abs(ours(data).astype(int) - pydicoms(dataset))
    assert difference.max() <= 1  # halves, which binary64 puts on either side
    assert (difference > 0).mean() < 0.01
    assert len(np.unique(ours(data))) > 70


def test_a_voi_lut_wins_over_a_window_and_starts_where_it_says() -> None:
    table = Dataset()
    entries = (np.sqrt(np.arange(1024) / 1023) * 4095).astype("<u2")
    table.LUTDescriptor = [1024, (-512) % 65536, 12]
    table["LUTDescriptor"].VR = "US"
    table.LUTData = entries.tobytes()
    table["LUTData"].VR = "OW"
    dataset, data = slice_with(VOILUTSequence=Sequence([table]))
    values = dataset.pixel_array.astype("f8") - 1024
    expected = levels(entries[np.clip(values + 512, 0, 1023).astype(int)].astype("f8"), 4095)
    np.testing.assert_array_equal(ours(data), expected)


def test_a_lut_that_is_too_short_does_not_count() -> None:
    table = Dataset()
    table.LUTDescriptor = [1024, 0, 12]
    table["LUTDescriptor"].VR = "US"
    table.LUTData = b"\1\0" * 10
    table["LUTData"].VR = "OW"
    _, damaged = slice_with(VOILUTSequence=Sequence([table]))
    _, plain = slice_with()
    np.testing.assert_array_equal(ours(damaged), ours(plain))


def test_shared_and_single_groups_count() -> None:
    def group(center: float) -> Dataset:
        window, item = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = center, 700
        item.FrameVOILUTSequence = Sequence([window])
        return item

    expected = [ours(slice_with(WindowCenter=center)[1]) for center in (-200, 0)]
    shared = {"SharedFunctionalGroupsSequence": Sequence([group(-200)])}
    np.testing.assert_array_equal(ours(slice_with(**shared)[1]), expected[0])
    single = {"PerFrameFunctionalGroupsSequence": Sequence([group(0)])}
    np.testing.assert_array_equal(ours(slice_with(**shared, **single)[1]), expected[1])


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("width", [0.0, 1.0])
def test_windows_without_width_are_thresholds(function: Function, width: float) -> None:
    values = np.arange(-100, 100, dtype="i2").reshape(10, 20)
    shown = Display(Rescale(), Window(10.0, width, function))(values)
    assert shown[values < 9].max() <= 5
    assert shown[values > 11].min() >= 250


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
def test_every_kind_of_pixels_is_shown_alike(kind: str) -> None:
    values = np.arange(120, dtype=kind).reshape(10, 12)
    expected = Display(Rescale(2, -3), Window(100.0, 150.0))(values.astype("i2"))
    np.testing.assert_array_equal(Display(Rescale(2, -3), Window(100.0, 150.0))(values), expected)
    assert len(np.unique(expected)) > 50


def test_what_is_no_number_is_black() -> None:
    values = np.array([[np.nan, np.inf, -np.inf, 50.0]], "f4")
    np.testing.assert_array_equal(
        Display(Rescale(), Window(50.0, 10.0, "LINEAR_EXACT"))(values), [[0, 255, 0, 128]]
    )


def test_the_white_of_a_table_that_is_narrower_than_it_announces() -> None:
    entries = np.linspace(255, 8192, 4096).astype("u2")
    values = np.array([[0, 2048, 4095, 9999]], "u2")
    shown = Display(Rescale(), Lut(entries, 0, 16))(values)
    assert shown.tolist() == [[8, int(entries[2048] / 8192 * 255 + 0.5), 255, 255]]
    # A table that needs all of its bits may be meant to stay below white.
    shown = Display(Rescale(), Lut(np.array([0, 40000], "u2"), 0, 16))(values)
    assert shown.tolist() == [[0, 156, 156, 156]]
    assert Display(Rescale(), Lut(np.zeros(1, "u2"), 0, 16))(values).tolist() == [[0] * 4]
