"""Every file of pydicom's collections: our reader's view of it and pydicom's."""

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from support.files import dicom_files

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Header

DICTIONARY = Dictionary()
MAIN_TAGS = MainTags(DICTIONARY, {})

ATTRIBUTES = {
    "rows": "Rows",
    "columns": "Columns",
    "samples_per_pixel": "SamplesPerPixel",
    "bits_allocated": "BitsAllocated",
    "bits_stored": "BitsStored",
    "high_bit": "HighBit",
    "pixel_representation": "PixelRepresentation",
    "planar_configuration": "PlanarConfiguration",
    "photometric_interpretation": "PhotometricInterpretation",
}

# Files whose PatientID has the VR UN: its padding is not removed, as in Orthanc (compared in
# test_differential.py).
PADDED = {"explicit_VR-UN.dcm", "rtdose_rle.dcm", "rtdose_rle_1frame.dcm"}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def both(path: Path) -> tuple[Header, FileDataset] | None:
    """None where one of them refuses the file."""
    data = path.read_bytes()
    try:
        header = read_header(data, MAIN_TAGS, DICTIONARY)
        return header, pydicom.dcmread(path, force=True)
    except (OrthancError, InvalidDicomError, EOFError, ValueError, AttributeError):
        return None


def shown(value: object) -> str:
    return "" if value is None else str(value).rstrip(" \0")


FILES = dicom_files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_same_view(path: Path) -> None:
    found = both(path)
    if found is None:
        return
    header, theirs = found
    padded = header.patient_id != header.patient_id.rstrip(" ")
    assert padded == (path.name in PADDED)
    assert header.patient_id.rstrip(" ") == shown(theirs.get("PatientID"))
    assert header.study_uid == shown(theirs.get("StudyInstanceUID"))
    assert header.series_uid == shown(theirs.get("SeriesInstanceUID"))
    assert header.sop_uid == shown(theirs.get("SOPInstanceUID"))
    assert shown(header.sop_class) == shown(theirs.get("SOPClassUID"))
    syntax = theirs.file_meta.get("TransferSyntaxUID") if "file_meta" in vars(theirs) else None
    if header.transfer_syntax is not None and syntax is not None:
        assert header.transfer_syntax == syntax
    if header.pixels is not None:
        for ours, name in ATTRIBUTES.items():
            value = getattr(header.pixels, ours)
            assert shown(value) == shown(theirs.get(name)), name
        element = theirs.get_item(header.pixels.element)
        assert element is not None
        if header.pixels.value_length is not None:
            start = header.pixels.value_offset
            if syntax != "1.2.840.10008.1.2.1.99":
                data = path.read_bytes()[start : start + header.pixels.value_length]
                assert data == (element.value or b"")


def test_most_files_are_read_by_both() -> None:
    assert sum(both(path) is not None for path in FILES) > 150
