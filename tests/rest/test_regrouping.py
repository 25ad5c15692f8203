"""Split and merge beside Orthanc 1.13: answers, errors, and every element of what comes of them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import UID
from support import generated
from support.edited import Canonical, file_bytes, item, read, sequence
from support.job_results import completed

Both = tuple[httpx.Client, httpx.Client]

NOBODY = generated.identifier("nobody")


def dicom(patient: int, study: int, series: int, number: int, **values: Any) -> FileDataset:
    dataset = generated.base()
    root = f"1.2.{patient}.{study}"
    dataset.PatientID, dataset.PatientName = f"P{patient}", f"Jörg^{patient}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = root, f"{root}.{series}"
    dataset.SOPInstanceUID = UID(f"{root}.{series}.{number}")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.InstanceNumber = 1000 * study + 100 * series + number
    dataset.StudyDescription, dataset.InstitutionName = f"study {study}", "I"
    dataset.ReferencedImageSequence = sequence(
        item(ReferencedSOPInstanceUID=dataset.SOPInstanceUID)
    )
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


class Archive:
    """Two studies on both servers; the second one of another patient, with other tags."""

    def __init__(self, both: Both) -> None:
        self.both = both
        self.ids: dict[str, str] = {}
        for series in (1, 2):
            for number in (1, 2):
                self._add("a", dicom(1, 1, series, number, AccessionNumber="A1"))
        extra = {"PatientBirthDate": "", "SpecificCharacterSet": "ISO_IR 192", "StudyID": "é2"}
        codes = {"ReferencedStudySequence": sequence(item(ReferencedSOPInstanceUID="1.2.9"))}
        for series in (1, 2):
            for number in (1, 2):
                self._add("b", dicom(2, 2, series, number, **extra, **codes))

    def _add(self, name: str, dataset: FileDataset) -> None:
        data = file_bytes(dataset)
        ours, theirs = (client.post("/instances", content=data).json() for client in self.both)
        assert ours == theirs
        series, number = str(dataset.SOPInstanceUID).split(".")[-2:]
        self.ids |= {
            name: ours["ParentStudy"],
            f"{name}p": ours["ParentPatient"],
            f"{name}{series}": ours["ParentSeries"],
            f"{name}{series}{number}": ours["ID"],
        }

    def filled(self, value: Any) -> Any:
        """A body with identifiers in place of names."""
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        return self.ids.get(value, value) if isinstance(value, str) else value

    def send(self, study: str, verb: str, body: Any) -> tuple[httpx.Response, httpx.Response]:
        if isinstance(body, dict):
            body = json.dumps(
                {
                    name: self.filled(value)
                    if name in ("Series", "Instances", "Resources")
                    else value
                    for name, value in body.items()
                }
            )
        path = f"/studies/{self.ids.get(study, study)}/{verb}"
        ours, theirs = (client.post(path, content=body) for client in self.both)
        return ours, theirs


@pytest.fixture
def archive(both: Both) -> Iterator[Archive]:
    emptied(both)  # the server is that of other modules too
    yield Archive(both)
    emptied(both)


def emptied(both: Both) -> None:
    for client in both:
        for patient in client.get("/patients").json():
            client.delete(f"/patients/{patient}")


def everything(client: httpx.Client) -> list[Any]:
    """All instances that there are, in the order of their numbers."""
    found = [
        (each, read(client.get(f"/instances/{each}/file").content))
        for each in client.get("/instances").json()
    ]
    found.sort(key=lambda pair: (int(pair[1].InstanceNumber), len(str(pair[1].SOPInstanceUID))))
    canonical = Canonical()
    trees = []
    for identifier, dataset in found:
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        metadata = set(client.get(f"/instances/{identifier}/metadata").json())
        assert not metadata & {"ModifiedFrom", "AnonymizedFrom"}
        trees.append(canonical.tree(dataset))
    return trees


def outline(client: httpx.Client) -> list[Any]:
    """Of each study the numbers of its series' instances."""
    return sorted(
        sorted(len(series["Instances"]) for series in client.get(f"/studies/{study}/series").json())
        for study in client.get("/studies").json()
    )


def assert_same_error(ours: httpx.Response, theirs: httpx.Response) -> None:
    assert ours.status_code == theirs.status_code, (ours.text, theirs.text)
    left, right = ours.json(), theirs.json()
    assert left["OrthancStatus"] == right["OrthancStatus"], (left, right)
    if right.get("Details") is not None:
        assert left.get("Details") == right["Details"]


def assert_same(archive: Archive, study: str, verb: str, body: Any) -> None:
    ours, theirs = archive.send(study, verb, body)
    if theirs.status_code != 200:
        assert_same_error(ours, theirs)
        assert outline(archive.both[0]) == outline(archive.both[1])
        return
    assert ours.status_code == 200, ours.text
    left, right = ours.json(), theirs.json()
    assert list(left) == list(right)
    new = {"TargetStudyUID", *(["TargetStudy"] if verb == "split" else [])}
    assert {k: v for k, v in left.items() if k not in new} == {
        k: v for k, v in right.items() if k not in new
    }
    if "TargetStudy" in left:
        assert archive.both[0].get(f"/studies/{left['TargetStudy']}").status_code == 200
    if "TargetStudyUID" in left:
        main = archive.both[0].get(f"/studies/{left['TargetStudy']}").json()["MainDicomTags"]
        assert main["StudyInstanceUID"] == left["TargetStudyUID"]
    assert outline(archive.both[0]) == outline(archive.both[1])
    assert everything(archive.both[0]) == everything(archive.both[1])


KEPT: dict[str, Any] = {"Series": ["a1"], "KeepSource": True}
SPLITS: list[Any] = [
    {"Series": ["a1"]},
    {"Series": ["a1", "a2"]},
    {"Instances": ["a11"]},
    {"Instances": ["a11", "a21", "a22"]},
    {"Series": ["a1"], "Instances": ["a21"]},
    KEPT,
    {**KEPT, "Replace": {"PatientName": "é", "StudyDescription": "new", "PatientID": "X"}},
    {**KEPT, "Replace": {"PatientName": "a"}, "Remove": ["PatientName", "AccessionNumber"]},
    {**KEPT, "Remove": ["PatientID"]},
    {**KEPT, "Replace": {"PatientID": ""}},
    {**KEPT, "Replace": {"PatientName": "data:application/octet-stream;base64,QUI="}},
    {**KEPT, "Replace": {"PatientName": "a", "0010,0010": "b"}},
    {**KEPT, "KeepLabels": True, "Permissive": True, "Priority": 3, "Synchronous": True},
]
WRONG: list[Any] = [None, 1, "x", [1], {"x": 1}]
BAD_SPLITS: list[Any] = [
    *("", "{", "{}"),
    *({"KeepSource": True, name: value} for name in ("Series", "Instances") for value in WRONG),
    *({**KEPT, name: value} for name in ("Replace", "Remove") for value in WRONG),
    *({**KEPT, name: value} for name in ("KeepSource", "Permissive") for value in WRONG),
    *({**KEPT, name: value} for name in ("Synchronous", "Asynchronous") for value in WRONG[:2]),
    {**KEPT, "Priority": None},
    {**KEPT, "Priority": 1 << 40},
    *({"Series": [], "Instances": []}, {"Series": []}),
    *({"Series": [name]} for name in ("x", NOBODY, "b1", "a11", "a")),
    *({"Instances": [name]} for name in ("x", NOBODY, "b11", "a1")),
    *({**KEPT, "Remove": [name]} for name in ("InstitutionName", "StudyInstanceUID", "Nope")),
    *({**KEPT, "Remove": [name]} for name in ("ReferencedStudySequence[0].Rows", "Modality")),
    *({**KEPT, "Replace": {name: "x"}} for name in ("InstitutionName", "SOPInstanceUID", "Nope")),
    *({**KEPT, "Replace": {name: "x"}} for name in ("StudyInstanceUID", "ReferencedStudySequence")),
    *({**KEPT, "Replace": {"PatientName": value}} for value in WRONG if value != "x"),
    {**KEPT, "Replace": {"Modality": 1}},
    {"Series": ["x"], "KeepSource": 1},
    {**KEPT, "KeepSource": 1, "Replace": 1, "Permissive": 1},
    {**KEPT, "Replace": 1, "Remove": ["Nope"], "Permissive": 1},
    {**KEPT, "Replace": 1, "Remove": 1, "Instances": ["x"]},
    {**KEPT, "Replace": {"Nope": "x"}, "Remove": ["Modality"]},
]
MERGES: list[Any] = [
    {"Resources": ["a"]},
    {"Resources": ["a1"]},
    {"Resources": ["a11"]},
    {"Resources": ["a11", "a21"]},
    {"Resources": ["a"], "KeepSource": True},
    {"Resources": ["a1", "a22"], "KeepSource": True, "Permissive": True},
    {"Resources": []},
]
BAD_MERGES: list[Any] = [
    *("", "{", "{}"),
    *({"Resources": value} for value in WRONG),
    *({"Resources": ["a"], "KeepSource": value} for value in WRONG),
    *({"Resources": ["a"], "Permissive": value} for value in WRONG),
    *({"Resources": [name]} for name in ("x", NOBODY, "b", "b1", "b11", "bp", "ap")),
    {"Resources": ["x"], "KeepSource": 1},
    {"Resources": ["x", "b"]},
    {"Resources": ["b", "x"]},
    {"KeepSource": 1},
]


def short(value: Any) -> str:
    return json.dumps(value)[:70]


@pytest.mark.parametrize("body", SPLITS, ids=short)
def test_split(archive: Archive, body: Any) -> None:
    assert_same(archive, "a", "split", body)


@pytest.mark.parametrize("study", ["a", "b"])
@pytest.mark.parametrize("body", MERGES, ids=short)
def test_merge(archive: Archive, study: str, body: Any) -> None:
    """Into the study of other tags, and the other way round."""
    if study == "a":
        names = [each.replace("a", "b") for each in body["Resources"]]
        body = {**body, "Resources": names}
    assert_same(archive, study, "merge", body)


@pytest.fixture(scope="module")
def standing(both: Both) -> Iterator[Archive]:
    """For requests that change nothing."""
    yield Archive(both)
    for client in both:
        for patient in client.get("/patients").json():
            client.delete(f"/patients/{patient}")


@pytest.mark.parametrize("body", BAD_SPLITS, ids=short)
def test_bad_splits(standing: Archive, body: Any) -> None:
    ours, theirs = standing.send("a", "split", body)
    assert_same_error(ours, theirs)


@pytest.mark.parametrize("body", BAD_MERGES, ids=short)
def test_bad_merges(standing: Archive, body: Any) -> None:
    ours, theirs = standing.send("b", "merge", body)
    assert_same_error(ours, theirs)


@pytest.mark.parametrize("study", ["x", NOBODY, "a1", "ap"])
def test_unknown_studies(standing: Archive, study: str) -> None:
    for verb, body in (("split", {"Series": ["a1"]}), ("merge", {"Resources": ["a"]})):
        assert_same_error(*standing.send(study, verb, body))


@pytest.mark.parametrize(
    ("study", "verb", "body"),
    [
        ("a", "split", {"Series": ["a1"], "UserData": {"a": [1]}, "Priority": 2}),
        ("b", "merge", {"Resources": ["a"]}),
        ("b", "merge", {"Resources": ["a"], "KeepSource": True}),
    ],
)
def test_jobs(archive: Archive, study: str, verb: str, body: Any) -> None:
    answers = archive.send(study, verb, {**body, "Asynchronous": True})
    jobs = [
        completed(client, answer.json()["ID"])
        for client, answer in zip(archive.both, answers, strict=True)
    ]
    assert list(jobs[0]) == list(jobs[1])
    assert list(jobs[0]["Content"]) == list(jobs[1]["Content"])
    same = ("Type", "State", "Progress", "ErrorCode", "Priority")
    assert [jobs[0][name] for name in same] == [jobs[1][name] for name in same]
    assert jobs[0].get("UserData") == jobs[1].get("UserData")
    assert outline(archive.both[0]) == outline(archive.both[1])


def test_what_is_named_twice_is_taken_once(archive: Archive) -> None:
    client = archive.both[0]
    body = {"Series": [archive.ids["a1"]] * 2, "Instances": [archive.ids["a11"]]}
    answer = client.post(f"/studies/{archive.ids['a']}/split", json=body).json()
    assert answer["InstancesCount"] == 2
    assert client.get(f"/studies/{answer['TargetStudy']}/statistics").json()["CountInstances"] == 2
