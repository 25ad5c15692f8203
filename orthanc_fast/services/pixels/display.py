"""How the values of a frame are meant to be shown: rescale and window, as Orthanc finds them, and
as the standard has them. Source: reference chapter 2, section 5.5."""

import numpy as np

from orthanc_fast.dicom.display_attributes import LutValues, display_attributes
from orthanc_fast.dicom.functional_groups import FrameValues, frame_values
from orthanc_fast.imaging.render import Frame
from orthanc_fast.imaging.voi import Display, Function, Lut, Rescale, Window
from orthanc_fast.model import Resource
from orthanc_fast.numerals import BLANKS, decimal
from orthanc_fast.registries import SOP_CLASS_UID
from orthanc_fast.services.pixels.pixels import OpenImage

RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"

IDENTITY = (1.0, 0.0)
_FUNCTIONS: dict[str, Function] = {
    "LINEAR": "LINEAR",
    "LINEAR_EXACT": "LINEAR_EXACT",
    "SIGMOID": "SIGMOID",
}


def rescale(instance: Resource, image: OpenImage, index: int) -> tuple[float, float]:
    """(slope, intercept) of a frame: of the data set if it has both, one value each, else of the
    frame's own functional groups, else (1, 0). Always (1, 0) for RT Dose; shared functional groups
    do not count, as in Orthanc. Waits for the disk."""
    if instance.metadata.get(SOP_CLASS_UID) == RT_DOSE:
        return IDENTITY
    return announced_rescale(image, index)


def announced_rescale(image: OpenImage, index: int) -> tuple[float, float]:
    """The same of any object, RT Dose or not."""
    layout = image.layout
    slope, intercept = number(layout.rescale_slope), number(layout.rescale_intercept)
    if slope is not None and intercept is not None:
        return slope, intercept
    values = _of_frame(image, index)
    slope, intercept = number(values.rescale_slope), number(values.rescale_intercept)
    return IDENTITY if slope is None or intercept is None else (slope, intercept)


def window(image: OpenImage, index: int) -> tuple[float, float]:
    """(center, width) of a frame: the one that it declares, else all values of BitsStored bits."""
    return declared_window(image, index) or default_window(image)


def declared_window(image: OpenImage, index: int) -> tuple[float, float] | None:
    """The first window of the data set, else that of the frame's own functional groups, else
    None. Waits for the disk."""
    layout = image.layout
    found = _pair(layout.window_center, layout.window_width)
    if found is None:
        values = _of_frame(image, index)
        found = _pair(values.window_center, values.window_width)
    return found


def default_window(image: OpenImage) -> tuple[float, float]:
    """All values of BitsStored bits, of 8 if the file does not tell; not adapted to a sign."""
    width = float(1 << (image.layout.bits_stored or 8))
    return width / 2, width


def standard_display(
    image: OpenImage,
    index: int,
    frame: Frame,
    *,
    function: Function | None = None,
    center: float | None = None,
    width: float | None = None,
) -> Display:
    """What PS3.3 asks for: the modality LUT or rescale, then the VOI LUT or the window with its
    function; what is given here replaces the file's. Where neither says anything, all values that
    the frame has: those that its bits could have are far more, as a rule. Waits for the disk."""
    found = display_attributes(image.dataset_head, index)
    slope, intercept = number(found.rescale_slope), number(found.rescale_intercept)
    modality: Rescale | Lut = Rescale(slope or 1.0, intercept or 0.0)
    if found.modality_lut is not None:
        modality = _lut(found.modality_lut)
    is_own = center is not None or width is not None or function is not None
    if found.voi_lut is not None and not is_own:
        return Display(modality, _lut(found.voi_lut))
    declared = _pair(found.window_center, found.window_width) or _full_range(frame, modality)
    declared_function = _FUNCTIONS.get((found.window_function or "").upper(), "LINEAR")
    return Display(
        modality,
        Window(
            declared[0] if center is None else center,
            declared[1] if width is None else width,
            function or declared_function,
        ),
    )


def number(text: str | None) -> float | None:
    """The value of a DS with one value; None where it is absent, empty, or none."""
    return decimal((text or "").strip(BLANKS))


def _pair(center: str | None, width: str | None) -> tuple[float, float] | None:
    first, second = (number((text or "").split("\\")[0]) for text in (center, width))
    return None if first is None or second is None else (first, second)


def _of_frame(image: OpenImage, index: int) -> FrameValues:
    return frame_values(image.dataset_head, index)


def _lut(values: LutValues) -> Lut:
    return Lut(np.array(values.entries, np.uint16), values.first, values.bits)


def _full_range(frame: Frame, modality: Rescale | Lut) -> tuple[float, float]:
    """The window, for the function LINEAR, that shows the lowest value black, the highest white."""
    finite = frame[np.isfinite(frame)] if frame.dtype.kind == "f" else frame
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    ends = modality(np.array([low, high], np.float64))
    return float(ends.mean()) + 0.5, float(abs(ends[1] - ends[0])) + 1
