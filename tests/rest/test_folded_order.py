"""OrderBy with "DicomTagFolded", which is this server's own: the order in which people look for
names, and in which the index holds them."""

import io
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.uid import UID
from support import generated

# In order; those in one tuple are equal, and stay in the order in which they are stored.
NAMES = [
    ("adams^b",),
    ("Adams^C",),
    ("SMITH^a", "Smith^A", "smith^a"),
    ("Zoe",),
    ("école", "École"),
]


@pytest.fixture(scope="module")
def stored(ours: httpx.Client) -> dict[str, str]:
    """The name of each study by its identifier, stored from the last to the first."""
    found = {}
    number = 0
    for group in reversed(NAMES):
        for name in group:
            number += 1
            data = generated.base()
            data.SpecificCharacterSet = "ISO_IR 192"
            data.PatientName, data.PatientID = name, f"folded{number}"
            data.StudyInstanceUID = UID(f"{generated.ROOT}.66.{number}")
            data.SeriesInstanceUID = UID(f"{data.StudyInstanceUID}.1")
            data.SOPInstanceUID = UID(f"{data.StudyInstanceUID}.2")
            data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
            buffer = io.BytesIO()
            pydicom.dcmwrite(buffer, data, enforce_file_format=True)
            answer = ours.post("/instances", content=buffer.getvalue())
            found[answer.json()["ParentStudy"]] = name
    return found


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("query", [{"PatientID": "folded*"}, {}], ids=["few", "all"])
def test_upper_and_lower_case_are_one(
    ours: httpx.Client, stored: dict[str, str], query: dict[str, str], direction: str
) -> None:
    """Of few the values are read, of all studies the index is walked."""
    order = {"Type": "DicomTagFolded", "Key": "PatientName", "Direction": direction}
    body: dict[str, Any] = {"Level": "Study", "Query": query, "OrderBy": [order]}
    found = ours.post("/tools/find", json=body).json()
    groups = NAMES if direction == "ASC" else NAMES[::-1]
    expected = [name for group in groups for name in group]
    assert [stored[each] for each in found if each in stored] == expected


def test_a_second_criterion(ours: httpx.Client, stored: dict[str, str]) -> None:
    order = [
        {"Type": "DicomTagFolded", "Key": "PatientName", "Direction": "ASC"},
        {"Type": "DicomTag", "Key": "PatientID", "Direction": "DESC"},
    ]
    body = {"Level": "Study", "Query": {"PatientID": "folded*"}, "OrderBy": order}
    found = ours.post("/tools/find", json=body).json()
    expected = [name for group in NAMES for name in reversed(group)]
    assert [stored[each] for each in found] == expected
