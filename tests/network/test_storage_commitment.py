"""Storage commitment in both roles, side by side with Orthanc 1.13 and with each other. Reference
chapter 4, section 5.8."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from pydicom.dataset import Dataset
from support import generated
from support.commitment_peer import (
    INSTANCE,
    PATIENCE,
    PUSH_MODEL,
    CommitmentPeer,
    Message,
    information,
)
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

REMOVED = "1.2.826.0.1.3680043.10.1042.77"


class Side(NamedTuple):
    http: httpx.Client
    dicom_port: int


class Scene(NamedTuple):
    """Two servers with one instance, and a peer that both know, and that knows both."""

    ours: Side
    theirs: Side
    peer: CommitmentPeer
    names: dict[str, str]
    reference: tuple[str, str]

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.ours, self.theirs


@pytest.fixture(scope="module")
def scene(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("commitment")
    ports = free_port(), free_port()
    options = {
        "DicomServerEnabled": True,
        "StorageCommitmentReportsSize": 3,
        "ExecuteLuaEnabled": False,
    }
    ours = OurServer(folder / "ours", {**options, "DicomPort": ports[0], "HttpWorkers": 2})
    theirs = ReferenceServer(folder / "theirs", {**options, "DicomPort": ports[1]})
    data = generated.small().number(1, 1, 1, 1)
    with (
        CommitmentPeer().serving() as peer,
        ours,
        theirs,
        httpx.Client(base_url=ours.url, timeout=30) as left,
        httpx.Client(base_url=theirs.url, timeout=30) as right,
    ):
        for client, other in ((left, ports[1]), (right, ports[0])):
            names = client.post("/instances", content=data).json()
            put(client, "peer", "PEER", peer.port)
            put(client, "other", "ORTHANC", other, LocalAet="")
        tags = left.get(f"/instances/{names['ID']}/simplified-tags").json()
        yield Scene(
            Side(left, ports[0]),
            Side(right, ports[1]),
            peer,
            {"instance": names["ID"], "study": names["ParentStudy"]},
            (tags["SOPClassUID"], tags["SOPInstanceUID"]),
        )


def put(client: httpx.Client, name: str, aet: str, port: int, **fields: Any) -> None:
    modality = {"AET": aet, "Host": "127.0.0.1", "Port": port, "LocalAet": "IGNORED", **fields}
    client.put(f"/modalities/{name}", json=modality).raise_for_status()


def error(answer: httpx.Response) -> tuple[int, Any, Any]:
    value = answer.json()
    return answer.status_code, value.get("OrthancStatus"), value.get("Details")


# As SCU

GOOD = [
    b'{"Resources": ["%(instance)s"]}',
    b'{"Resources": ["%(study)s", "%(instance)s"]}',
    b'{"Resources": []}',
    b'{"DicomInstances": []}',
    b'{"DicomInstances": [["1.2", "1.3"], {"SOPClassUID": "1.4", "SOPInstanceUID": "1.5"}]}',
    b'{"Resources": ["%(instance)s"], "DicomInstances": [["1.2", "1.3"]], "Timeout": 5}',
]


@pytest.mark.parametrize("body", GOOD)
def test_what_is_asked(scene: Scene, body: bytes) -> None:
    asked: list[Message] = []
    for side in scene.sides:
        content = (body.decode() % scene.names).encode()
        answer = side.http.post("/modalities/peer/storage-commitment", content=content)
        uid = answer.raise_for_status().json()["ID"]
        assert answer.json() == {"ID": uid, "Path": f"/storage-commitment/{uid}"}
        message = scene.peer.actions.get(timeout=PATIENCE)
        assert message.information.TransactionUID == uid
        message.information.TransactionUID = ""
        asked.append(message)
        pending = side.http.get(f"/storage-commitment/{uid}")
        assert pending.json() == {"RemoteAET": "PEER", "Status": "Pending"}
        assert error(side.http.post(f"/storage-commitment/{uid}/remove"))[:2] == (500, 6)
    assert asked[0] == asked[1]
    assert asked[0].calling == "ORTHANC"


BAD = [
    *(b"{}", b"[]", b'"x"', b"", b"[", b'{"Resources": "x"}', b'{"Resources": {}}'),
    *(b'{"Resources": ["x"]}', b'{"Resources": ["%(instance)s", "nobody"]}'),
    b'{"Resources": ["66c8e41e-ac3a9029-0b85e42a-8195ee0a-92c2e62e"]}',
    *(b'{"Resources": [3]}', b'{"Resources": [], "DicomInstances": null}'),
    *(b'{"DicomInstances": 3}', b'{"DicomInstances": {}}', b'{"DicomInstances": ["x"]}'),
    *(b'{"DicomInstances": [["", ""]]}', b'{"DicomInstances": [["1.2"]]}'),
    *(b'{"DicomInstances": [["1", "2", "3"]]}', b'{"DicomInstances": [[1, 2]]}'),
    b'{"DicomInstances": [{"SOPClassUID": "1.4"}]}',
    b'{"DicomInstances": [{"SOPClassUID": "", "SOPInstanceUID": "1"}]}',
    *(b'{"Resources": [], "Timeout": "x"}', b'{"Resources": [], "Timeout": -1}'),
]


@pytest.mark.parametrize("body", BAD)
def test_bodies(scene: Scene, body: bytes) -> None:
    content = body % {b"instance": scene.names["instance"].encode()} if b"%(" in body else body
    for name in ("peer", "nobody"):
        ours, theirs = (
            error(side.http.post(f"/modalities/{name}/storage-commitment", content=content))
            for side in scene.sides
        )
        assert ours[:2] == theirs[:2], name


@pytest.mark.parametrize("status", [0x0110, 0x0107, 0xB000, 0xFF00])
def test_a_peer_that_refuses(scene: Scene, status: int) -> None:
    scene.peer.status = status
    try:
        for side in scene.sides:
            answer = side.http.post("/modalities/peer/storage-commitment", json={"Resources": []})
            scene.peer.actions.get(timeout=PATIENCE)
            assert error(answer) == (
                *(500, 9),
                "Storage commitment - The request cannot be handled by remote AET: PEER",
            )
    finally:
        scene.peer.status = 0


def test_paths(scene: Scene) -> None:
    for method, path in (
        ("GET", "/storage-commitment"),
        ("GET", "/storage-commitment/1.2.3"),
        ("GET", f"/storage-commitment/{'1' * 600}"),
        ("POST", "/storage-commitment/1.2.3/remove"),
        ("GET", "/storage-commitment/1.2.3/remove"),
        ("DELETE", "/storage-commitment/1.2.3"),
        ("GET", "/modalities/peer/storage-commitment"),
    ):
        ours, theirs = (side.http.request(method, path) for side in scene.sides)
        assert ours.status_code == theirs.status_code, path
        assert ours.headers.get("allow") == theirs.headers.get("allow"), path
        if theirs.content:
            assert error(ours) == error(theirs), path


# Reports of others

KEPT = [("1.2", "1.3")]
ALL_REASONS = [
    (f"1.{reason}", f"2.{reason}", reason)
    for reason in (0, 0x0110, 0x0112, 0x0213, 0x0122, 0x0119, 0x0131, 0x9999, 1)
]
REPORTS: list[tuple[Dataset, int]] = [
    (information("9.1", KEPT), 1),
    (information("9.2", KEPT, ALL_REASONS), 2),
    (information("9.3", None, ALL_REASONS[:1]), 2),
    (information("9.4", KEPT, ALL_REASONS), 1),  # the failures do not count
    (information("9.5", []), 1),
    (information("9.6", [], []), 2),
]
MALFORMED_REPORTS: list[tuple[Dataset, int]] = [
    (information("9.7"), 1),
    (information("9.8", KEPT), 2),
    (information("9.9", KEPT), 3),
    (information("9.10", [("", "")]), 1),
    (information(None, KEPT), 1),
    (information("", KEPT), 1),
]


@pytest.mark.parametrize("told, kind", REPORTS, ids=range(len(REPORTS)))
def test_reports(scene: Scene, told: Dataset, kind: int) -> None:
    outcomes = [scene.peer.report(side.dicom_port, told, kind) for side in scene.sides]
    assert outcomes[0] == outcomes[1]
    path = f"/storage-commitment/{told.get('TransactionUID') or 'none'}"
    ours, theirs = (side.http.get(path) for side in scene.sides)
    assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert outcomes[0].status == 0


@pytest.mark.parametrize("told, kind", MALFORMED_REPORTS, ids=range(len(MALFORMED_REPORTS)))
def test_malformed_reports(scene: Scene, told: Dataset, kind: int) -> None:
    """No answer at all, from Orthanc neither, and nothing is kept."""
    path = f"/storage-commitment/{told.get('TransactionUID') or 'none'}"
    for side in scene.sides:
        assert scene.peer.report(side.dicom_port, told, kind, patience=1).status is None
        assert side.http.get(path).status_code == 404


def test_a_report_for_another_instance(scene: Scene) -> None:
    told = information("9.11", KEPT)
    for side in scene.sides:
        assert scene.peer.report(side.dicom_port, told, 1, "1.2.3", patience=1).status is None
        assert side.http.get("/storage-commitment/9.11").status_code == 404


def test_the_first_ones_go(scene: Scene) -> None:
    """`StorageCommitmentReportsSize`; looking at a report counts as use."""
    for side in scene.sides:

        def report(uid: str, side: Side = side) -> None:
            assert scene.peer.report(side.dicom_port, information(uid, KEPT), 1).status == 0

        def there(*uids: str, side: Side = side) -> list[bool]:
            return [side.http.get(f"/storage-commitment/{uid}").is_success for uid in uids]

        for uid in ("7.1", "7.2", "7.3"):
            report(uid)
        assert there("7.1") == [True]
        report("7.4")
        assert there("7.1", "7.2", "7.3", "7.4") == [True, False, True, True]
        for uid in ("7.3", "7.5", "7.6"):
            report(uid)
        assert there("7.1", "7.3", "7.4", "7.5", "7.6") == [False, True, False, True, True]


def test_every_worker_knows(scene: Scene) -> None:
    scene.peer.report(scene.ours.dicom_port, information("6.1", KEPT), 1)
    url = str(scene.ours.http.base_url)
    for _ in range(16):  # each connection goes to one of the workers
        assert httpx.get(f"{url}/storage-commitment/6.1").json()["Status"] == "Success"


def test_remove(scene: Scene) -> None:
    """Only what the other side keeps, and all of that."""
    data = generated.small().number(1, 1, 1, 2)
    for side in scene.sides:
        made = side.http.post("/instances", content=data).json()["ID"]
        tags = side.http.get(f"/instances/{made}/simplified-tags").json()
        reference = (tags["SOPClassUID"], tags["SOPInstanceUID"])
        failed = [("1.2", "1.4", 0x0112)]
        for kind, kept in ((2, [reference]), (1, [reference, ("1.2", "1.3")])):
            uid = ask_for(scene, side, [reference, scene.reference])
            told = information(uid, kept, failed if kind == 2 else None)
            assert scene.peer.report(side.dicom_port, told, kind).status == 0
            answer = side.http.post(f"/storage-commitment/{uid}/remove", content=b"whatever")
            if kind == 2:
                assert error(answer) == (
                    *(500, 6),
                    "Cannot remove DICOM instances after failure in storage commitment "
                    f"transaction: {uid}",
                )
                assert side.http.get(f"/instances/{made}").status_code == 200
            else:
                assert answer.json() == {}
                assert answer.headers["content-type"] == "application/json"
                assert side.http.get(f"/instances/{made}").status_code == 404
        assert side.http.post(f"/storage-commitment/{uid}/remove").json() == {}
        assert side.http.get(f"/storage-commitment/{uid}").json()["Status"] == "Success"
        assert side.http.get(f"/instances/{scene.names['instance']}").status_code == 200


def ask_for(scene: Scene, side: Side, references: list[tuple[str, str]]) -> str:
    body = {"DicomInstances": references}
    answer = side.http.post("/modalities/peer/storage-commitment", json=body)
    scene.peer.actions.get(timeout=PATIENCE)
    return str(answer.raise_for_status().json()["ID"])


def test_forged_reports_delete_nothing(scene: Scene) -> None:
    """Not that of another modality, nor a second one, nor one that names more than was asked for,
    nor one on a transaction that nobody has begun: with Orthanc all of them do."""
    side, lured = scene.ours, f"/instances/{scene.names['instance']}"
    thief = CommitmentPeer("THIEF")
    put(side.http, "thief", "THIEF", 104)
    asked = [("1.2", "1.3")]
    uid = ask_for(scene, side, asked)
    assert thief.report(side.dicom_port, information(uid, [scene.reference]), 1).status == 0
    pending = side.http.get(f"/storage-commitment/{uid}").json()
    assert pending == {"RemoteAET": "PEER", "Status": "Pending"}
    told = information(uid, [*asked, scene.reference])
    assert scene.peer.report(side.dicom_port, told, 1).status == 0
    report = side.http.get(f"/storage-commitment/{uid}").json()
    assert report["Status"] == "Success"
    assert thief.report(side.dicom_port, information(uid, []), 1).status == 0
    assert scene.peer.report(side.dicom_port, information(uid, []), 1).status == 0
    assert side.http.get(f"/storage-commitment/{uid}").json() == report
    assert side.http.post(f"/storage-commitment/{uid}/remove").json() == {}
    assert thief.report(side.dicom_port, information("5.9", [scene.reference]), 1).status == 0
    assert side.http.get("/storage-commitment/5.9").json()["Status"] == "Success"
    assert error(side.http.post("/storage-commitment/5.9/remove"))[:2] == (500, 6)
    assert side.http.get(lured).status_code == 200


# As SCP


def job(side: Side, uid: str) -> dict[str, Any]:
    """The job of a transaction, once it is over, without what differs each time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for found in side.http.get("/jobs?expand").json():
            is_wanted = found["Content"].get("TransactionUid") == uid
            if is_wanted and found["State"] in ("Success", "Failure"):
                return {name: value for name, value in found.items() if name not in INDIVIDUAL}
        time.sleep(0.02)
    raise AssertionError(f"no job has ended for {uid}")


INDIVIDUAL = {"ID", "CompletionTime", "CreationTime", "EffectiveRuntime", "Timestamp"}


@pytest.mark.parametrize(
    "uid, others",
    [
        ("4.1", []),
        ("4.2", [("1.2", None), (None, "1.2.3")]),  # another class, another instance
        ("4.3", [(None, None)]),  # the same one again
    ],
)
def test_what_is_reported(
    scene: Scene, uid: str, others: list[tuple[str | None, str | None]]
) -> None:
    sop_class, sop_instance = scene.reference
    references = [scene.reference, *((a or sop_class, b or sop_instance) for a, b in others)]
    asked = information(uid, references)
    told: list[Message] = []
    jobs = []
    for side in scene.sides:
        assert scene.peer.ask(side.dicom_port, asked).status == 0
        told.append(scene.peer.events.get(timeout=PATIENCE))
        jobs.append(job(side, uid))
    assert told[0] == told[1]
    assert jobs[0] == jobs[1]
    assert told[0].kind == (2 if len(others) == 2 else 1)
    assert told[0].calling == "CALLED"
    assert told[0].roles == [(PUSH_MODEL, False, True)]


def test_nothing_is_asked(scene: Scene) -> None:
    told: list[Message] = []
    for side in scene.sides:
        assert scene.peer.ask(side.dicom_port, information("4.4", [])).status == 0
        told.append(scene.peer.events.get(timeout=PATIENCE))
    assert told[0] == told[1]


def test_nothing_is_there(scene: Scene) -> None:
    """The sequence of what is kept is left out by us, as PS3.4 wants it, and empty with Orthanc."""
    told: list[Message] = []
    for side in scene.sides:
        assert scene.peer.ask(side.dicom_port, information("4.5", KEPT)).status == 0
        told.append(scene.peer.events.get(timeout=PATIENCE))
    assert "ReferencedSOPSequence" not in told[0].information
    assert not told[1].information.ReferencedSOPSequence
    del told[1].information.ReferencedSOPSequence
    assert told[0] == told[1]


MALFORMED: list[tuple[Dataset, int, str]] = [
    (information("3.1"), 1, INSTANCE),
    (information(None, KEPT), 1, INSTANCE),
    (information("", KEPT), 1, INSTANCE),
    (information("3.4", [("", "")]), 1, INSTANCE),
    (information("3.5", KEPT), 2, INSTANCE),
    (information("3.6", KEPT), 1, "1.2.3"),
]


@pytest.mark.parametrize("asked, kind, instance", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_requests(scene: Scene, asked: Dataset, kind: int, instance: str) -> None:
    """No answer at all, from Orthanc neither."""
    before = [len(side.http.get("/jobs").json()) for side in scene.sides]
    for side in scene.sides:
        assert scene.peer.ask(side.dicom_port, asked, kind, instance, 1).status is None
    assert [len(side.http.get("/jobs").json()) for side in scene.sides] == before


def test_strangers(scene: Scene) -> None:
    """Who is no modality, or one without the right, is let go without an answer."""
    stranger = CommitmentPeer("STRANGER")
    rightless = CommitmentPeer("RIGHTLESS")
    for side in scene.sides:
        put(
            *(side.http, "rightless", "RIGHTLESS", 104),
            AllowNAction=False,
            AllowEventReport=False,
        )
        for each in (stranger, rightless):
            assert each.ask(side.dicom_port, information("2.1", KEPT)).status is None
            assert each.report(side.dicom_port, information("2.2", KEPT), 1).status is None
        assert side.http.get("/storage-commitment/2.2").status_code == 404


def test_a_report_that_is_refused(scene: Scene) -> None:
    scene.peer.status = 0x0110
    try:
        jobs = []
        for side in scene.sides:
            scene.peer.ask(side.dicom_port, information("2.3", [scene.reference]))
            scene.peer.events.get(timeout=PATIENCE)
            jobs.append(job(side, "2.3"))
    finally:
        scene.peer.status = 0
    assert jobs[0] == jobs[1]
    assert jobs[0]["State"] == "Failure"


def test_nobody_takes_the_report(scene: Scene) -> None:
    gone = CommitmentPeer("GONE")
    jobs = []
    for side in scene.sides:
        put(side.http, "gone", "GONE", free_port())
        assert gone.ask(side.dicom_port, information("2.4", [scene.reference])).status == 0
        jobs.append(job(side, "2.4"))
        assert (
            jobs[-1]
            .pop("ErrorDetails")
            .startswith('DicomAssociation - connecting to AET "GONE": TCP Initialization Error')
        )
    assert jobs[0] == jobs[1]


# With each other


def wait_for_report(side: Side, uid: str) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        report: dict[str, Any] = side.http.get(f"/storage-commitment/{uid}").json()
        if report["Status"] != "Pending":
            return report
        time.sleep(0.02)
    raise AssertionError("no report has come")


def test_the_servers_ask_each_other(scene: Scene) -> None:
    for side in scene.sides:
        body = {"Resources": [scene.names["study"]]}
        answer = side.http.post("/modalities/other/storage-commitment", json=body)
        report = wait_for_report(side, answer.raise_for_status().json()["ID"])
        sop_class, sop_instance = scene.reference
        assert report == {
            "RemoteAET": "ORTHANC",
            "Status": "Success",
            "Failures": [],
            "Success": [{"SOPClassUID": sop_class, "SOPInstanceUID": sop_instance}],
        }
        failing = {"DicomInstances": [[sop_class, "1.2.3.4"], ["1.2", sop_instance]]}
        answer = side.http.post("/modalities/other/storage-commitment", json=failing)
        report = wait_for_report(side, answer.raise_for_status().json()["ID"])
        assert report["Status"] == "Failure"
        assert [each["FailureReason"] for each in report["Failures"]] == [0x0112, 0x0119]


def test_a_title_beyond_ascii(scene: Scene) -> None:
    """Whoever is asked by such a title reports by it."""
    ports = [side.dicom_port for side in scene.sides]
    for side, other in zip(scene.sides, reversed(ports), strict=True):
        put(side.http, "odd", "ÖDD", other)
        body = {"Resources": [scene.names["study"]]}
        answer = side.http.post("/modalities/odd/storage-commitment", json=body)
        report = wait_for_report(side, answer.raise_for_status().json()["ID"])
        assert (report["RemoteAET"], report["Status"]) == ("ÖDD", "Success")


def test_after_a_store(scene: Scene, tmp_path: Path) -> None:
    """The job that sends asks for a storage commitment in the end."""
    for side in scene.sides:
        body = {"Resources": [scene.names["study"]], "StorageCommitment": True}
        answer = side.http.post("/modalities/other/store", content=json.dumps(body).encode())
        uid = answer.raise_for_status().json()["StorageCommitmentTransactionUID"]
        assert wait_for_report(side, uid)["Status"] == "Success"
