"""C-FIND of other people's servers, and of our own: what we show of their answers is what Orthanc
1.13 shows of them."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import Dataset
from support import generated
from support.dcmqrscp import AET, dcmqrscp
from support.pair import Pair, started_pair
from support.ports import free_port, wait_for_port
from support.reference_server import ReferenceServer
from support.server import OurServer

PATIENTS = [
    ("PAT1", "ISO_IR 100", "Müller^Jörg", "20200101"),
    ("PAT2", "ISO_IR 192", "Łódź^日本", "20190101"),
    ("PAT3", None, "PLAIN^NAME", "20180101"),
]
QUERIES: list[dict[str, Any]] = [
    {"Level": "Patient", "Query": {"PatientName": "", "PatientID": "*"}},
    {"Level": "Patient", "Query": {"PatientName": "MÜLLER*"}},
    {"Level": "Patient", "Query": {"PatientName": "*日*"}},
    {"Level": "Study", "Query": {"PatientID": "PAT1", "StudyDescription": "", "StudyDate": ""}},
    {"Level": "Study", "Query": {"PatientName": "P*", "ModalitiesInStudy": ""}},
    {"Level": "Study", "Query": {"StudyDate": "20190101-", "NumberOfStudyRelatedSeries": ""}},
    {"Level": "Series", "Query": {"Modality": "CT", "SeriesDescription": "", "PatientID": "PAT3"}},
    {"Level": "Instance", "Query": {"PatientID": "PAT1", "InstanceNumber": ""}},
    {"Level": "Study", "Query": {"PatientName": "NOBODY"}},
]


def files() -> Iterator[bytes]:
    for number, (patient, character_set, name, date) in enumerate(PATIENTS, start=1):
        for instance in (1, 2):
            found = generated.base()
            found.PatientID, found.PatientName, found.StudyDate = patient, name, date
            found.SpecificCharacterSet = character_set
            found.StudyInstanceUID = f"1.2.{number}"
            found.SeriesInstanceUID = f"1.2.{number}.1"
            found.SOPInstanceUID = f"1.2.{number}.1.{instance}"
            found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
            found.InstanceNumber = instance
            yield generated.encode_once(found)


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both in UTF-8: in another character set Orthanc loses letters of the answers."""
    with started_pair(tmp_path_factory.mktemp("pair"), {"DefaultEncoding": "Utf8"}) as pair:
        yield pair


@pytest.fixture(scope="module", params=[ReferenceServer, OurServer])
def third(
    request: pytest.FixtureRequest, pair: Pair, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """The server that both ask."""
    port = free_port()
    configuration = {
        "DicomServerEnabled": True,
        "DicomPort": port,
        "DicomAlwaysAllowFind": True,
        "DefaultEncoding": "Utf8",
    }
    server = request.param(tmp_path_factory.mktemp("third"), configuration)
    with server:
        for each in files():
            httpx.post(f"{server.url}/instances", content=each).raise_for_status()
        put(pair, "third", "ORTHANC", port)
        yield


def put(pair: Pair, name: str, aet: str, port: int) -> None:
    for client in (pair.ours, pair.theirs):
        client.put(f"/modalities/{name}", json=[aet, "127.0.0.1", port]).raise_for_status()


def ordered(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers come in any order."""
    return sorted(found, key=lambda each: repr(sorted(each.items())))


def answers(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    return ordered(client.get(f"{path}/answers?expand&simplify").json())


@pytest.mark.parametrize("query", QUERIES, ids=repr)
def test_queries_of_a_third_server(pair: Pair, third: None, query: dict[str, Any]) -> None:
    seen = []
    for client in pair[:2]:
        path = client.post("/modalities/third/query", json=query).json()["Path"]
        seen.append(answers(client, path))
    assert seen[0] == seen[1]
    assert bool(seen[0]) == ("NOBODY" not in repr(query))


def test_a_query_that_a_third_server_refuses(pair: Pair, third: None) -> None:
    """A wildcard in a UID."""
    body = {"Level": "Study", "Query": {"StudyInstanceUID": "1.2*"}}
    refused = [client.post("/modalities/third/query", json=body) for client in pair[:2]]
    assert [each.status_code for each in refused] == [422, 422]
    assert refused[0].json() == refused[1].json()


def test_what_is_below_answers_of_a_third_server(pair: Pair, third: None) -> None:
    seen = []
    for client in pair[:2]:
        body = {"Level": "Patient", "Query": {"PatientID": "PAT1"}, "Normalize": False}
        path = client.post("/modalities/third/query", json=body).json()["Path"]
        shown = []
        for child in ("query-studies", "query-series", "query-instances"):
            asked = client.post(f"{path}/answers/0/{child}", json={"Query": {}})
            path = asked.json()["Path"]
            shown.append(answers(client, path))
        seen.append(shown)
    assert seen[0] == seen[1]
    assert [len(each) for each in seen[0]] == [1, 1, 2]


# DCMTK's archive, which finds no names in UTF-8


@pytest.fixture(scope="module")
def archive(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("archive")
    with dcmqrscp(folder, {}) as archive:
        for number, each in enumerate(files()):
            path = archive.folder / f"{number}.dcm"
            path.write_bytes(each)
            archive.add(path)
        put(pair, "archive", AET, archive.port)
        yield


@pytest.mark.parametrize("level", ["Patient", "Study", "Series", "Instance"])
@pytest.mark.parametrize("normalize", [True, False])
def test_queries_of_dcmqrscp(pair: Pair, archive: None, level: str, normalize: bool) -> None:
    query = {"PatientID": "PAT1", "PatientName": "", "Modality": "", "InstanceNumber": ""}
    if level != "Patient":
        query["StudyInstanceUID"] = "1.2.1"
    if level == "Instance":
        query["SeriesInstanceUID"] = "1.2.1.1"
    body = {"Level": level, "Query": query, "Normalize": normalize}
    seen = []
    for client in pair[:2]:
        asked = client.post("/modalities/archive/query", json=body)
        assert asked.status_code == 200, asked.text
        seen.append(answers(client, asked.json()["Path"]))
    assert seen[0] == seen[1]
    assert len(seen[0]) == (2 if level == "Instance" else 1)


def test_deprecated_finds_of_dcmqrscp(pair: Pair, archive: None) -> None:
    study = {"PatientID": "PAT1", "StudyInstanceUID": "1.2.1"}
    for kind, body in (("", {}), ("-patient", {"PatientID": "PAT1"}), ("-study", study)):
        found = [
            client.post(f"/modalities/archive/find{kind}", json=body).json() for client in pair[:2]
        ]
        assert ordered(found[0]) == ordered(found[1])
        assert found[0]


# Worklists of DCMTK


def worklist_item(number: int, name: str, modality: str, character_set: str | None) -> Dataset:
    step = Dataset()
    step.Modality, step.ScheduledStationAETitle = modality, f"STATION{number}"
    step.ScheduledProcedureStepStartDate = f"2024010{number}"
    step.ScheduledProcedureStepStartTime = "101010"
    step.ScheduledPerformingPhysicianName = "Ärztin^A" if character_set else "Doctor^B"
    step.ScheduledProcedureStepDescription = "step"
    step.ScheduledProcedureStepID = str(number)
    found = Dataset()
    if character_set is not None:
        found.SpecificCharacterSet = character_set
    found.PatientName, found.PatientID = name, f"P{number}"
    found.PatientBirthDate, found.PatientSex = "19700101", "F"
    found.StudyInstanceUID, found.AccessionNumber = f"1.2.{number}", f"A{number}"
    found.RequestedProcedureID, found.RequestedProcedureDescription = str(number), "procedure"
    found.ScheduledProcedureStepSequence = [step]
    return found


@contextmanager
def wlmscpfs(folder: Path) -> Iterator[int]:
    storage = folder / "WORKLIST"
    storage.mkdir(parents=True)
    (storage / "lockfile").touch()
    items = [
        worklist_item(1, "Müller^A", "CT", "ISO_IR 100"),
        worklist_item(2, "Plain^B", "MR", None),
        worklist_item(3, "Plain^C", "CT", None),
    ]
    for number, each in enumerate(items):
        each.save_as(storage / f"{number}.wl", implicit_vr=False, little_endian=True)
    port = free_port()
    with (folder / "log").open("w") as log:
        command = ["wlmscpfs", "--single-process", "-dfp", str(folder), str(port)]
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for_port(port)
        yield port
    finally:
        server.kill()
        server.wait()


STEP = "ScheduledProcedureStepSequence"
WANTED = dict.fromkeys(("PatientID", "AccessionNumber", "StudyInstanceUID"), "")
WORKLIST_QUERIES: list[dict[str, Any]] = [
    {"PatientName": "", **WANTED, STEP: [{"Modality": "", "ScheduledStationAETitle": ""}]},
    {"PatientName": "Plain*", **WANTED, STEP: [{"Modality": "CT"}]},
    {"PatientName": "M*", STEP: [{"ScheduledPerformingPhysicianName": "", "Modality": ""}]},
    {STEP: [{"ScheduledProcedureStepStartDate": "20240102-", "Modality": ""}], "PatientID": ""},
    {"PatientName": "NOBODY", "PatientID": ""},
]


@pytest.fixture(scope="module")
def worklist(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with wlmscpfs(tmp_path_factory.mktemp("worklist")) as port:
        put(pair, "worklist", "WORKLIST", port)
        yield


@pytest.mark.parametrize("query", WORKLIST_QUERIES, ids=repr)
def test_worklists_of_dcmtk(pair: Pair, worklist: None, query: dict[str, Any]) -> None:
    for body in ({"Query": query}, {"Query": query, "Short": True}, {"Query": query, "Full": True}):
        seen = []
        for client in pair[:2]:
            answer = client.post("/modalities/worklist/find-worklist", json=body)
            assert answer.status_code == 200, answer.text
            seen.append(ordered(answer.json()))
        assert seen[0] == seen[1]
        assert bool(seen[0]) == ("NOBODY" not in repr(query))
