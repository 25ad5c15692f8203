"""The options of PS3.15 in requests: over whole studies, as jobs, with keys."""

import itertools
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import UID
from support import generated
from support.edited import file_bytes, read
from support.server import OurServer

_numbers = itertools.count(1)


def study(ours: httpx.Client, **attributes: Any) -> dict[str, str]:
    """Of two instances: one names an operator, the other mentions him in its description."""
    root = f"1.2.826.9.{next(_numbers)}"
    for number in (1, 2):
        dataset = generated.base()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = root, f"{root}.{number}"
        dataset.PatientID = f"PAT{root.replace('.', '')}"
        uid = UID(f"{root}.{number}.1")
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        if number == 1:
            dataset.OperatorsName = "Hopper^Grace"
        dataset.SeriesDescription = f"{number} axial, HOPPER, {dataset.PatientID}"
        for name, value in attributes.items():
            setattr(dataset, name, value)
        answer: dict[str, str] = ours.post("/instances", content=file_bytes(dataset)).json()
    return answer


def anonymized(
    ours: httpx.Client, path: str, **body: Any
) -> tuple[dict[str, Any], list[FileDataset]]:
    made = ours.post(f"{path}/anonymize", content=json.dumps(body))
    assert made.status_code == 200, made.text
    files = [
        read(ours.get(f"/instances/{each['ID']}/file").content)
        for each in ours.get(f"{made.json()['Path']}/instances").json()
    ]
    return made.json(), sorted(files, key=lambda each: str(each.get("SeriesDescription", "")))


def test_a_study_is_cleaned_with_what_any_of_its_instances_says(ours: httpx.Client) -> None:
    path = f"/studies/{study(ours)['ParentStudy']}"
    made, files = anonymized(ours, path, Options=["CleanDescriptors"])
    assert [each.SeriesDescription for each in files] == ["1 axial, ,", "2 axial, ,"]
    assert made["NotJudged"] == []
    told = ours.post(
        f"{path}/anonymize", content=json.dumps({"Options": ["CleanDescriptors"], "DryRun": True})
    ).json()
    rows = {row["Name"]: row for row in told["Changes"]}
    assert rows["SeriesDescription"]["NewValue"] in ("1 axial, ,", "2 axial, ,")
    assert rows["OperatorsName"]["Action"] == "Removed"


def test_a_second_export_matches_the_first(ours: httpx.Client) -> None:
    found = study(ours)
    body: dict[str, Any] = {
        "PseudonymKey": "a secret",
        "Options": ["RetainLongitudinalModifiedDates"],
    }
    one, files = anonymized(ours, f"/studies/{found['ParentStudy']}", **body)
    again, _ = anonymized(ours, f"/studies/{found['ParentStudy']}", **body)
    assert one["ID"] == again["ID"]
    assert one["PatientID"] == again["PatientID"]
    single = read(
        ours.post(f"/instances/{found['ID']}/anonymize", content=json.dumps(body)).content
    )
    assert single.SOPInstanceUID in {each.SOPInstanceUID for each in files}
    assert single.PatientName == files[0].PatientName
    assert single.StudyDate == files[0].StudyDate != "20240115"
    other, _ = anonymized(
        ours, f"/studies/{found['ParentStudy']}", **{**body, "PseudonymKey": "another"}
    )
    assert other["PatientID"] != one["PatientID"]
    told = ours.post(
        f"/instances/{found['ID']}/anonymize", content=json.dumps({**body, "DryRun": True})
    ).json()
    rows = {row["Name"]: row for row in told["Changes"]}
    assert rows["SOPInstanceUID"]["NewValue"] == single.SOPInstanceUID


def test_the_key_of_the_configuration(tmp_path: Path) -> None:
    ids = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        with (
            OurServer(folder, {"PseudonymKey": "of this site"}) as server,
            httpx.Client(base_url=server.url, timeout=60) as client,
        ):
            data = file_bytes(generated.base())
            public = client.post("/instances", content=data).json()["ID"]
            new = read(client.post(f"/instances/{public}/anonymize", content=b"{}").content)
            ids.append((new.PatientID, new.StudyInstanceUID, str(new.PatientName)))
    assert ids[0] == ids[1]


def test_what_is_left_to_people(ours: httpx.Client) -> None:
    found = study(ours, Modality="US", PixelData=b"\0\0", BitsAllocated=8)
    path = f"/studies/{found['ParentStudy']}"
    made, _ = anonymized(ours, path, Options=["RetainUIDs"])
    assert made["NotJudged"] == [
        {
            "Reason": "BurnedInAnnotation",
            "Details": "the pixels may show names",
            "Instances": 2,
        }
    ]
    plain, _ = anonymized(ours, path)
    assert "NotJudged" not in plain


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"Options": ["Nothing"]}, 3),
        ({"Options": "CleanDescriptors"}, 5),
        ({"PseudonymKey": ""}, 3),
        ({"DateShift": 1}, 3),
    ],
)
def test_wrong_requests(ours: httpx.Client, body: dict[str, Any], code: int) -> None:
    found = study(ours)
    for path in (f"/studies/{found['ParentStudy']}", f"/instances/{found['ID']}"):
        answer = ours.post(f"{path}/anonymize", content=json.dumps(body))
        assert answer.json()["OrthancStatus"] == code, answer.text
