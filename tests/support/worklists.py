"""Worklists as a RIS writes them, and queries for them."""

import io
from typing import Any

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

SOP_CLASS = "1.2.840.10008.5.1.4.31"

PATIENT_ID, PATIENT_NAME, STEPS = 0x00100020, 0x00100010, 0x00400100
MODALITY, STATION, START, STEP_ID = 0x00080060, 0x00400001, 0x00400002, 0x00400009


def step(number: int, modality: str = "CT", station: str = "CT01", **more: Any) -> Dataset:
    """A scheduled procedure step on day `number` of a month."""
    found = Dataset()
    found.Modality, found.ScheduledStationAETitle = modality, station
    found.ScheduledProcedureStepStartDate = f"202601{number % 28 + 1:02d}"
    found.ScheduledProcedureStepStartTime = f"{number % 24:02d}0000"
    found.ScheduledPerformingPhysicianName = "Doctor^X"
    found.ScheduledProcedureStepID = f"S{number}"
    for keyword, value in more.items():
        setattr(found, keyword, value)
    return found


def worklist(
    number: int,
    name: str = "Plain^A",
    steps: list[Dataset] | None = None,
    character_set: str | None = "ISO_IR 192",
    **more: Any,
) -> FileDataset:
    """A worklist; `more` are further elements, None for those that it shall not have."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID(SOP_CLASS)
    meta.MediaStorageSOPInstanceUID = UID(f"1.2.9.{number}")
    found = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    if character_set is not None:
        found.SpecificCharacterSet = character_set
    found.PatientName, found.PatientID = name, f"P{number}"
    found.PatientBirthDate, found.PatientSex = f"19{number % 100:02d}0101", "FMO"[number % 3]
    found.AccessionNumber, found.StudyInstanceUID = f"A{number}", f"1.2.3.{number}"
    found.SOPInstanceUID = f"1.2.9.{number}"
    found.RequestedProcedureID = f"R{number}"
    found.RequestedProcedureDescription = "Thorax"
    found.ScheduledProcedureStepSequence = [step(number)] if steps is None else steps
    for keyword, value in more.items():
        if value is None:
            delattr(found, keyword)
        else:
            setattr(found, keyword, value)
    return found


def file(dataset: FileDataset) -> bytes:
    buffer = io.BytesIO()
    with disable_value_validation():
        dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
