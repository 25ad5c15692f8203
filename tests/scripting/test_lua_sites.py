"""Scripts in Lua as sites write them, each in Orthanc 1.13 and here: what they see, and what they
do, is the same. They are written after the reference's chapters 4 and 7 alone."""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pydicom
import pytest
from pydicom import Dataset
from pynetdicom import AE
from scripting.test_lua_callbacks import c_store, file_with
from scripting.test_lua_routing import STUDY_ROOT, StoreScp
from support.http_peer import HttpPeer, Received, answer
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.scripted import START
from support.server import OurServer
from support.waiting import until

SITES = Path(__file__).with_name("sites")


class Site(NamedTuple):
    client: httpx.Client
    dicom_port: int
    store: StoreScp
    folder: Path

    def notes(self, *but: str) -> list[Any]:
        """What the script has noted, in order, but for what is called so."""
        file = self.folder / "notes"
        lines = file.read_text().splitlines() if file.exists() else []
        return [found for found in map(json.loads, lines) if found[0] not in but]

    def upload(self, data: bytes) -> httpx.Response:
        return self.client.post("/instances", content=data)


@contextmanager
def site(
    kind: type[OurServer | ReferenceServer],
    folder: Path,
    script: str,
    url: str = "",
    **options: Any,
) -> Iterator[Site]:
    folder.mkdir(parents=True)
    scripts = []
    for name in ("note.lua", script):
        scripts.append(str(folder / name))
        text = (SITES / name).read_text().replace("FOLDER", str(folder))
        (folder / name).write_text(text.replace("URL", url))
    port, store = free_port(), StoreScp()
    modalities = {"store": ["STORE", "127.0.0.1", store.port], "down": ["DOWN", "127.0.0.1", 1]}
    given = {
        "DicomServerEnabled": True,
        "DicomPort": port,
        "DicomAlwaysAllowFind": True,
        "LuaScripts": scripts,
        "StableAge": 1,
        "DicomModalities": modalities,
        **options,
    }
    server = kind(folder / "server", given)
    server.start(START)
    try:
        with store.serving(), httpx.Client(base_url=server.url, timeout=60) as client:
            yield Site(client, port, store, folder)
    finally:
        server.__exit__()


Drive = Callable[[Site], Any]


@pytest.fixture
def compared(needs_reference: None, tmp_path: Path) -> Callable[..., tuple[Any, Any]]:
    """Runs the same on both servers, and gives what came of it and what the script noted."""

    def compare(script: str, drive: Drive, **options: Any) -> tuple[Any, Any]:
        found = []
        for kind in (OurServer, ReferenceServer):
            with site(kind, tmp_path / kind.__name__, script, **options) as each:
                result = drive(each)
            found.append((result, each.notes()))
        return found[0], found[1]

    return compare


def test_autorouting(compared: Callable[..., tuple[Any, Any]]) -> None:
    kinds = [("CT", "Thorax"), ("MR", "Thorax"), ("MR", "Knee"), ("US", "Heart"), ("XA", "")]

    def drive(each: Site) -> Any:
        for number, (modality, description) in enumerate(kinds, start=1):
            data = file_with(number, Modality=modality, StudyDescription=description)
            each.upload(data).raise_for_status()
        until(lambda: len(each.store.got) == 3 and len(each.notes()) == 8)
        until(lambda: len(each.client.get("/instances").json()) == len(kinds) + 1)
        sent = [
            (str(got.PatientName), got.get("AccessionNumber"), got.get("StudyDescription"))
            for got in each.store.got
        ]
        return sorted(map(str, sent))

    ours, theirs = compared("autorouting.lua", drive)
    assert ours[0] == theirs[0]
    # Operations are done beside the callbacks of what comes next.
    assert sorted(map(str, ours[1])) == sorted(map(str, theirs[1]))


def test_filtering(compared: Callable[..., tuple[Any, Any]]) -> None:
    def drive(each: Site) -> Any:
        answers = []
        for number, tags in enumerate(
            [
                {"Modality": "CT"},
                {"Modality": "SR"},
                {"StationName": "My test station"},
                {"InstanceNumber": "101"},
                {"InstanceNumber": ""},
            ],
            start=1,
        ):
            response = each.upload(file_with(number, **tags))
            answers.append((response.status_code, response.json().get("Status")))
        for items in (1, 2):
            data = pydicom.dcmread(io.BytesIO(file_with(10 + items)))
            data.ReferencedStudySequence = [Dataset() for _ in range(items)]
            for number, item in enumerate(data.ReferencedStudySequence):
                item.ReferencedSOPClassUID = "1.2"
                item.ReferencedSOPInstanceUID = f"1.2.{number}"
            written = io.BytesIO()
            data.save_as(written)
            response = each.upload(written.getvalue())
            answers.append((response.status_code, response.json().get("Status")))
        statuses = [
            c_store(each.dicom_port, file_with(20, PatientID="BUSY")),
            c_store(each.dicom_port, file_with(21)),
            c_store(each.dicom_port, file_with(22, Modality="KO")),
        ]
        tools: list[Any] = [
            each.client.post("/tools/lookup", content="x", headers=headers).status_code
            for headers in ({}, {"X-Admin": "yes"})
        ]
        tools.append(each.client.delete("/patients/x").status_code)
        for method, path in (
            *(("PROPFIND", "/webdav/by-uids"), ("PUT", "/webdav/uploads/a"), ("GET", "/webdav/x")),
            *(("LOCK", "/webdav/uploads/a"), ("MKCOL", "/webdav/uploads/b"), ("POST", "/webdav/x")),
            *(("PROPPATCH", "/webdav/uploads/a"), ("UNLOCK", "/webdav/uploads/a")),
            *(("DELETE", "/webdav/uploads/a"), ("OPTIONS", "/webdav"), ("HEAD", "/webdav/x")),
        ):
            response = each.client.request(method, path, headers={"Depth": "0"})
            tools.append((method, response.status_code))
        found = []
        for title in ("KNOWN", "STRANGER"):
            ae = AE(title)
            ae.add_requested_context(STUDY_ROOT, ["1.2.840.10008.1.2.1"])
            association = ae.associate("127.0.0.1", each.dicom_port, ae_title="CALLED")
            query = Dataset()
            query.QueryRetrieveLevel = "STUDY"
            query.PatientID = "NONE"
            query.PatientName = "X"
            query.Modality = "CT"
            found.append(
                sorted(
                    str(one.PatientID)
                    for _, one in association.send_c_find(query, STUDY_ROOT)
                    if one is not None
                )
            )
            association.release()
        return answers, statuses, tools, found

    ours, theirs = compared("filtering.lua", drive)
    assert ours[0] == theirs[0]
    assert ours[1] == theirs[1]


def test_to_disk(compared: Callable[..., tuple[Any, Any]]) -> None:
    def drive(each: Site) -> Any:
        out = each.folder / "out"
        for number, tags in enumerate(
            [
                {"PatientName": "A/B^C d ", "SliceThickness": "2.5"},
                {"PatientName": "../..", "StudyDescription": "a*b"},
                {"Modality": "MR"},
            ],
            start=1,
        ):
            each.upload(file_with(number, **tags)).raise_for_status()
        called = out / "called"
        until(lambda: called.exists() and len(called.read_text().splitlines()) == 4)
        files = sorted(str(file.relative_to(out)) for file in out.rglob("*") if file.is_file())
        texts = [(out / name).read_text() for name in ("list.csv", "called")]
        sizes = [file.stat().st_size for file in sorted(out.rglob("*.dcm"))]
        for study in sorted(each.client.get("/studies").json())[:1]:
            each.client.delete(f"/studies/{study}").raise_for_status()
        until(lambda: not (out / "list.csv").exists())
        return files, texts, sizes

    ours, theirs = compared("to_disk.lua", drive)
    assert ours[0] == theirs[0]
    assert _of(ours[1]) == _of(theirs[1])


def _of(notes: list[Any]) -> list[str]:
    """As text, whatever the folder of the test and the chunk are called: docs/deviations.md."""
    own = re.compile(r'OurServer|ReferenceServer|\w+\.lua(?=:)|\[string \\"line\\"\]')
    return [own.sub("", json.dumps(each)) for each in notes]


def test_ris(compared: Callable[..., tuple[Any, Any]]) -> None:
    requests: list[list[Any]] = []

    def behave(received: Received) -> bytes:
        names = ("content-type", "x-site", "authorization", "accept")
        kept = {name: received.headers.get(name) for name in names}
        requests[-1].append((received.method, received.target, kept, received.body))
        if received.target == "/orders" and received.method == "POST":
            return answer(200, b'{"order": 17, "list": ["x", 2], "nothing": null}')
        if received.target == "/binary":
            return answer(200, bytes(range(256)))
        if received.target == "/missing":
            return answer(404, b"not here")
        return answer(200, received.method.encode())

    def drive(each: Site) -> Any:
        requests.append([])
        each.upload(file_with(1, AccessionNumber="A5")).raise_for_status()
        until(lambda: any(note[0] == "updated" for note in each.notes()))
        (study,) = each.client.get("/studies").json()
        return [
            each.client.get(f"/studies/{study}/{what}").text
            for what in ("metadata/1024", "attachments/1030/data", "labels")
        ]

    with HttpPeer(behave) as peer:
        ours, theirs = compared("ris.lua", drive, url=peer.url)
    assert requests[0] == requests[1]
    assert ours[0][:2] == theirs[0][:2]
    assert [json.loads(each[0][2]) for each in (ours, theirs)] == [["ordered"]] * 2
    assert ours[1] == theirs[1]


def test_archiving(compared: Callable[..., tuple[Any, Any]]) -> None:
    def drive(each: Site) -> Any:
        each.upload(file_with(1, StudyDescription="Thorax")).raise_for_status()
        until(lambda: any(note[0] == "anonymous" for note in each.notes()))
        until(lambda: len([1 for note in each.notes() if note[0] == "patient"]) == 2)
        with zipfile.ZipFile(each.folder / "out.zip") as archive:
            members = archive.namelist()
        return members, each.store.names()

    ours, theirs = compared("archiving.lua", drive)
    assert ours[0] == theirs[0]
    assert sorted(map(str, ours[1])) == sorted(map(str, theirs[1]))


def test_jobs(compared: Callable[..., tuple[Any, Any]]) -> None:
    def drive(each: Site) -> Any:
        instance = each.upload(file_with(1)).json()["ID"]
        body = {"Resources": [instance], "Asynchronous": True}
        each.client.post("/modalities/store/store", json=body).raise_for_status()
        until(lambda: any(note[0] == "success" for note in each.notes()))
        each.client.post("/modalities/down/store", json=body).raise_for_status()
        until(lambda: len([1 for note in each.notes() if note[0] == "failure"]) == 3)
        each.client.put(f"/instances/{instance}/metadata/1030", content="five")
        until(lambda: any(note[0] == "updated" for note in each.notes()))
        each.client.delete(f"/instances/{instance}").raise_for_status()
        until(lambda: any(note[0] == "deleted" for note in each.notes()))

    ours, theirs = compared("jobs.lua", drive)
    assert ours[1] == theirs[1]
