"""A few studies for searches, in which values are absent, empty, several and foreign."""

import io
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from support.generated import add_pixels

ROOT = "1.2.826.0.1.3680043.10.1042.14"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
US = "1.2.840.10008.5.1.4.1.1.3.1"
SR = "1.2.840.10008.5.1.4.1.1.88.11"

MIXED, FOREIGN, BARE = (f"{ROOT}.{number}" for number in (1, 2, 3))
CT_SERIES, MR_SERIES = f"{MIXED}.1", f"{MIXED}.2"
CREATOR = "SEARCHED 1.0"


def files() -> list[bytes]:
    """In the order in which they are to be stored: the first of a study stands for it."""
    anna = {
        "PatientID": "ANNA-1",
        "PatientName": "KNIX^ANNA^MARIA",
        "PatientBirthDate": "19700203",
        "PatientSex": "F",
        "StudyDate": "20130111",
        "StudyTime": "083722.000000",
        "StudyDescription": "Thorax mit Kontrast",
        "AccessionNumber": "A100",
        "ReferringPhysicianName": "Doe^Jane",
        "StudyID": "S1",
    }
    scheduled = Dataset()
    scheduled.ScheduledProcedureStepID = "STEP 7"
    scheduled.RequestedProcedureID = "PROCEDURE 9"
    ct = {**anna, "SeriesDescription": "Axial", "SeriesNumber": "2", "Modality": "CT"}
    mr = {
        **anna,
        "SeriesDescription": "T1",
        "SeriesNumber": "10",
        "Modality": "MR",
        "PerformedProcedureStepStartDate": "20130111",
        "PerformedProcedureStepStartTime": "0840",
        "RequestAttributesSequence": [scheduled],
    }
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "113100", "DCM", "Basic"
    foreign = {
        "PatientID": "JP-2",
        "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "PatientSex": "M",
        "StudyDate": "20140202",
        "StudyDescription": "Müller's Überblick",
        "AccessionNumber": "",
        "StudyID": "",
        "OtherPatientIDs": ["A", "", "B"],
    }
    bare = {"PatientID": "BARE-3", "PatientName": "Müller^Jürgen", "StudyDate": ""}
    made = [
        made_file(CT, MIXED, CT_SERIES, 1, ct, pixels=True, InstanceNumber="2", EchoTime=None),
        made_file(CT, MIXED, CT_SERIES, 2, ct, pixels=True, InstanceNumber="1", KVP="120"),
        made_file(MR, MIXED, MR_SERIES, 3, mr, pixels=True, InstanceNumber="1", EchoTime="20"),
        made_file(SR, FOREIGN, f"{FOREIGN}.1", 1, {**foreign, "Modality": "SR"}),
        made_file(
            SR,
            FOREIGN,
            f"{FOREIGN}.2",
            2,
            {**foreign, "Modality": "SR", "SeriesNumber": "", "ConceptNameCodeSequence": [code]},
            InstanceNumber="5",
        ),
        made_file(US, BARE, f"{BARE}.1", 1, bare, pixels=True, private=True, NumberOfFrames="3"),
    ]
    return made


def made_file(
    sop_class: str,
    study: str,
    series: str,
    number: int,
    shared: dict[str, Any],
    pixels: bool = False,
    private: bool = False,
    **own: Any,
) -> bytes:
    """One encoded file; values of None are left out."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UID(sop_class)
    dataset = FileDataset("made", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class
    uid = f"{series}.{number}"
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = UID(uid)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    for name, value in {**shared, **own}.items():
        if value is not None:
            setattr(dataset, name, value)
    if pixels:
        frames = int(own.get("NumberOfFrames", 1))
        add_pixels(dataset, np.zeros((4, 6), np.uint16), frames)
    if private:
        block = dataset.private_block(0x0029, CREATOR, create=True)
        block.add_new(1, "LO", "secret value")
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()
