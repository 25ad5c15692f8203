"""Series, studies, patients and lists that are modified and anonymized, beside Orthanc 1.13: files
tag by tag, metadata, labels, changes, answers."""

import itertools
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from pydicom.uid import UID
from support import generated
from support.edited import Canonical, file_bytes, item, read, sequence
from support.pair import started_pair

Both = tuple[httpx.Client, httpx.Client]

LEVELS = ("instances", "series", "studies", "patients")
PARENTS = {"instances": "ParentSeries", "series": "ParentStudy", "studies": "ParentPatient"}
# What no two servers share, or what follows from how a file is written.
OWN = {"ReceptionDate", "LastUpdate", "MainDicomTagsSignature", "PixelDataOffset"}

_numbers = itertools.count(1)


class Sample(NamedTuple):
    """A patient with two studies: of two series (two slices and one that refers to them), and of
    one."""

    patient: str
    studies: list[str]
    series: list[str]
    instances: list[str]


def _file(patient: str, study: str, series: str, number: int, refers: str = "") -> bytes:
    dataset = generated.base()
    dataset.PatientID, dataset.StudyInstanceUID = patient, study
    dataset.SeriesInstanceUID = series
    uid = UID(f"{series}.{number}")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.InstanceNumber = str(number)
    dataset.FrameOfReferenceUID = f"{study}.9"
    if refers:
        dataset.ReferencedImageSequence = sequence(item(ReferencedSOPInstanceUID=refers))
    return file_bytes(dataset)


@pytest.fixture
def sample(both: Both) -> Sample:
    return uploaded(both)


def uploaded(both: Both) -> Sample:
    root = f"1.2.826.1.{next(_numbers)}"
    patient = f"patient {root}"
    files = [
        _file(patient, f"{root}.1", f"{root}.1.1", 1),
        _file(patient, f"{root}.1", f"{root}.1.1", 2),
        _file(patient, f"{root}.1", f"{root}.1.2", 1, refers=f"{root}.1.1.2"),
        _file(patient, f"{root}.2", f"{root}.2.1", 1),
    ]
    for client in both:
        answers = [client.post("/instances", content=data).json() for data in files]
    return Sample(
        answers[0]["ParentPatient"],
        [answers[0]["ParentStudy"], answers[3]["ParentStudy"]],
        [answers[n]["ParentSeries"] for n in (0, 2, 3)],
        [answer["ID"] for answer in answers],
    )


class Watched:
    """What one server has more, or not any longer, after a request than before."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._before = {level: set(self._get(f"/{level}")) for level in LEVELS}
        self._last = self._get("/changes?last")["Last"]
        self.canonical = Canonical()

    def _get(self, path: str) -> Any:
        return self._client.get(path).json()

    def outcome(self) -> dict[str, Any]:
        after = {level: set(self._get(f"/{level}")) for level in LEVELS}
        new = {level: after[level] - self._before[level] for level in LEVELS}
        described = sorted((self._source(instance), instance) for instance in new["instances"])
        return {
            "gone": {level: self._before[level] - after[level] for level in LEVELS},
            "new": {level: len(new[level]) for level in LEVELS},
            "instances": [self.described(instance) for _, instance in described],
            "changes": sorted(self._changes()),
        }

    def _source(self, instance: str) -> str:
        metadata = self._get(f"/instances/{instance}/metadata?expand")
        return str(metadata.get("ModifiedFrom") or metadata.get("AnonymizedFrom"))

    def described(self, instance: str) -> list[Any]:
        tree = self.canonical.tree(read(self._client.get(f"/instances/{instance}/file").content))
        found: list[Any] = [tree]
        public = instance
        for level in LEVELS:
            answer = self._get(f"/{level}/{public}")
            metadata = self._get(f"/{level}/{public}/metadata?expand")
            tags = answer["MainDicomTags"].items()
            found.append(
                {
                    "metadata": {n: v for n, v in metadata.items() if n not in OWN},
                    "tags": {name: self.canonical.name(value) for name, value in tags},
                    "labels": answer["Labels"],
                    "from": [answer.get(name) for name in ("ModifiedFrom", "AnonymizedFrom")],
                }
            )
            public = answer.get(PARENTS.get(level, ""), "")
        return found

    def _changes(self) -> Iterator[str]:
        answer = self._get(f"/changes?since={self._last}&limit=1000")
        for change in answer["Changes"]:
            if not change["ChangeType"].startswith("Stable"):
                yield change["ChangeType"]


def same(
    both: Both, path: str, body: Any, with_labels: tuple[str, ...] = LEVELS
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sends the request to both; the answers, after everything has been compared."""
    watched = [Watched(client) for client in both]
    content = body if isinstance(body, str) else json.dumps(body)
    answers = [client.post(path, content=content) for client in both]
    ours, theirs = answers
    assert ours.status_code == theirs.status_code, (ours.text, theirs.text)
    outcomes = [each.outcome() for each in watched]
    if "instances" not in with_labels:
        for outcome in outcomes:
            for described in outcome["instances"]:
                described[1]["labels"] = []
    assert outcomes[0] == outcomes[1]
    left, right = ours.json(), theirs.json()
    if ours.status_code >= 400:
        assert left["OrthancStatus"] == right["OrthancStatus"]
        if "Details" in right or isinstance(body, dict):
            assert left.get("Details") == right.get("Details")
        return left, right
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert left.keys() == right.keys()
    for answer in (left, right):
        if "Path" in answer:
            assert answer["Path"].endswith("/" + answer["ID"])
    own = {"ID", "Path", "PatientID", "Resources"}
    assert _without(left, own) == _without(right, own)
    if "ID" in left:
        assert left["Path"].split("/")[1] == right["Path"].split("/")[1]
        assert left["Resources"] == right["Resources"]
    else:
        kinds = [[each["Type"] for each in answer["Resources"]] for answer in (left, right)]
        assert kinds[0] == kinds[1]
    return left, right


def _without(answer: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in names}


REQUESTS: list[tuple[str, Any]] = [
    ("series/{series[0]}/modify", {"Replace": {"SeriesDescription": "new"}}),
    ("studies/{studies[0]}/modify", {}),
    ("studies/{studies[0]}/modify", {"Replace": {"StudyDescription": "é"}, "Priority": -3}),
    ("studies/{studies[0]}/modify", {"Replace": {"PatientID": "fresh"}, "Force": True}),
    ("studies/{studies[0]}/modify", {"Replace": {"SeriesInstanceUID": "1.9.1"}, "Force": True}),
    ("studies/{studies[0]}/modify", {"Keep": ["SeriesInstanceUID"], "Force": True}),
    ("studies/{studies[0]}/modify", {"KeepSource": False, "Remove": ["AccessionNumber"]}),
    ("studies/{studies[0]}/modify", {"Permissive": True, "Replace": {"Rows": "abc"}}),
    ("studies/{studies[0]}/modify", {"Replace": {"Rows": "abc"}}),
    ("studies/{studies[0]}/modify", {"Remove": ["PatientID"], "Force": True}),
    ("studies/{instances[0]}/modify", {}),
    ("studies/{series[0]}/anonymize", {}),
    ("patients/{patient}/modify", {"Replace": {"StudyDescription": "new"}}),
    ("patients/{patient}/modify", {"Replace": {"PatientID": "other"}, "Force": True}),
    ("patients/{patient}/modify", {"Transcode": "1.2.840.10008.1.2", "LossyQuality": "x"}),
    ("series/{series[1]}/modify", {"Replace": {"PatientName": "Other^Name"}}),
    ("series/{series[1]}/modify", {"Replace": {"StudyInstanceUID": "1.9.7"}, "Force": True}),
    (
        "series/{series[0]}/modify",
        {"Keep": ["SeriesInstanceUID", "SOPInstanceUID"], "Force": True},
    ),
    ("series/{series[0]}/anonymize", {}),
    ("studies/{studies[0]}/anonymize", {"KeepSource": False}),
    ("studies/{studies[0]}/anonymize", {"DicomVersion": "2008", "Keep": ["StudyDescription"]}),
    ("studies/{studies[0]}/anonymize", {"Replace": {"StudyInstanceUID": "1.9.9"}, "Force": True}),
    ("patients/{patient}/anonymize", {"Transcode": "1.2.840.10008.1.2.2"}),
    ("tools/bulk-modify", {"Resources": ["{series[0]}", "{instances[0]}", "{series[2]}"]}),
    ("tools/bulk-modify", {"Resources": ["{studies[1]}"], "Level": "STUDIES"}),
    ("tools/bulk-modify", {"Resources": ["{series[0]}"], "Level": "image", "KeepSource": False}),
    (
        "tools/bulk-modify",
        {"Resources": ["{patient}"], "Replace": {"PatientID": "z"}, "Force": True},
    ),
    ("tools/bulk-anonymize", {"Resources": ["{studies[0]}", "{studies[1]}"]}),
    *((f"tools/bulk-{what}", {"Resources": []}) for what in ("modify", "anonymize")),
]


@pytest.mark.parametrize("path, body", REQUESTS, ids=lambda value: str(value)[:70])
def test_same_as_orthanc(both: Both, sample: Sample, path: str, body: Any) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    for name, value in _places(sample):
        text = text.replace(f"{{{name}}}", value)
    same(both, "/" + path.format(**sample._asdict()), text)


def _places(sample: Sample) -> Iterator[tuple[str, str]]:
    yield "patient", sample.patient
    for name in ("studies", "series", "instances"):
        for number, value in enumerate(getattr(sample, name)):
            yield f"{name}[{number}]", value


UIDS = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
PATIENT = {"PatientName": "Test^Person", "PatientBirthDate": "19700101", "PatientSex": "O"}

BAD: list[tuple[str, Any]] = [
    *(("studies/{studies[0]}/modify", text) for text in ("[]", "{", "null", "")),
    *(
        ("studies/{studies[0]}/modify", {name: "x"})
        for name in ("KeepSource", "Permissive", "Synchronous", "Asynchronous", "Priority")
    ),
    ("studies/{studies[0]}/modify", {"Transcode": "nope"}),
    ("studies/{studies[0]}/modify", {"Transcode": 1}),
    ("studies/{studies[0]}/modify", {"Replace": {"Nope": "x"}}),
    ("studies/{studies[0]}/modify", {"Keep": UIDS, "Force": True}),
    ("studies/{studies[0]}/modify", {"Keep": UIDS, "Force": True, "KeepSource": False}),
    ("series/{series[0]}/anonymize", {"Keep": UIDS, "Force": True}),
    ("studies/{studies[0]}/modify", {"Replace": {"PatientName": "other"}}),
    ("studies/{studies[0]}/modify", {"Replace": {"PatientName": []}}),
    ("studies/{studies[0]}/modify", {"Replace": {"PatientID": None}, "Force": True}),
    ("studies/{studies[0]}/modify", {"Replace": {"PatientName": "Test^Person"}}),
    ("studies/{studies[0]}/modify", {"Replace": {**PATIENT, "0010,1000": "x"}}),
    ("tools/bulk-modify", {}),
    ("tools/bulk-modify", {"Resources": "x"}),
    ("tools/bulk-modify", {"Resources": [1]}),
    ("tools/bulk-modify", {"Resources": {}}),
    ("tools/bulk-anonymize", {}),
    ("tools/bulk-modify", {"Resources": ["{studies[0]}"], "Level": "Nope"}),
    (
        "tools/bulk-modify",
        {"Resources": ["{series[0]}"], "Level": "Study", "Replace": {"PatientName": "x"}},
    ),
]


@pytest.mark.parametrize("path, body", BAD, ids=lambda value: str(value)[:70])
def test_refused_as_by_orthanc(both: Both, sample: Sample, path: str, body: Any) -> None:
    test_same_as_orthanc(both, sample, path, body)


def test_unknown_resources(ours: httpx.Client) -> None:
    nobody = generated.identifier("nobody")
    for level in ("patients", "studies", "series"):
        for what in ("modify", "anonymize"):
            answer = ours.post(f"/{level}/{nobody}/{what}", content="{}")
            assert (answer.status_code, answer.json()["OrthancStatus"]) == (404, 17)
    answer = ours.post("/tools/bulk-modify", json={"Resources": [nobody, "nothing"]})
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (404, 17)
    answer = ours.post("/tools/bulk-anonymize", json={"Resources": [nobody]})
    assert answer.status_code == 404


def test_labels_come_along(both: Both, sample: Sample) -> None:
    resources = zip(
        LEVELS,
        (sample.instances[0], sample.series[0], sample.studies[0], sample.patient),
        strict=True,
    )
    for level, public in resources:
        for client in both:
            client.put(f"/{level}/{public}/labels/of-{level}")
    body = {"KeepLabels": True, "Replace": {"StudyDescription": "new"}}
    same(both, f"/studies/{sample.studies[0]}/modify", body, with_labels=LEVELS[1:])
    same(both, f"/series/{sample.series[0]}/anonymize", {"KeepLabels": True}, LEVELS[1:])


def test_asynchronous(both: Both, sample: Sample) -> None:
    jobs = []
    for client in both:
        body = {"Asynchronous": True, "UserData": {"a": 1}, "Priority": 7}
        answer = client.post(f"/studies/{sample.studies[0]}/anonymize", json=body)
        assert answer.json().keys() == {"ID", "Path"}
        job = client.get(answer.json()["Path"]).json()
        while job["State"] not in ("Success", "Failure"):
            job = client.get(answer.json()["Path"]).json()
        jobs.append(job)
    ours, theirs = jobs
    assert ours.keys() == theirs.keys()
    for name in ("Type", "State", "Priority", "Progress", "UserData", "ErrorCode"):
        assert ours[name] == theirs[name]
    assert ours["Content"].keys() == theirs["Content"].keys()


def test_references_survive(ours: httpx.Client, sample: Sample, both: Both) -> None:
    answer = ours.post(f"/studies/{sample.studies[0]}/anonymize", content="{}").json()
    files = [
        read(ours.get(f"/instances/{each['ID']}/file").content)
        for each in ours.get(f"/studies/{answer['ID']}/instances").json()
    ]
    referring = [each for each in files if "ReferencedImageSequence" in each]
    uids = {each.SOPInstanceUID for each in files}
    assert len(files) == 3
    assert len({each.StudyInstanceUID for each in files}) == 1
    assert referring[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID in uids


@pytest.fixture(scope="module")
def overwriting(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both servers with a configuration under which instances may be replaced."""
    folder = tmp_path_factory.mktemp("overwriting")
    with started_pair(folder, {"OverwriteInstances": "Always"}) as pair:
        yield pair.ours, pair.theirs


IN_PLACE: list[tuple[str, Any]] = [
    ("studies/{studies[0]}/modify", {"Replace": {"StudyDescription": "new"}}),
    ("studies/{studies[1]}/modify", {"Replace": {"StudyDescription": "new"}}),
    ("series/{series[0]}/modify", {"Remove": ["SeriesDescription"], "KeepLabels": True}),
    ("patients/{patient}/modify", {"Replace": {"PatientName": "In^Place"}}),
    ("studies/{studies[0]}/anonymize", {"Keep": [*UIDS, "PatientID"]}),
    ("studies/{studies[0]}/anonymize", {}),
]


@pytest.mark.parametrize("path, body", IN_PLACE, ids=lambda value: str(value)[:70])
def test_in_place(overwriting: Both, path: str, body: Any) -> None:
    sample = uploaded(overwriting)
    for client in overwriting:
        for level, public in zip(LEVELS[1:], (sample.series[0], sample.studies[0]), strict=False):
            client.put(f"/{level}/{public}/labels/kept")
            client.put(f"/{level}/{public}/metadata/1024", content="mine")
    body = {"Keep": UIDS, **body, "Force": True}
    same(overwriting, "/" + path.format(**sample._asdict()), body)
    found = [_all_of(client, sample) for client in overwriting]
    assert found[0] == found[1]


def test_what_takes_the_place_of_its_source_stays(overwriting: Both) -> None:
    """Orthanc deletes it."""
    ours = overwriting[0]
    sample = uploaded(overwriting)
    body = {"Keep": UIDS, "Force": True, "KeepSource": False, "Replace": {"Rows": "3"}}
    assert ours.post(f"/series/{sample.series[0]}/modify", json=body).is_success
    for instance in ours.get(f"/series/{sample.series[0]}").json()["Instances"]:
        assert ours.get(f"/instances/{instance}/simplified-tags").json()["Rows"] == "3"


def _all_of(client: httpx.Client, sample: Sample) -> list[Any]:
    watched = Watched(client)
    publics = [each for each in sample.instances if client.get(f"/instances/{each}").is_success]
    return [watched.described(public) for public in publics]
