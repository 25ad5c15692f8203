"""Images whose file is given back as soon as nobody has them any more."""

import gc
import weakref

import pytest
from support.files import file_named
from support.images import image_in


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_RLE.dcm", "emri_small_jpeg_2k_lossless.dcm"]
)
def test_a_file_is_not_kept_for_the_collector(name: str) -> None:
    """It is mapped: each that waits for the collector is a descriptor and a map of the process."""
    gc.disable()
    try:
        image = image_in(file_named(name).read_bytes())
        image.decode(0)
        gone = weakref.ref(image)
        del image
        assert gone() is None
    finally:
        gc.enable()
