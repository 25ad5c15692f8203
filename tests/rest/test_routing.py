"""Routing of whole servers: to every kind of destination, over faults of theirs, and its routes."""

import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from support import generated
from support.ports import free_port
from support.server import OurServer
from support.waiting import until

PATIENCE = 60.0
_numbers = itertools.count(1)


def upload(client: httpx.Client, count: int = 1) -> list[str]:
    """Instances of a new study."""
    number, template = next(_numbers), generated.small()
    return [
        client.post("/instances", content=template.number(number, number, 1, each + 1)).json()["ID"]
        for each in range(count)
    ]


def state(client: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/routing/destinations/{name}").json()
    return found


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    """A modality, a peer and a server of DICOMweb in one."""
    configuration = {
        "DicomServerEnabled": True,
        "DicomPort": free_port(),
        "DicomAet": "RECEIVER",
        "DicomAlwaysAllowStore": True,
    }
    with OurServer(tmp_path_factory.mktemp("receiver"), configuration) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("router")
    (found / "out").mkdir()
    return found


@pytest.fixture(scope="module")
def router(receiver: OurServer, folder: Path) -> Iterator[httpx.Client]:
    """Sends what has a label `all` nowhere, and each patient to one kind of destination."""
    port = receiver.configuration["DicomPort"]
    everywhere = ["modality", "peer", "web", "disk"]
    configuration = {
        "StableAge": 1,
        "LogExportedResources": True,
        "RestApiWriteToFileSystemEnabled": True,
        "DicomModalities": {"m": ["RECEIVER", "127.0.0.1", port]},
        "OrthancPeers": {"p": [receiver.url]},
        "DicomWeb": {"Servers": {"w": [f"{receiver.url}/dicom-web/"]}},
        "Routing": {
            "Destinations": {
                "modality": {"Modality": "m"},
                "peer": {"Peer": "p", "Compress": True},
                "web": {"DicomWeb": "w"},
                "disk": {"Folder": "out", "Path": "{PatientID}/{SOPInstanceUID}.dcm"},
                "nowhere": {"Folder": "missing", "LongestPause": 1000, "FirstPause": 1000},
            },
            "Rules": {
                "as-stored": {"Destinations": everywhere},
                "anonymous": {
                    "Event": "StableStudy",
                    "Anonymize": {},
                    "Transcode": "1.2.840.10008.1.2",
                    "Destinations": everywhere,
                },
                "lost": {"Query": {"PatientID": "*LOST*"}, "Destinations": ["nowhere"]},
            },
        },
    }
    server = OurServer(folder / "server", configuration)
    server.config_path = folder / "configuration.json"
    with server, httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        yield client


def test_every_kind_of_destination(router: httpx.Client, receiver: OurServer, folder: Path) -> None:
    """As they are stored, and then anonymized: to four destinations each, who agree on new
    identifiers."""
    instances = upload(router, 5)
    names = ["modality", "peer", "web", "disk"]
    until(lambda: all(state(router, name)["Sent"] == 10 for name in names))
    there = httpx.get(f"{receiver.url}/instances?expand").json()
    assert len(there) == 10
    assert set(instances) <= {each["ID"] for each in there}
    files = [pydicom.dcmread(path) for path in (folder / "out").rglob("*.dcm")]
    assert {file.SOPInstanceUID for file in files} == {
        each["MainDicomTags"]["SOPInstanceUID"] for each in there
    }
    anonymous = [file for file in files if file.get("PatientIdentityRemoved") == "YES"]
    assert len(anonymous) == 5
    assert {file.file_meta.TransferSyntaxUID for file in anonymous} == {"1.2.840.10008.1.2"}
    assert len({file.StudyInstanceUID for file in anonymous}) == 1
    assert len({file.PatientName for file in anonymous}) == 1
    done = [each["ChangeType"] for each in router.get("/changes?limit=1000").json()["Changes"]]
    assert done.count("RoutingDone") == 4
    exports = router.get("/exports?limit=1000").json()["Exports"]
    assert sorted({each["RemoteModality"] for each in exports}) == sorted(names)
    assert len(exports) == 40


def test_a_destination_that_is_down_is_told_and_delays_nobody(router: httpx.Client) -> None:
    data = pydicom.dcmread(_file(generated.small().number(900, 900, 1, 1)))
    data.PatientID = "LOST 1"
    out = _file(b"")
    data.save_as(out)
    lost = router.post("/instances", content=out.getvalue()).json()["ID"]
    until(lambda: state(router, "nowhere")["Attempts"] == 1)
    sent = state(router, "disk")["Sent"]
    upload(router)
    until(lambda: state(router, "disk")["Sent"] > sent)
    found = state(router, "nowhere")
    assert (found["State"], found["Pending"]) == ("Failing", 1)
    assert (found["Oldest"]["ID"], found["Oldest"]["Rule"]) == (lost, "lost")
    assert found["LastError"].startswith("cannot write into the folder")
    assert found["NextAttempt"] is not None
    figures = dict(
        line.split(" ")[:2] for line in router.get("/tools/metrics-prometheus").text.splitlines()
    )
    assert figures['orthanc_routing_pending{destination="nowhere"}'] == "1"
    changes = router.get("/changes?limit=10000").json()["Changes"]
    assert [each["ID"] for each in changes if each["ChangeType"] == "RoutingDelayed"] == [lost]
    queue = router.get("/routing/destinations/nowhere/queue").json()
    assert [each["Instances"] for each in queue] == [[lost]]
    router.post("/routing/destinations/nowhere/retry").raise_for_status()
    until(lambda: state(router, "nowhere")["Attempts"] == 2)
    router.post("/routing/destinations/nowhere/pause").raise_for_status()
    assert state(router, "nowhere")["State"] == "Paused"
    router.post("/routing/destinations/nowhere/resume").raise_for_status()
    router.delete("/routing/destinations/nowhere/queue").raise_for_status()
    found = state(router, "nowhere")
    assert (found["State"], found["Pending"], found["Oldest"]) == ("Idle", 0, None)


def test_rules_are_tried_without_sending(router: httpx.Client) -> None:
    instances = upload(router, 3)
    study = router.get(f"/instances/{instances[0]}/study").json()["ID"]
    tried = router.post("/routing/rules/anonymous/try", json={"Resources": instances}).json()
    assert tried["Results"] == [
        {
            "ID": study,
            "ResourceType": "Study",
            "Matches": True,
            "InstancesCount": 3,
            "Destinations": {"modality": 3, "peer": 3, "web": 3, "disk": 3},
        }
    ]
    tried = router.post("/routing/rules/lost/try", json={"Resources": [study]}).json()
    assert [each["ID"] for each in tried["Results"]] == instances
    assert {each["Reason"] for each in tried["Results"]} == {"Query"}
    rule = {"Event": "StableSeries", "Query": {"Modality": "CT"}, "Destinations": ["nowhere"]}
    tried = router.post("/routing/try", json={"Resources": [study], "Rule": rule}).json()
    assert [each["Destinations"] for each in tried["Results"]] == [{"nowhere": 3}]
    assert state(router, "nowhere")["Pending"] == 0


def test_rules_are_added_by_rest(router: httpx.Client, folder: Path) -> None:
    """They concern what is stored from the answer on; other rules see nothing twice."""
    (folder / "added").mkdir()
    upload(router)
    there = {"Folder": "added", "Path": "{SOPInstanceUID}.dcm"}
    router.put("/routing/destinations/later", json=there).raise_for_status()
    rule = {"Destinations": ["later"], "Query": {"Modality": "CT"}}
    router.put("/routing/rules/added", json=rule).raise_for_status()
    upload(router, 3)
    until(lambda: state(router, "later")["Sent"] == 3)
    upload(router, 2)
    until(lambda: state(router, "later")["Sent"] == 5)
    assert len(list((folder / "added").iterdir())) == 5
    log = router.get("/changes?limit=100000").json()["Changes"]
    stored = sum(each["ChangeType"] == "NewInstance" for each in log)
    until(lambda: state(router, "disk")["Pending"] == 0)
    done = sum(each["ChangeType"] == "StableStudy" for each in log)
    assert done
    # Each as it was stored, and anonymized once for each time that its study became stable.
    exports = router.get("/exports?limit=100000").json()["Exports"]
    plain = [each for each in exports if each["RemoteModality"] == "peer"]
    assert len(plain) <= 2 * stored
    assert router.get("/routing").json()["Rules"]["added"]["Destinations"] == ["later"]

    assert router.put("/routing/rules/lost", json=rule).status_code == 400
    assert router.put("/routing/rules/bad", json={**rule, "Query": {"X": "1"}}).status_code >= 400
    assert router.put("/routing/rules/bad", json={"Destinations": ["?"]}).status_code == 400
    assert router.put("/routing/destinations/disk", json=there).status_code == 400
    assert router.put("/routing/destinations/bad", json={"Folder": ""}).status_code == 400
    assert router.delete("/routing/destinations/disk").status_code == 400
    assert router.delete("/routing/destinations/later").status_code == 400
    assert router.delete("/routing/rules/added").status_code == 200
    assert router.delete("/routing/rules/added").status_code == 404
    assert router.delete("/routing/destinations/later").status_code == 200
    assert router.get("/routing/destinations/later").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/routing/destinations/none", None, 404),
        ("DELETE", "/routing/destinations/none/queue", None, 404),
        ("POST", "/routing/destinations/none/retry", None, 404),
        ("POST", "/routing/rules/none/try", {"Resources": []}, 404),
        ("POST", "/routing/rules/lost/try", {"Resources": ["x"]}, 404),
        ("POST", "/routing/rules/lost/try", {"Resource": []}, 400),
        ("POST", "/routing/try", {"Resources": [], "Rule": {"Destinations": ["x"]}}, 400),
        ("POST", "/routing/try", {"Resources": []}, 400),
        ("GET", "/routing/destinations/disk/queue?limit=x", None, 400),
    ],
)
def test_bad_requests(router: httpx.Client, method: str, path: str, body: Any, status: int) -> None:
    content = None if body is None else json.dumps(body)
    assert router.request(method, path, content=content).status_code == status


def test_without_the_option_there_is_nothing(receiver: OurServer) -> None:
    assert httpx.get(f"{receiver.url}/routing").status_code == 404
    children = Path(f"/proc/{receiver.process.pid}/task/{receiver.process.pid}/children")  # type: ignore[union-attr]
    names = [Path(f"/proc/{pid}/comm").read_text() for pid in children.read_text().split()]
    assert names
    assert not [name for name in names if "routing" in name]


def test_folders_are_added_only_where_files_may_be_written(tmp_path: Path) -> None:
    with OurServer(tmp_path, {"Routing": {}}) as server:
        path = f"{server.url}/routing/destinations/x"
        assert httpx.put(path, json={"Folder": str(tmp_path)}).status_code == 403
        assert httpx.get(path).status_code == 404


@pytest.mark.parametrize(
    ("kind", "known"), [("Modality", "m"), ("Peer", "p"), ("DicomWeb", "w"), ("Folder", "out")]
)
def test_a_destination_must_name_what_there_is(
    router: httpx.Client, folder: Path, kind: str, known: str
) -> None:
    """As in the configuration: who has mistyped a name is told at once."""
    reply = router.put("/routing/destinations/new", json={kind: "mistyped"})
    assert reply.status_code == 400
    details = reply.json()["Details"]
    assert details.startswith(f"destination 'new': {kind}: there is no ")
    assert "mistyped" in details
    assert router.get("/routing/destinations/new").status_code == 404
    router.put("/routing/destinations/new", json={kind: known}).raise_for_status()
    router.delete("/routing/destinations/new").raise_for_status()


def test_a_destination_may_name_what_rest_has_made(router: httpx.Client) -> None:
    there = {"AET": "LATER", "Host": "127.0.0.1", "Port": 104}
    router.put("/modalities/made", json=there).raise_for_status()
    router.put("/routing/destinations/new", json={"Modality": "made"}).raise_for_status()
    router.delete("/routing/destinations/new").raise_for_status()
    router.delete("/modalities/made").raise_for_status()


def _file(content: bytes) -> io.BytesIO:
    return io.BytesIO(content)
