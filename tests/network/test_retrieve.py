"""Retrieval from other people's servers by our server as a whole: DCMTK's archive, and pynetdicom,
which does as a test tells it. With Orthanc: `test_retrieve_differential.py`."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, NamedTuple

import httpx
import pydicom
import pytest
from support import generated
from support.dcmqrscp import Archive, dcmqrscp
from support.files import file_named
from support.job_results import PATIENCE, completed
from support.ports import free_port
from support.process import workers
from support.retrieve_scp import RetrieveScp, refusing, sending
from support.server import OurServer

FILES = [
    generated.small().number(1, 1, series, number) for series, number in ((1, 1), (1, 2), (2, 1))
]
UIDS = [pydicom.dcmread(BytesIO(each), stop_before_pixels=True) for each in FILES]
STUDY = str(UIDS[0].StudyInstanceUID)
IDS = [
    generated.identifier(
        each.PatientID, each.StudyInstanceUID, each.SeriesInstanceUID, each.SOPInstanceUID
    )
    for each in UIDS
]

WANTED = {"Level": "Study", "Resources": [{"StudyInstanceUID": STUDY}]}


class Site(NamedTuple):
    server: OurServer
    client: httpx.Client
    archive: Archive
    scp: RetrieveScp

    def forget(self) -> None:
        """Nothing is stored any longer."""
        for patient in self.client.get("/patients").json():
            self.client.delete(f"/patients/{patient}")

    def found(self, modality: str, level: str, **query: str) -> str:
        """The path of a query that has been carried out."""
        answer = self.client.post(
            f"/modalities/{modality}/query", json={"Level": level, "Query": query}
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["Path"])

    def retrieved(self, path: str, **body: Any) -> dict[str, Any]:
        """What a job that retrieves tells in the end."""
        answer = self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("retrieve")
    port = free_port()
    scp = RetrieveScp()
    with dcmqrscp(folder, {"OURS": port}) as archive, scp.serving():
        configuration = {
            "DicomAet": "OURS",
            "DicomServerEnabled": True,
            "DicomPort": port,
            "DicomWorkers": 2,
            "DicomScuTimeout": 10,
            "DicomModalities": {
                "archive": archive.modality,
                "scp": ["SCP", "127.0.0.1", scp.port],
                "self": ["OURS", "127.0.0.1", port],
                "getting": {
                    "AET": "SCP",
                    "Host": "127.0.0.1",
                    "Port": scp.port,
                    "RetrieveMethod": "C-GET",
                },
            },
        }
        for number, content in enumerate(FILES):
            (folder / f"{number}.dcm").write_bytes(content)
            archive.add(folder / f"{number}.dcm")
        with (
            OurServer(folder / "ours", configuration) as server,
            httpx.Client(base_url=server.url, timeout=60) as client,
        ):
            yield Site(server, client, archive, scp)


@pytest.fixture(autouse=True)
def empty(site: Site) -> None:
    site.forget()
    site.scp.reset()


@pytest.mark.parametrize("method", ["C-MOVE", "C-GET"])
@pytest.mark.parametrize(("level", "answers"), [("Study", 1), ("Series", 2), ("Instance", 3)])
def test_dcmtks_archive(site: Site, method: str, level: str, answers: int) -> None:
    query = {"StudyInstanceUID": STUDY}
    if level == "Instance":  # the archive wants the keys of the levels above
        found = [
            site.found("archive", level, SeriesInstanceUID=series, **query)
            for series in sorted({str(each.SeriesInstanceUID) for each in UIDS})
        ]
    else:
        found = [site.found("archive", level, **query)]
    told = [site.retrieved(f"{each}/retrieve", RetrieveMethod=method) for each in found]
    details = [detail for each in told for detail in each["Details"]]
    assert [each["DimseErrorStatus"] for each in details] == [0] * answers
    received = sorted(each for detail in details for each in detail["ReceivedInstancesIds"])
    assert received == sorted(site.client.get("/instances").json())
    assert len(received) == 3
    assert (told[0].get("TargetAet") == "OURS") == (method == "C-MOVE")


def test_what_comes_names_the_peer_and_us(site: Site) -> None:
    resources = [{"StudyInstanceUID": STUDY}]
    seen = []
    for way in ("move", "get"):
        site.forget()
        site.retrieved(f"/modalities/archive/{way}", Level="Study", Resources=resources)
        instance = site.client.get("/instances").json()[0]
        metadata = site.client.get(f"/instances/{instance}/metadata?expand").json()
        seen.append(
            {key: metadata[key] for key in ("RemoteAET", "CalledAET", "RemoteIP", "Origin")}
        )
    assert seen[0] == seen[1]
    assert seen[0] == {
        "RemoteAET": "DCMQRSCP",
        "CalledAET": "OURS",
        "RemoteIP": "127.0.0.1",
        "Origin": "DicomProtocol",
    }


@pytest.mark.parametrize("name", ["SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle.dcm"])
def test_compressed_instances_come_as_they_are(site: Site, name: str) -> None:
    """Of a peer that chooses the context by the file, as pynetdicom and Orthanc do, and that says
    which classes there are. DCMTK's archive takes the first context of the class, and cannot decode
    what is in the file."""
    content = file_named(name).read_bytes()
    site.scp.get = sending(content)
    answer = pydicom.Dataset()
    answer.QueryRetrieveLevel, answer.StudyInstanceUID = "STUDY", STUDY
    answer.SOPClassesInStudy = [pydicom.dcmread(BytesIO(content)).SOPClassUID]
    site.scp.answers = [answer]
    told = site.retrieved(f"{site.found('getting', 'Study', SOPClassesInStudy='')}/retrieve")
    (instance,) = told["Details"][0]["ReceivedInstancesIds"]
    file = site.client.get(f"/instances/{instance}/file").content
    stored, sent = (pydicom.dcmread(BytesIO(each)) for each in (file, content))
    assert stored.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    assert stored.PixelData == sent.PixelData


@pytest.mark.parametrize(
    ("modality", "body", "kind"),
    [
        ("scp", {}, "DicomMoveScu"),
        ("scp", {"RetrieveMethod": "SystemDefault"}, "DicomMoveScu"),
        ("scp", {"RetrieveMethod": "C-GET"}, "DicomGetScu"),
        ("getting", {}, "DicomGetScu"),
        ("getting", {"RetrieveMethod": "SystemDefault"}, "DicomGetScu"),
        ("getting", {"RetrieveMethod": "C-MOVE"}, "DicomMoveScu"),
    ],
)
def test_the_method_of_a_call_and_of_a_modality(
    site: Site, modality: str, body: dict[str, str], kind: str
) -> None:
    site.scp.answers = [UIDS[0]]
    path = site.found(modality, "Study", PatientID="")
    submitted = site.retrieved(f"{path}/answers/0/retrieve", Asynchronous=True, **body)
    job = completed(site.client, submitted["ID"])
    assert (job["Type"], job["State"], job["Progress"]) == (kind, "Success", 100)


@pytest.mark.parametrize("way", ["move", "get"])
def test_from_ourselves(site: Site, way: str) -> None:
    """Nobody waits for himself: a job worker asks a DICOM worker, which sends to another one."""
    for content in FILES:
        site.client.post("/instances", content=content)
    told = site.retrieved(f"/modalities/self/{way}", **WANTED)
    assert told["Details"][0]["ReceivedInstancesIds"] == sorted(IDS)


def test_a_job_that_is_cancelled(site: Site) -> None:
    site.scp.get = sending(*FILES * 200)
    submitted = site.retrieved("/modalities/scp/get", Asynchronous=True, **WANTED)
    job = submitted["Path"]
    until(lambda: bool(site.scp.statuses))
    assert site.client.post(f"{job}/cancel", content=b"").status_code == 200
    ended = completed(site.client, submitted["ID"])
    assert (ended["State"], ended["ErrorCode"]) == ("Failure", 37)
    until(lambda: site.scp.cancels == 1)
    until(lambda: site.scp.releases == 1)
    assert len(site.scp.statuses) < 600


def test_a_job_that_is_paused_goes_on(site: Site) -> None:
    site.scp.get = sending(*FILES * 3)
    resources = [{"StudyInstanceUID": f"1.2.{number}"} for number in range(10)]
    submitted = site.retrieved(
        "/modalities/scp/get", Level="Study", Resources=resources, Asynchronous=True
    )
    job = submitted["Path"]
    until(lambda: len(site.scp.identifiers) > 1)
    site.client.post(f"{job}/pause", content=b"")
    until(lambda: site.client.get(job).json()["State"] == "Paused")
    seen = len(site.scp.identifiers)
    assert seen < 10
    site.client.post(f"{job}/resume", content=b"")
    ended = completed(site.client, submitted["ID"])
    assert ended["State"] == "Success"
    details = ended["Content"]["Details"]
    assert [len(each["ReceivedInstancesIds"]) for each in details] == [3] * 10
    assert len(site.scp.identifiers) <= 11, "at most one was asked for twice"


def test_a_worker_that_is_killed_within_a_get(site: Site) -> None:
    """What was acknowledged is there, and another worker goes on with the job."""
    assert site.server.process is not None
    site.scp.get = sending(*FILES * 40)
    submitted = site.retrieved("/modalities/scp/get", Asynchronous=True, **WANTED)
    until(lambda: len(site.scp.statuses) > 5)
    for worker in workers(site.server.process.pid, "jobs"):
        os.kill(worker, signal.SIGKILL)
    assert sorted(site.client.get("/instances").json()) == sorted(IDS)
    ended = completed(site.client, submitted["ID"])
    assert ended["State"] == "Success"
    assert ended["Content"]["Details"][0]["ReceivedInstancesIds"] == sorted(IDS)
    assert len(site.scp.identifiers) == 2


@pytest.mark.parametrize("title", ["MÜNCHEN", "A" * 17])
def test_a_destination_that_is_no_title(site: Site, title: str) -> None:
    answer = site.client.post("/modalities/scp/move", json={"TargetAet": title, **WANTED})
    told = answer.json()
    assert (answer.status_code, told["OrthancStatus"]) == (500, 9)
    assert f"Invalid 'Move Destination' value '{title}'" in told["Details"]


def test_what_a_job_tells_that_has_failed(site: Site) -> None:
    site.scp.get = refusing(0, 0xB000, "1.2.3")
    answer = site.client.post("/modalities/scp/get", json=WANTED)
    assert answer.status_code == 500
    told = answer.json()
    detail = {
        "DimseErrorStatus": 0xB000,
        "FailedInstancesUids": ["1.2.3"],
        "Query": {"0008,0052": "STUDY", "0020,000d": STUDY},
        "ReceivedInstancesIds": [],
    }
    assert told["ErrorPayload"] == {"Content": [detail], "Type": "RetrieveJob"}
    submitted = site.retrieved("/modalities/scp/get", Asynchronous=True, **WANTED)
    job = completed(site.client, submitted["ID"])
    assert job["ErrorPayload"] == {"Content": {"DimseErrorStatus": 0xB000}, "Type": "Dimse"}
    assert job["ErrorDetails"] == told["Details"]
    assert job["Content"]["Details"] == [detail]
    listed = [{"0008,0052": "STUDY", "0020,000d": STUDY}]
    assert job["Content"]["Query"] == listed


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)
