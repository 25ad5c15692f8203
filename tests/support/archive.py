"""A small archive whose values try the rules of searching: accents, spaces, several and empty
values, absent tags. Resources have short names: patient `p1`, study `p1s1`, series `p1s1r1`."""

import io
from typing import Any, NamedTuple

import httpx
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from support.generated import ROOT, identifier

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
PLURALS = ("patients", "studies", "series", "instances")

PATIENTS: dict[str, dict[str, Any]] = {
    "p1": {"PatientID": "P1", "PatientName": "MÜX^A", "PatientSex": "M", "PatientComments": "kind"},
    "p2": {"PatientID": "p_2", "PatientName": "Smith^John", "PatientBirthDate": "19700101"},
    "p3": {"PatientID": " A b", "PatientName": "smith^ÉLODIE", "PatientSex": ""},
    "p4": {"PatientName": "山田^太郎"},
}
STUDIES: dict[str, dict[str, Any]] = {
    "p1s1": {
        "StudyDate": "20200101",
        "StudyTime": "101530.250",
        "StudyDescription": "T_50%",
        "InstitutionName": ["A", "B"],
        "AccessionNumber": "Acc1",
    },
    "p1s2": {"StudyDate": "", "StudyDescription": "Thorax", "InstitutionName": "Hôpital"},
    "p2s1": {"StudyDate": "20200115", "StudyDescription": "thorax", "AccessionNumber": "acc1"},
    "p2s2": {"StudyDate": "20210101", "StudyID": "7", "InstitutionName": "HÔPITAL x"},
    "p3s1": {"StudyDate": "20200110", "StudyDescription": "", "StudyID": "10"},
    "p4s1": {"StudyID": "9", "StudyDescription": " Thorax"},
}
SERIES: dict[str, dict[str, Any]] = {
    "p1s1r1": {"Modality": "CT", "SeriesDescription": "Été chaud", "ProtocolName": "a.c"},
    "p1s1r2": {"Modality": "MR", "SeriesDescription": "Été Froid", "ProtocolName": "abc"},
    "p1s2r1": {"Modality": "SR", "SeriesNumber": "3", "ProtocolName": "[ab]c"},
    "p2s1r1": {"Modality": "CT", "SeriesNumber": "20"},
    "p2s2r1": {"Modality": "PT", "BodyPartExamined": "CHEST", "OperatorsName": ["A^B", "C^D"]},
    "p3s1r1": {"Modality": "ct", "SeriesDescription": "x" * 300, "SeriesNumber": "-1"},
    "p4s1r1": {"SeriesDescription": "*", "SeriesNumber": ""},
}
INSTANCES: dict[str, dict[str, Any]] = {
    "p1s1r1i1": {"InstanceNumber": "1", "ImageType": ["ORIGINAL", "PRIMARY"], "KVP": "120"},
    "p1s1r1i2": {"InstanceNumber": "2", "ImageType": ["DERIVED", "PRIMARY"], "KVP": "80"},
    "p1s1r1i3": {"InstanceNumber": "10", "ImageComments": "Straße"},
    "p1s1r2i1": {"InstanceNumber": "1", "SOPClassUID": MR},
    "p1s2r1i1": {"ImageComments": ""},
    "p2s1r1i1": {"InstanceNumber": "01", "AcquisitionDate": "20200116"},
    "p2s2r1i1": {"NumberOfFrames": "4", "AcquisitionDate": "20210102"},
    "p3s1r1i1": {"ImageComments": "STRASSE"},
    "p4s1r1i1": {"ImageComments": "a\nb"},
}
SEQUENCES = {"p1s1r2": ("RequestAttributesSequence", "ScheduledProcedureStepID", "step 1")}
LEVELS = (PATIENTS, STUDIES, SERIES, INSTANCES)


class Names(NamedTuple):
    """Both ways between names and identifiers."""

    ids: dict[str, str]
    names: dict[str, str]


def uids(name: str) -> tuple[str, str, str, str]:
    """PatientID and the UIDs of an instance and of what it belongs to."""
    numbers = [name[at : at + 2] for at in range(0, 8, 2)]
    study = f"{ROOT}.{numbers[0][1]}.{numbers[1][1]}"
    series = f"{study}.{numbers[2][1]}"
    patient = PATIENTS[numbers[0]].get("PatientID", "")
    return patient, study, series, f"{series}.{numbers[3][1]}"


def names() -> Names:
    ids = {
        name[: 2 * depth]: identifier(*uids(name)[:depth])
        for name in INSTANCES
        for depth in range(1, 5)
    }
    return Names(ids, {value: name for name, value in ids.items()})


def file_of(name: str) -> bytes:
    """One instance as a file, in UTF-8, without pixel data."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = CT
    _, dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = uids(name)
    with disable_value_validation():
        for level, members in enumerate(LEVELS, start=1):
            for keyword, value in members[name[: 2 * level]].items():
                setattr(dataset, keyword, value)
        if name[:6] in SEQUENCES:
            keyword, inner, value = SEQUENCES[name[:6]]
            item = Dataset()
            setattr(item, inner, value)
            setattr(dataset, keyword, [item])
        meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def upload(client: httpx.Client) -> Names:
    """Puts all instances into a server."""
    for name in INSTANCES:
        client.post("/instances", content=file_of(name)).raise_for_status()
    return names()
