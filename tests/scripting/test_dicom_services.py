"""C-FIND, worklists and C-MOVE that a script answers: the same peer at our server and at
Orthanc."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from support.commitment_peer import PATIENCE, CommitmentPeer, information
from support.ports import free_port
from support.scripted import Scripted, both

Pair = tuple[Scripted, Scripted]
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
WORKLIST = "1.2.840.10008.5.1.4.31"


class Both:
    """Both servers, and a peer of both."""

    def __init__(self, pair: Pair, commitment: CommitmentPeer) -> None:
        self.pair = pair
        self.commitment = commitment

    def set(self, **state: Any) -> None:
        for each in self.pair:
            each.client.post("/set", content=json.dumps(state))

    def seen(self) -> list[Any]:
        """What the callbacks were called with since the last time; the same at both."""
        ours, theirs = (each.client.get("/seen").json() for each in self.pair)
        assert ours == theirs
        found: list[Any] = ours
        return found

    def ask(self, service: Any, query: Dataset, target: str = "") -> list[list[Any]]:
        """Status, counts and identifier of each response, of ours and of theirs."""
        found = []
        for each in self.pair:
            peer = AE(ae_title="PEER")
            peer.add_requested_context(service)
            port = each.server.configuration["DicomPort"]
            association = peer.associate("127.0.0.1", port, ae_title="CALLED")
            assert association.is_established
            if target:
                answers = association.send_c_move(query, target, service)
            else:
                answers = association.send_c_find(query, service)
            responses = []
            for status, identifier in answers:
                counts = [
                    status.get(name)
                    for name in ("NumberOfCompletedSuboperations", "NumberOfFailedSuboperations")
                ]
                shown = None if identifier is None else identifier.to_json_dict()
                responses.append([status.Status, counts, shown])
            association.release()
            found.append(responses)
        return found

    def same(self, service: Any, query: Dataset, target: str = "") -> list[Any]:
        ours, theirs = self.ask(service, query, target)
        assert ours == theirs
        return ours


def _started(tmp_path_factory: pytest.TempPathFactory, variant: int) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp(f"services{variant}")
    with CommitmentPeer().serving() as peer:
        yield from _with_peer(folder, variant, peer)


def _with_peer(folder: Path, variant: int, peer: CommitmentPeer) -> Iterator[Both]:
    options: dict[str, Any] = {
        "DicomServerEnabled": True,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowFindWorklist": True,
        "DicomAlwaysAllowMove": True,
        "_Variant": variant,
        "DicomModalities": {"peer": [peer.title, "127.0.0.1", peer.port]},
        "DicomPort": free_port(),
    }
    with both(folder, "dicom_services.py", options, {"DicomPort": free_port()}) as pair:
        yield Both(pair, peer)


@pytest.fixture(scope="module")
def first(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    yield from _started(tmp_path_factory, 1)


@pytest.fixture(scope="module")
def second(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    yield from _started(tmp_path_factory, 2)


@pytest.fixture(scope="module")
def third(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    yield from _started(tmp_path_factory, 3)


def _study_query() -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.PatientID = "P*"
    query.PatientName = ""
    query.StudyDate = "20200101-"
    return query


def _worklist_query() -> Dataset:
    step = Dataset()
    step.Modality = "CT"
    step.ScheduledStationAETitle = ""
    query = Dataset()
    query.PatientID = ""
    query.PatientName = "Doe*"
    query.ScheduledProcedureStepSequence = [step]
    return query


def _move_query() -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = "SERIES"
    query.PatientID = "P"
    query.StudyInstanceUID = "1.2.3"
    query.SeriesInstanceUID = ["1.2.3.4", "1.2.3.5"]
    return query


@pytest.mark.parametrize("variant", ["first", "second"])
def test_finds(variant: str, request: pytest.FixtureRequest) -> None:
    servers: Both = request.getfixturevalue(variant)
    servers.set(**{"raise": False, "incomplete": False})
    answers = servers.same(FIND, _study_query())
    assert [each[0] for each in answers] == [0xFF00, 0xFF00, 0x0000]
    assert len(servers.seen()) == 1
    servers.set(incomplete=True)
    assert servers.same(FIND, _study_query())[-1][0] == 0xFE00
    servers.set(**{"raise": True, "incomplete": False})
    ours, theirs = servers.ask(FIND, _study_query())
    assert [each[0] for each in ours] == [each[0] for each in theirs] == [0xC000]
    servers.seen()


@pytest.mark.parametrize("variant", ["first", "second"])
def test_worklists(variant: str, request: pytest.FixtureRequest) -> None:
    servers: Both = request.getfixturevalue(variant)
    servers.set(**{"raise": False, "incomplete": False})
    answers = servers.same(WORKLIST, _worklist_query())
    assert [each[0] for each in answers] == [0xFF00, 0xFF00, 0x0000]
    assert servers.seen()[0][2] == [1, 0, 1]
    servers.set(incomplete=True)
    assert servers.same(WORKLIST, _worklist_query())[-1][0] == 0xFE00
    servers.set(**{"raise": True, "incomplete": False})
    ours, theirs = servers.ask(WORKLIST, _worklist_query())
    assert [each[0] for each in ours] == [each[0] for each in theirs] == [0xC000]
    servers.seen()


@pytest.mark.parametrize("variant", ["first", "second", "third"])
def test_moves(variant: str, request: pytest.FixtureRequest) -> None:
    servers: Both = request.getfixturevalue(variant)
    servers.set(**{"raise": False, "size": 3})
    ours, theirs = servers.ask(MOVE, _move_query(), "TARGET")
    assert ours[-1][:2] == theirs[-1][:2]
    assert ours[-1][0] == 0x0000
    assert servers.seen()
    servers.set(**{"raise": True})
    ours, theirs = servers.ask(MOVE, _move_query(), "TARGET")
    assert ours[-1][0] != 0x0000
    assert theirs[-1][0] != 0x0000
    for each in servers.pair:  # Orthanc stops at the first failure, which ours counts
        assert each.client.get("/seen").json()


@pytest.mark.parametrize("variant", ["first", "second"])
@pytest.mark.parametrize("status", [0, 2, 5])
def test_storage_commitment(variant: str, status: int, request: pytest.FixtureRequest) -> None:
    servers: Both = request.getfixturevalue(variant)
    servers.set(**{"raise": False, "status": status})
    asked = information("1.2.3.4", [("1.2.840.10008.5.1.4.1.1.7", f"1.2.{n}") for n in (1, 2)])
    reports = []
    for each in servers.pair:
        port = each.server.configuration["DicomPort"]
        assert servers.commitment.ask(port, asked).status == 0
        told = servers.commitment.events.get(timeout=6 * PATIENCE)
        shown = told.information.to_json_dict()
        # Orthanc sends a sequence without items too, against PS3.4 J.3.3.1.
        reports.append((told.kind, {tag: each for tag, each in shown.items() if each["Value"]}))
    assert reports[0] == reports[1]
    assert [each[0] for each in servers.seen()] == ["commitment", "lookup", "lookup"]
