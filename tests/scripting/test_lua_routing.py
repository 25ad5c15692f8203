"""What Lua scripts do with what arrives, what is sent and what is searched, in Orthanc 1.13 and
here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pydicom
import pytest
from pydicom import Dataset
from pynetdicom import AE, evt
from scripting.test_lua_callbacks import file_with
from support.find_scp import FindScp, find_scp
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.waiting import until
from support.worklists import file, worklist

SCRIPT = Path(__file__).with_name("routing.lua")
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
WORKLISTS = "1.2.840.10008.5.1.4.31"


class StoreScp:
    """Keeps what it gets: the names of the patients."""

    def __init__(self) -> None:
        self.port = free_port()
        self.got: list[Dataset] = []
        self.associations = 0

    @contextmanager
    def serving(self) -> Iterator["StoreScp"]:
        ae = AE("STORE")
        ae.add_supported_context("1.2.840.10008.5.1.4.1.1.2", ["1.2.840.10008.1.2.1"])
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_ESTABLISHED, self._established),
        ]
        server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        assert server is not None
        try:
            yield self
        finally:
            server.shutdown()

    def _store(self, event: Any) -> int:
        self.got.append(event.dataset)
        return 0

    def _established(self, event: Any) -> None:
        self.associations += 1

    def names(self) -> list[str]:
        return sorted(str(each.PatientName) for each in self.got)


class Side(NamedTuple):
    server: ServerProcess
    client: httpx.Client
    dicom_port: int
    store: StoreScp
    find: FindScp
    folder: Path

    def noted(self, name: str) -> list[Any]:
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [call["arguments"] for call in map(json.loads, lines) if call["name"] == name]

    def upload(self, number: int, **tags: str) -> str:
        answer = self.client.post("/instances", content=file_with(number, **tags))
        return str(answer.json()["ID"])


def started(kind: type[OurServer | ReferenceServer], folder: Path) -> Iterator[Side]:
    folder.mkdir()
    own = folder / "script.lua"
    own.write_text(SCRIPT.read_text().replace("FOLDER", str(folder)))
    worklists = folder / "worklists"
    worklists.mkdir()
    for number in (1, 2):
        (worklists / f"{number}.wl").write_bytes(file(worklist(number)))
    port, store = free_port(), StoreScp()
    with store.serving(), find_scp() as find:
        options = {
            "DicomServerEnabled": True,
            "DicomPort": port,
            "DicomAlwaysAllowFind": True,
            "LuaScripts": [str(own)],
            "LuaHeartBeatPeriod": 1,
            "DicomAlwaysAllowFindWorklist": True,
            "Worklists": {"Enable": True, "Database": str(worklists)},
            "StableAge": 1,
            "JobsHistorySize": 100,
            "DicomModalities": {
                "store": ["STORE", "127.0.0.1", store.port],
                "down": ["DOWN", "127.0.0.1", 1],
                "find": ["FIND", "127.0.0.1", find.port],
            },
        }
        server = (
            OurServer(folder / "server", options)
            if kind is OurServer
            else ReferenceServer(folder / "server", options, ("libModalityWorklists.so",))
        )
        with server, httpx.Client(base_url=server.url, timeout=60) as client:
            yield Side(server, client, port, store, find, folder)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    yield from started(OurServer, tmp_path_factory.mktemp("routing") / "ours")


@pytest.fixture(scope="module")
def theirs(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    yield from started(ReferenceServer, tmp_path_factory.mktemp("routing") / "theirs")


@pytest.fixture
def sides(ours: Side, theirs: Side) -> tuple[Side, Side]:
    for side in (ours, theirs):
        side.store.got.clear()
    return ours, theirs


def test_send(sides: tuple[Side, Side]) -> None:
    for side in sides:
        before = side.store.associations
        instances = [side.upload(number, PatientName="Send") for number in range(1, 6)]
        until(lambda: len(side.store.got) == 5)  # noqa: B023
        assert side.noted("gives") == [[each] for each in instances]
        assert side.store.associations - before == 1
    assert sides[0].store.names() == sides[1].store.names()


def test_send_to_a_peer(sides: tuple[Side, Side]) -> None:
    for number, (side, other) in enumerate(zip(sides, reversed(sides), strict=True)):
        side.client.put("/peers/other", json={"Url": other.server.url}).raise_for_status()
        instance = side.upload(80 + number, PatientName="Peer")
        until(lambda: instance in other.client.get("/instances").json())  # noqa: B023
        assert [instance] in side.noted("gives")
    for side in sides:
        side.client.delete("/peers/other").raise_for_status()


def test_heart_beat(sides: tuple[Side, Side]) -> None:
    for side in sides:
        until(lambda: len(side.noted("beat")) >= 2)  # noqa: B023


def test_chain_of_operations(sides: tuple[Side, Side]) -> None:
    for side in sides:
        source = side.upload(10, PatientName="Chain")
        until(lambda: len(side.store.got) == 1)  # noqa: B023
        (sent,) = side.store.got
        assert (str(sent.PatientName), "StudyDate" in sent) == ("Changed", False)
        assert not any(element.tag.is_private for element in sent)
        until(lambda: len(side.noted("made")) == 1)  # noqa: B023
        # What was made is deleted, the source stays.
        until(lambda: source in side.client.get("/instances").json())  # noqa: B023
        original = pydicom.dcmread(BytesIO(file_with(10)))
        assert sent.SOPInstanceUID != original.SOPInstanceUID
        assert sent.StudyInstanceUID == original.StudyInstanceUID
    assert sides[0].noted("made") == sides[1].noted("made") == [["Changed", True]]


def test_delete(sides: tuple[Side, Side]) -> None:
    for side in sides:
        instance = side.upload(20, PatientName="Delete")
        until(lambda: side.client.get(f"/instances/{instance}").status_code == 404)  # noqa: B023
        until(lambda: ["OnDeletedInstance", instance] in side.noted("deleted"))  # noqa: B023
        until(lambda: len(side.noted("deleted")) % 4 == 1)  # noqa: B023
    # The order of what one deletion takes is not the same in every case with Orthanc.
    assert sorted(sides[0].noted("deleted")[-4:]) == sorted(sides[1].noted("deleted")[-4:])


def test_command(sides: tuple[Side, Side]) -> None:
    for side in sides:
        side.upload(30, PatientName="System")
        copied = side.folder / "copied.dcm"
        until(lambda: copied.exists() and copied.stat().st_size > 9000)  # noqa: B023
        assert pydicom.dcmread(copied).PatientName == "System"


def test_unknown_modality_and_one_that_is_down(sides: tuple[Side, Side]) -> None:
    for side in sides:
        unknown = side.upload(40, PatientName="Unknown")
        down = side.upload(41, PatientName="Down")
        until(lambda: side.store.names() == ["Down"])  # noqa: B023
        known = side.client.get("/instances").json()
        assert unknown in known and down in known
        patient = side.client.get(f"/instances/{down}/patient").json()["ID"]
        instances = side.client.get(f"/patients/{patient}/instances").json()
        # Orthanc deletes what it could not send.
        assert len(instances) == (2 if side is sides[0] else 1)


def test_stable_study(ours: Side) -> None:
    """Orthanc sends instances only."""
    ours.store.got.clear()
    ours.upload(50, PatientName="Stable", StudyDescription="Stable")
    until(lambda: ours.store.names() == ["Stable"])


def test_job_of_the_operations(sides: tuple[Side, Side]) -> None:
    """One job for all of them, which ends by itself."""
    for side in sides:
        side.upload(60, PatientName="Send", SeriesDescription="last")

        def jobs(side: Side = side) -> list[Any]:
            found: list[Any] = side.client.get("/jobs?expand").json()
            return [each for each in found if each["Type"] == "SequenceOfOperations"]

        until(lambda: any(job["State"] == "Running" for job in jobs()))
        until(lambda: all(job["State"] == "Success" for job in jobs()))
        content = jobs()[-1]["Content"]
        assert content["Description"] == "Lua" and content["CountOperations"] >= 1
        until(
            lambda: ["OnJobSuccess", "SequenceOfOperations"] in side.noted("job")  # noqa: B023
        )


@pytest.mark.parametrize("comment", ["Go", "Stay", "Raise"])
def test_outgoing_filter(sides: tuple[Side, Side], comment: str) -> None:
    answers = []
    for side in sides:
        instance = side.upload(70, PatientName="Out", PatientComments=comment, StudyID=comment)
        side.client.delete(f"/instances/{instance}")
        instance = side.upload(70, PatientName="Out", PatientComments=comment)
        answers.append(side.client.post("/modalities/store/store", content=instance))
        side.client.delete(f"/instances/{instance}")
    assert answers[0].status_code == answers[1].status_code
    assert sides[0].store.names() == sides[1].store.names()
    assert sides[0].noted("leaving")[-1] == sides[1].noted("leaving")[-1]


@pytest.mark.parametrize("patient", ["PATIENT0000000001", "ALL", "RAISE", "EMPTY"])
def test_incoming_find(sides: tuple[Side, Side], patient: str) -> None:
    found = []
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.PatientID = patient
    query.StudyInstanceUID = ""
    query.ReferencedStudySequence = []
    for side in sides:
        ae = AE("FINDER")
        ae.add_requested_context(STUDY_ROOT, ["1.2.840.10008.1.2.1"])
        association = ae.associate("127.0.0.1", side.dicom_port, ae_title="CALLED")
        answers = list(association.send_c_find(query, STUDY_ROOT))
        association.release()
        statuses = [status.Status for status, _ in answers]
        uids = sorted(str(each.StudyInstanceUID) for _, each in answers if each is not None)
        found.append((statuses[-1], len(uids) > 1, set(uids)))
    assert found[0] == found[1]
    assert sides[0].noted("find")[-1] == sides[1].noted("find")[-1]


@pytest.mark.parametrize("patient", ["P1", "ALL", "RAISE"])
def test_incoming_worklist(sides: tuple[Side, Side], patient: str) -> None:
    found = []
    query = Dataset()
    query.PatientID = patient
    query.AccessionNumber = ""
    query.ScheduledProcedureStepSequence = [Dataset()]
    query.ScheduledProcedureStepSequence[0].Modality = "CT"
    for side in sides:
        ae = AE("FINDER")
        ae.add_requested_context(WORKLISTS, ["1.2.840.10008.1.2.1"])
        association = ae.associate("127.0.0.1", side.dicom_port, ae_title="CALLED")
        answers = list(association.send_c_find(query, WORKLISTS))
        association.release()
        patients = sorted(str(each.PatientID) for _, each in answers if each is not None)
        found.append((answers[-1][0].Status, patients))
    assert found[0] == found[1]
    assert sides[0].noted("worklist")[-1] == sides[1].noted("worklist")[-1]


@pytest.mark.parametrize("patient", ["P*", "RAISE"])
def test_outgoing_find(sides: tuple[Side, Side], patient: str) -> None:
    body = {"Level": "Study", "Query": {"PatientID": patient, "PatientName": "A*"}}
    statuses = []
    for side in sides:
        side.find.say()
        statuses.append(side.client.post("/modalities/find/query", json=body).status_code)
    assert statuses[0] == statuses[1]
    assert sides[0].noted("asking")[-1] == sides[1].noted("asking")[-1]
    left, right = (
        [pydicom.dcmread(BytesIO(each.identifier), force=True) for each in side.find.taken()]
        for side in sides
    )
    assert left == right
