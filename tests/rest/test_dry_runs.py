"""Dry runs say what the requests themselves then do, and change nothing."""

import itertools
import json
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from support import generated
from support.edited import file_bytes, item, read, sequence

_numbers = itertools.count(1)

BODIES: list[tuple[str, dict[str, Any]]] = [
    ("anonymize", {}),
    ("anonymize", {"KeepPrivateTags": True, "DicomVersion": "2008"}),
    (
        "anonymize",
        {
            "Keep": ["StudyDescription", "ReferencedImageSequence[0].PatientName"],
            "Remove": ["BodyPartExamined", "ReferencedImageSequence[1].Modality"],
            "Replace": {
                "PatientName": "Case^42",
                "ImageComments": "added",
                "ReferencedImageSequence[*].StudyDescription": "nested",
            },
        },
    ),
    ("modify", {"Replace": {"PatientName": "Other^Name", "PatientComments": "x"}}),
    ("modify", {"Remove": ["StudyDescription"], "RemovePrivateTags": True}),
]


def sample() -> bytes:
    root = f"1.2.826.7.{next(_numbers)}"
    dataset = generated.base()
    generated.add_private(dataset, 4)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = root, f"{root}.1"
    dataset.PatientID = f"patient {root}"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"{root}.1.1")
    dataset.ReferencedImageSequence = sequence(
        item(ReferencedSOPInstanceUID="1.2.3.4", PatientName="Nested^One", Modality="CT"),
        item(ReferencedSOPInstanceUID="1.2.3.5", PatientName="Nested^Two", Modality="MR"),
    )
    return file_bytes(dataset)


def leaves(dataset: Dataset, before: str = "") -> dict[str, Any]:
    """The elements at all depths, by the paths that dry runs give them."""
    found: dict[str, Any] = {}
    for element in dataset:
        name = f"{before}{element.tag.group:04x},{element.tag.element:04x}"
        if element.VR == "SQ":
            for number, each in enumerate(element.value):
                found |= leaves(each, f"{name}[{number}].")
        else:
            value = element.value
            found[name] = "" if value is None else str(value)
    return found


def stored(ours: httpx.Client) -> dict[str, str]:
    answer: dict[str, str] = ours.post("/instances", content=sample()).json()
    return answer


@pytest.mark.parametrize(("verb", "body"), BODIES)
def test_what_is_told_is_what_happens(ours: httpx.Client, verb: str, body: dict[str, Any]) -> None:
    path = f"/instances/{stored(ours)['ID']}"
    old = leaves(read(ours.get(f"{path}/file").content))
    told = ours.post(f"{path}/{verb}", content=json.dumps({**body, "DryRun": True})).json()
    new = leaves(read(ours.post(f"{path}/{verb}", content=json.dumps(body)).content))
    rows = {row["Path"]: row for row in told["Changes"]}
    assert told["InstancesCount"] == 1
    assert len(rows) == len(told["Changes"])
    assert new.keys() <= rows.keys()
    for name, row in rows.items():
        action = row["Action"]
        if action == "Removed":
            assert name not in new, row
        elif action == "Cleared":
            assert new[name] == "" and row["NewValue"] == "", row
        elif action == "Kept":
            assert new[name] == old[name], row
        elif action == "Remapped":
            assert new[name] != old[name], row
            assert row["NewValue"] is None
        else:
            assert action == ("Replaced" if name in old else "Added"), row
            assert new[name].startswith(row["NewValue"]), row  # a name gets its number later
        if row["OldValue"] is not None and name in old and "\\" not in row["OldValue"]:
            assert old[name] == row["OldValue"], row
    assert {"0010,0010", "0008,1030"} <= rows.keys()
    assert rows["0010,0010"]["Name"] == "PatientName"
    assert rows["0010,0010"]["OldValue"] == "Test^Person"


@pytest.mark.parametrize("level", ["series", "studies", "patients"])
def test_nothing_is_written(ours: httpx.Client, level: str) -> None:
    answer = stored(ours)
    parents = {"series": "ParentSeries", "studies": "ParentStudy", "patients": "ParentPatient"}
    before = [ours.get(path).content for path in ("/statistics", "/changes?last", "/jobs")]
    body = json.dumps({"DryRun": True, "KeepSource": False})
    told = ours.post(f"/{level}/{answer[parents[level]]}/anonymize", content=body).json()
    assert told["IsAnonymization"] is True and told["InstancesCount"] == 1
    assert [ours.get(path).content for path in ("/statistics", "/changes?last", "/jobs")] == before


def test_one_row_for_a_path_of_many_instances(ours: httpx.Client) -> None:
    answers = [stored(ours) for _ in range(3)]
    resources = [answer["ID"] for answer in answers[:2]] + [answers[2]["ParentStudy"]]
    body = json.dumps({"Resources": resources, "DryRun": True})
    told = ours.post("/tools/bulk-anonymize", content=body).json()
    rows = {row["Path"]: row for row in told["Changes"]}
    assert told["InstancesCount"] == 3
    assert len(rows) == len(told["Changes"])
    assert all(row["Instances"] == 3 for row in rows.values())
    assert rows["0008,1140[*].0010,0010"]["Action"] == "Replaced"
    assert rows["0029,1000"]["Action"] == "Removed"


@pytest.mark.parametrize(
    "body", [{"Remove": ["NoSuchTag"]}, {"Keep": ["PatientID"]}, {"Transcode": "nope"}]
)
def test_errors_are_those_of_the_request(ours: httpx.Client, body: dict[str, Any]) -> None:
    series = stored(ours)["ParentSeries"]
    for path in (f"/series/{series}/anonymize", "/series/nope/anonymize"):
        dry = ours.post(path, content=json.dumps({**body, "DryRun": True}))
        real = ours.post(path, content=json.dumps(body))
        assert dry.status_code == real.status_code >= 400
        assert dry.json() == real.json()


def test_a_flag_is_a_boolean(ours: httpx.Client) -> None:
    series = stored(ours)["ParentSeries"]
    found = ours.post(f"/series/{series}/anonymize", content=json.dumps({"DryRun": 1}))
    assert (found.status_code, found.json()["OrthancStatus"]) == (400, 15)
