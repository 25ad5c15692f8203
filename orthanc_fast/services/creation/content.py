"""Images and documents into data sets on their way. Source: reference chapter 3, section 3.6.4."""

from collections.abc import Iterable

from orthanc_fast.dicom.json_values import PIXEL_DATA, Embedded
from orthanc_fast.imaging.encapsulate import encapsulate
from orthanc_fast.services.creation.data_set import WRITE, DataSet
from orthanc_fast.services.modification.content import embedded, encapsulated_image
from orthanc_fast.transfer_syntaxes import JPEG_BASELINE


def add_content(data_set: DataSet, uri: str, is_encapsulated: bool = False) -> None:
    """Adds an image or document, and the elements that describe it. An image that
    `is_encapsulated` stays compressed. Raises what `embedded` and `encapsulated_image` raise."""
    if is_encapsulated:
        elements, image = encapsulated_image(uri)
        data_set.set_fragments(PIXEL_DATA, encapsulate([image]).parts, JPEG_BASELINE)
    else:
        elements = embedded(uri)
    add_elements(data_set, elements)


def add_elements(data_set: DataSet, elements: Iterable[Embedded]) -> None:
    """Adds what describes an image or document; what is there already wins over a default."""
    for each in elements:
        if each.tag not in data_set or not each.is_default:
            header = WRITE.header(each.tag, each.vr, len(each.value))
            data_set.set_parts(each.tag, header, each.value)
