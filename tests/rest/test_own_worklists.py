"""Worklists for modalities: from REST to those who ask for them, and their end."""

import calendar
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from support import find_scu, generated
from support.find_scu import Aborted, FindScu
from support.ports import free_port
from support.process import children
from support.server import OurServer
from support.worklists import PATIENT_ID, SOP_CLASS, file, worklist

STEP = {"Modality": "CT", "ScheduledProcedureStepStartDate": "20260101"}
TAGS: dict[str, Any] = {"PatientID": "P", "ScheduledProcedureStepSequence": [STEP]}
DEADLINE = 60.0


def started(folder: Path, **options: Any) -> OurServer:
    return OurServer(
        folder / "server",
        {
            "DicomServerEnabled": True,
            "DicomPort": free_port(),
            "StableAge": 1,
            "Worklists": {"Enable": True, "HousekeepingInterval": 1, **options},
            "DicomModalities": {
                "friend": ["FRIEND", "127.0.0.1", 104],
                "foe": {"AET": "FOE", "Host": "h", "Port": 104, "AllowFindWorklist": False},
            },
        },
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site") / "worklists"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[OurServer]:
    with started(folder.parent, Directory=str(folder)) as running:
        yield running


@pytest.fixture
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as found:
        yield found
        for each in found.get("/worklists").json():
            found.delete(f"/worklists/{each['ID']}").raise_for_status()


def port_of(server: OurServer) -> int:
    return int(server.configuration["DicomPort"])


def found(server: OurServer, calling: str = "FRIEND") -> list[str]:
    """The patients of all worklists."""
    with FindScu(port_of(server), SOP_CLASS, calling=calling) as scu:
        outcome = scu.find(find_scu.encoded([(PATIENT_ID, "LO", "")]))
    assert outcome.status == 0
    return sorted(find_scu.decoded(each).PatientID for each in outcome.answers)


def test_routes(client: httpx.Client, folder: Path) -> None:
    assert client.get("/worklists").json() == []
    made = client.post("/worklists/create", json={"Tags": TAGS})
    assert made.status_code == 200
    assert made.headers["content-type"].startswith("application/json")
    name = made.json()["ID"]
    assert made.json() == {"ID": name, "Path": f"/worklists/{name}"}
    assert [path.name for path in folder.iterdir()] == [f"{name}.wl"]
    shown = client.get(f"/worklists/{name}").json()
    assert shown == client.get(f"/worklists/{name}?format=Simplify").json()
    assert shown["Tags"].pop("StudyInstanceUID").startswith("2.25.")
    assert shown == {"ID": name, "Tags": {**TAGS, "SpecificCharacterSet": "ISO_IR 192"}}
    short = client.get(f"/worklists/{name}?format=Short").json()["Tags"]
    assert short["0010,0020"] == "P"
    full = client.get("/worklists?format=Full").json()[0]["Tags"]
    assert full["0010,0020"] == {"Name": "PatientID", "Type": "String", "Value": "P"}
    again = client.put(f"/worklists/{name}", json={"Tags": {"PatientID": "Q"}})
    assert again.json() == made.json()
    tags = client.get(f"/worklists/{name}").json()["Tags"]
    assert tags.keys() == {"SpecificCharacterSet", "PatientID", "StudyInstanceUID"}
    other = client.put("/worklists/of my choice", json={"Tags": {"PatientID": "R"}}).json()
    assert other == {"ID": "of my choice", "Path": "/worklists/of my choice"}
    assert len(client.get("/worklists").json()) == 2
    assert client.delete(f"/worklists/{name}").json() == {}
    assert [each["ID"] for each in client.get("/worklists").json()] == ["of my choice"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "create", b"", 400, 15),
        ("POST", "create", b"{", 400, 15),
        ("POST", "create", b"3", 400, 15),
        ("POST", "create", b"{}", 400, 15),
        ("POST", "create", b'{"Tags":[]}', 400, 15),
        ("POST", "create", b'{"Tags":{"PatientID":"P"}}', 400, 15),
        ("POST", "create", b'{"Tags":{},"Force":"yes"}', 400, 15),
        ("POST", "create", b'{"Tags":{"PatientID":5},"Force":true}', 400, 5),
        ("POST", "create", b'{"Tags":{"Nobody":"P"},"Force":true}', 500, 27),
        ("POST", "create", b"[]", 500, -1),
        ("PUT", "x", b"{}", 400, 15),
        ("PUT", "x", b'{"Tags":{"PatientID":5}}', 400, 5),
        ("GET", "nobody", b"", 404, 17),
        ("GET", "nobody?format=short", b"", 400, 3),
        ("GET", "?format=simplify", b"", 400, 3),
        ("DELETE", "nobody", b"", 404, 17),
    ],
)
def test_errors(
    client: httpx.Client, method: str, path: str, body: bytes, status: int, code: int
) -> None:
    answer = client.request(method, f"/worklists/{path}".replace("/?", "?"), content=body)
    assert answer.status_code == status
    assert answer.json()["OrthancStatus"] == code
    assert client.get("/worklists").json() == []


@pytest.mark.parametrize(
    ("path", "methods"),
    [("", "POST PUT DELETE"), ("/create", "GET PUT DELETE"), ("/x", "POST")],
)
def test_other_methods(client: httpx.Client, path: str, methods: str) -> None:
    for method in methods.split():
        assert client.request(method, f"/worklists{path}").status_code == 405


def test_who_asks_finds_what_was_just_made(server: OurServer, client: httpx.Client) -> None:
    """Whichever process answers."""
    names = []
    for number in range(10):
        tags = {**TAGS, "PatientID": f"P{number}"}
        made = client.post("/worklists/create", json={"Tags": tags}).json()
        names.append(made["ID"])
        assert found(server) == [f"P{each}" for each in range(number + 1)]
    for number, name in enumerate(names):
        client.delete(f"/worklists/{name}")
        assert found(server) == [f"P{each}" for each in range(number + 1, 10)]


def test_files_of_others(server: OurServer, client: httpx.Client, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "RIS-1.WL").write_bytes(file(worklist(1, "Müller^Ä", character_set="ISO_IR 100")))
    (folder / "broken.wl").write_bytes(b"this is no worklist")
    os.utime(folder / "broken.wl", (0, 0))
    assert found(server) == ["P1"]
    assert [each["ID"] for each in client.get("/worklists").json()] == ["RIS-1"]
    assert client.get("/worklists/RIS-1").json()["Tags"]["PatientName"] == "Müller^Ä"
    for _ in range(10):  # of every process
        found(server)
        client.get("/worklists")
    assert server.log_path.read_text().count("broken.wl") == 1
    (folder / "broken.wl").unlink()


@pytest.mark.parametrize("calling", ["FOE", "STRANGER"])
def test_rights(server: OurServer, calling: str) -> None:
    with pytest.raises(Aborted):
        found(server, calling)


def test_findscu(server: OurServer, client: httpx.Client) -> None:
    for number, modality in enumerate(("CT", "MR", "CT")):
        step = {**STEP, "Modality": modality, "ScheduledProcedureStepID": f"S{number}"}
        tags = {"PatientID": f"P{number}", "ScheduledProcedureStepSequence": [step]}
        client.post("/worklists/create", json={"Tags": tags}).raise_for_status()
    tool = shutil.which("findscu", path=os.defpath)
    assert tool is not None
    keys: tuple[str, ...] = ("PatientID", "ScheduledProcedureStepSequence[0].Modality=CT")
    keys += ("ScheduledProcedureStepSequence[0].ScheduledProcedureStepID",)
    command = [tool, "-W", "-v", "-aet", "FRIEND", "127.0.0.1", str(port_of(server))]
    command += [part for key in keys for part in ("-k", key)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    shown = run.stdout + run.stderr
    assert all(text in shown for text in ("[P0]", "[P2]", "[S0]", "[S2]"))
    assert "P1" not in shown and "Success" in shown


def test_pynetdicom(server: OurServer, client: httpx.Client) -> None:
    client.post("/worklists/create", json={"Tags": TAGS}).raise_for_status()
    query, step = Dataset(), Dataset()
    step.Modality, step.ScheduledProcedureStepStartDate = "", "20251231-20260102"
    query.PatientID, query.ScheduledProcedureStepSequence = "", [step]
    ae = AE(ae_title="FRIEND")
    ae.add_requested_context(SOP_CLASS)
    association = ae.associate("127.0.0.1", port_of(server))
    assert association.is_established
    answers = list(association.send_c_find(query, SOP_CLASS))
    association.release()
    assert [status.Status for status, _ in answers] == [0xFF00, 0x0000]
    answer = answers[0][1]
    assert answer is not None
    assert answer.PatientID == "P"
    assert answer.ScheduledProcedureStepSequence[0].Modality == "CT"


def test_a_worklist_goes_when_its_study_is_stable(server: OurServer, client: httpx.Client) -> None:
    stored = client.post("/instances", content=generated.small().number(1, 1, 1, 1)).json()
    study = client.get(f"/studies/{stored['ParentStudy']}").json()
    uid = study["MainDicomTags"]["StudyInstanceUID"]
    for name, given in (("here", uid), ("elsewhere", "1.2.3"), ("empty", "")):
        client.put(f"/worklists/{name}", json={"Tags": {"StudyInstanceUID": given}})
    deadline = time.monotonic() + DEADLINE
    while client.get("/worklists/here").status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert sorted(each["ID"] for each in client.get("/worklists").json()) == ["elsewhere", "empty"]
    client.delete(f"/studies/{stored['ParentStudy']}")


def test_whoever_dies_another_one_does_the_housekeeping(
    server: OurServer, client: httpx.Client
) -> None:
    assert server.process is not None
    for pid in children(server.process.pid):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        try:
            client.get("/worklists").raise_for_status()
            break
        except httpx.TransportError:
            time.sleep(0.1)
    stored = client.post("/instances", content=generated.small().number(2, 1, 1, 1)).json()
    study = client.get(f"/studies/{stored['ParentStudy']}").json()
    uid = study["MainDicomTags"]["StudyInstanceUID"]
    client.put("/worklists/here", json={"Tags": {"StudyInstanceUID": uid}}).raise_for_status()
    while client.get("/worklists/here").status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert client.get("/worklists").json() == []


def test_worklists_in_the_database(tmp_path: Path) -> None:
    """They are there after the server was killed, and have a date."""
    server = started(tmp_path, SaveInOrthancDatabase=True)
    with server:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for number in range(5):
                tags = {**TAGS, "PatientID": f"P{number}"}
                name = client.post("/worklists/create", json={"Tags": tags}).json()["ID"]
                assert found(server) == [f"P{each}" for each in range(number + 1)]
            client.delete(f"/worklists/{name}").raise_for_status()
            before = client.get("/worklists").json()
        server.kill_all()
    assert len(before) == 4
    moment = time.strptime(before[0]["CreationDate"], "%Y%m%dT%H%M%S")
    assert abs(calendar.timegm(moment) - time.time()) < 3600
    with server:
        assert found(server) == ["P0", "P1", "P2", "P3"]
        assert httpx.get(f"{server.url}/worklists").json() == before
        stored = httpx.post(f"{server.url}/instances", content=generated.small().number(1, 1, 1, 1))
        study = httpx.get(f"{server.url}/studies/{stored.json()['ParentStudy']}").json()
        tags = {"StudyInstanceUID": study["MainDicomTags"]["StudyInstanceUID"]}
        httpx.put(f"{server.url}/worklists/here", json={"Tags": tags}).raise_for_status()
        deadline = time.monotonic() + DEADLINE
        while httpx.get(f"{server.url}/worklists").json() != before:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "Directory"),
        ({"Directory": "a", "SaveInOrthancDatabase": True}, "exclude each other"),
        ({"Directory": 5}, "Directory"),
        ({"Directory": "a", "LimitAnswers": "3"}, "LimitAnswers"),
        ({"Directory": "a", "HousekeepingInterval": 0}, "HousekeepingInterval"),
        ({"Directory": "a", "Database": "b"}, "two names"),
    ],
)
def test_options_that_stop_the_start(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    server = started(tmp_path, **options)
    with pytest.raises(RuntimeError, match="Worklists"):
        server.start()
    assert text in server.log_path.read_text()


def test_without_them_nothing_is_there(our_server: OurServer) -> None:
    assert httpx.get(f"{our_server.url}/worklists").status_code == 404
    assert httpx.get(f"{our_server.url}/plugins/worklists").status_code == 404
    assert "worklists" not in httpx.get(f"{our_server.url}/plugins").json()
