"""`MaskPixels` in the requests: what is stored, recorded, told and refused."""

import itertools
import json
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import UID
from support import generated
from support.edited import file_bytes, read

_numbers = itertools.count(1)


def sample(ours: httpx.Client, **attributes: Any) -> dict[str, str]:
    root = f"1.2.826.8.{next(_numbers)}"
    dataset = generated.base(generated.US_MULTIFRAME, "US")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = root, f"{root}.1"
    dataset.PatientID, dataset.BurnedInAnnotation = f"patient {root}", "YES"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"{root}.1.1")
    pixels = np.arange(16 * 20 * 3, dtype=np.uint8).reshape(16, 20, 3) | 1
    generated.add_pixels(dataset, pixels, frames=2)
    for name, value in attributes.items():
        setattr(dataset, name, value)
    answer: dict[str, str] = ours.post("/instances", content=file_bytes(dataset)).json()
    return answer


def codes(dataset: FileDataset) -> list[str]:
    return [each.CodeValue for each in dataset.get("DeidentificationMethodCodeSequence", [])]


MASK = {"Region": [0, 0, 20, 3], "Modality": "US", "Manufacturer": "Generated"}


@pytest.mark.parametrize("verb", ["modify", "anonymize"])
def test_an_instance(ours: httpx.Client, verb: str) -> None:
    public = sample(ours)["ID"]
    body = json.dumps({"MaskPixels": [MASK]})
    old = read(ours.get(f"/instances/{public}/file").content).pixel_array
    new = read(ours.post(f"/instances/{public}/{verb}", content=body).content)
    assert new.BurnedInAnnotation == "NO"
    assert codes(new) == (["113100", "113101"] if verb == "anonymize" else ["113101"])
    assert not new.pixel_array[:, :3].any()
    np.testing.assert_array_equal(new.pixel_array[:, 3:], old[:, 3:])


def test_a_study_of_which_one_series_is_meant(ours: httpx.Client) -> None:
    first = sample(ours)
    root = read(ours.get(f"/instances/{first['ID']}/file").content).StudyInstanceUID
    sample(
        ours,
        StudyInstanceUID=root,
        SeriesInstanceUID=f"{root}.2",
        SOPInstanceUID=f"{root}.2.1",
        PatientID=f"patient {root}",
        Modality="CT",
    )
    body = json.dumps({"MaskPixels": [MASK], "Keep": ["SeriesDescription"]})
    made = ours.post(f"/studies/{first['ParentStudy']}/anonymize", content=body).json()
    files = [
        read(ours.get(f"/instances/{each['ID']}/file").content)
        for each in ours.get(f"{made['Path']}/instances").json()
    ]
    found = {each.Modality: each for each in files}
    assert found["US"].BurnedInAnnotation == "NO" and codes(found["US"]) == ["113100", "113101"]
    assert "Clean Pixel Data Option" in list(found["US"].DeidentificationMethod)
    assert not found["US"].pixel_array[:, :3].any()
    assert found["CT"].BurnedInAnnotation == "YES" and codes(found["CT"]) == []
    assert found["CT"].pixel_array.all()


def test_compressed_and_transcoded(ours: httpx.Client) -> None:
    public = sample(ours)["ID"]
    rle = "1.2.840.10008.1.2.5"
    old = read(ours.get(f"/instances/{public}/file").content).pixel_array
    data = ours.get(f"/instances/{public}/file?transcode={rle}").content
    ours.delete(f"/instances/{public}")
    public = ours.post("/instances", content=data).json()["ID"]
    for transcode, syntax in ((None, rle), ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1")):
        fields = {"MaskPixels": [MASK], **({} if transcode is None else {"Transcode": transcode})}
        answer = ours.post(f"/instances/{public}/anonymize", content=json.dumps(fields))
        new = read(answer.content)
        assert new.file_meta.TransferSyntaxUID == syntax
        assert not new.pixel_array[:, :3].any()
        np.testing.assert_array_equal(new.pixel_array[:, 3:], old[:, 3:])


def test_a_dry_run_tells_it(ours: httpx.Client) -> None:
    public = sample(ours)["ID"]
    body = json.dumps({"MaskPixels": [MASK], "DryRun": True})
    told = ours.post(f"/instances/{public}/anonymize", content=body).json()
    rows = {row["Name"]: row for row in told["Changes"]}
    assert rows["PixelData"]["Action"] == "Masked"
    assert (rows["BurnedInAnnotation"]["OldValue"], rows["BurnedInAnnotation"]["NewValue"]) == (
        "YES",
        "NO",
    )


@pytest.mark.parametrize(
    ("mask", "code"),
    [({"Region": [0, 0, 0, 5]}, 3), ({"Region": [0, 0]}, 5), ({"Region": [20, 0, 30, 5]}, 3)],
)
def test_wrong_regions(ours: httpx.Client, mask: dict[str, Any], code: int) -> None:
    found = sample(ours)
    body = json.dumps({"MaskPixels": [mask]})
    for path in (f"/instances/{found['ID']}", f"/series/{found['ParentSeries']}"):
        answer = ours.post(f"{path}/anonymize", content=body)
        assert answer.json()["OrthancStatus"] == code, answer.text
