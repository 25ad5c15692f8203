"""The jobs that retrieve, with a peer that does as a test tells it: what it is asked, what becomes
of what it sends, and how it may go wrong."""

import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from support import generated
from support.dicom_door import Shelf, serving
from support.job_run import KeptRun
from support.retrieve_scp import RetrieveScp, dying, refusing, sending, sent_elsewhere

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import BadRequest, FullStorage, NetworkProtocol, NoPresentationContext
from orthanc_fast.model import Level
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.ingest.contract import UploadMemory
from orthanc_fast.services.jobs.contract import Stopped
from orthanc_fast.services.scp.policy import ScpPolicy
from orthanc_fast.services.scu import retrieval
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.scu.get_job import GetJob, Receiving
from orthanc_fast.services.scu.identifiers import Identifier
from orthanc_fast.services.scu.move_job import MoveJob
from orthanc_fast.services.scu.moves import Moves
from orthanc_fast.services.scu.retrieve_orders import RetrieveOrder, Wanted, encode_order

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
LEVEL, STUDY, PATIENT = 0x00080052, 0x0020000D, 0x00100020
FILES = [generated.small().number(1, 1, 1, number) for number in range(4)]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(scope="module")
def peer() -> Iterator[RetrieveScp]:
    with RetrieveScp().serving() as peer:
        yield peer


@pytest.fixture
def scp(peer: RetrieveScp) -> RetrieveScp:
    peer.reset()
    return peer


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """A store; afterwards nothing may be left of the test in it but what it keeps."""
    shelf = Shelf(tmp_path)
    yield shelf
    assert list(tmp_path.iterdir()) == []


def wanted(*uids: str, **fields: Any) -> tuple[Wanted, ...]:
    return tuple(
        Wanted(
            **{
                "level": Level.STUDY,
                "tags": {LEVEL: "STUDY", STUDY: uid},
                "is_found": False,
                **fields,
            }
        )
        for uid in uids or ("1.2.3",)
    )


class Site:
    """One server's jobs, against one peer; what they leave of threads and descriptors is looked at
    after each."""

    def __init__(self, scp: RetrieveScp, shelf: Shelf, **raw: Any) -> None:
        self.scp = scp
        self.shelf = shelf
        settings = Settings(dicom_aet="HERE", raw={"DicomScuTimeout": 2, **raw})
        self.associations = Associations(settings)
        self.memory = UploadMemory(1 << 20)
        self.moves = Moves(MemoryRuntime())
        self.largest = 1 << 20
        self.policy = ScpPolicy(raw)

    def keys(self, tags: dict[int, str], syntax: str) -> bytes:
        return Identifier(tags, Dictionary(), "Latin1").encoded(syntax)

    def modality(self, **fields: Any) -> Modality:
        return Modality(**{"aet": "SCP", "host": "127.0.0.1", "port": self.scp.port, **fields})

    def order(self, target: str | None, *each: Wanted, **fields: Any) -> bytes:
        return encode_order(
            RetrieveOrder(
                modality=self.modality(**fields.pop("modality", {})),
                local_aet="HERE",
                target=target,
                timeout=fields.pop("timeout", None),
                permissive=fields.pop("permissive", False),
                wanted=each or wanted(),
            )
        )

    def get(self, *each: Wanted, **fields: Any) -> KeptRun:
        return self._ran(KeptRun(self.order(None, *each, **fields)))

    def move(self, *each: Wanted, **fields: Any) -> KeptRun:
        return self._ran(KeptRun(self.order("TARGET", *each, **fields)))

    def _ran(self, run: KeptRun) -> KeptRun:
        threads, files = threading.active_count(), descriptors()
        self.last = run
        try:
            self.run(run)
        finally:
            deadline = time.monotonic() + 5
            while threading.active_count() > threads and time.monotonic() < deadline:
                time.sleep(0.01)  # those of the peer, which is in this process too
            assert threading.active_count() <= threads
            assert descriptors() <= files
            assert self.memory.used == 0
        return run

    def run(self, run: KeptRun) -> None:
        receiving = Receiving(self.shelf, self.memory, self.largest, self.policy)
        kind = (
            MoveJob(self.associations, self.keys, self.moves)
            if b"TARGET" in run.payload
            else GetJob(self.associations, self.keys, receiving)
        )
        kind.run(run)


@pytest.fixture
def site(scp: RetrieveScp, shelf: Shelf) -> Site:
    return Site(scp, shelf)


def details(run: KeptRun) -> list[tuple[int, int]]:
    """Of each resource the status, and how many instances came."""
    return [(each.status, len(each.received)) for each in run.content["Details"]]


# C-GET


def test_what_a_get_brings_is_stored(site: Site) -> None:
    site.scp.get = sending(*FILES)
    run = site.get()
    assert details(run) == [(0, 4)]
    for stored, sent in zip(site.shelf.files, FILES, strict=True):
        found, expected = (pydicom.dcmread(io.BytesIO(each)) for each in (stored, sent))
        for tag in ("SOPClassUID", "SOPInstanceUID", "PatientName", "PixelData"):
            assert found[tag].value == expected[tag].value
    (caller,) = set(site.shelf.callers)
    assert (caller.origin, caller.aet, caller.called_aet) == ("DicomProtocol", "SCP", "HERE")
    assert caller.address == "127.0.0.1"
    assert site.scp.statuses == [0, 0, 0, 0]
    assert (site.scp.releases, site.scp.aborts) == (1, 0)
    assert run.steps[0] == (0, 1000)
    assert run.steps[-1][0] > 500


def test_what_a_get_asks_for(site: Site) -> None:
    tags = {LEVEL: "STUDY", STUDY: "1.2.3", 0x00100010: "Müller", 0x00020003: "1.2"}
    site.get(*wanted(tags=tags))
    (asked,) = site.scp.identifiers
    assert asked.PatientName == "Müller"
    assert set(asked.keys()) == {0x00080005, LEVEL, STUDY, 0x00100010}
    site.get(*wanted(tags=tags, is_found=True))
    assert set(site.scp.identifiers[-1].keys()) == {0x00080005, LEVEL, STUDY}
    assert site.scp.roles[CT] == (False, True)
    site.get(*wanted(tags={LEVEL: "PATIENT", PATIENT: "P"}, level=Level.PATIENT))
    assert site.scp.contexts[0][0] == "1.2.840.10008.5.1.4.1.2.1.3"


def test_contexts_by_study(site: Site) -> None:
    site.get(*wanted(is_found=True, sop_classes=(CT, "1.2.3.4")))
    assert {each for each, _ in site.scp.contexts[1:]} == {CT}
    assert site.scp.roles == {CT: (False, True)}
    with pytest.raises(NoPresentationContext, match="Cannot perform C-Get"):
        site.get(*wanted(is_found=True, sop_classes=("1.2.3.4",)))


def test_syngo_gets_no_roles(site: Site) -> None:
    site.get(modality={"manufacturer": "SiemensSyngoCT"})
    assert site.scp.roles == {}


def test_one_association_for_all_of_the_same_contexts(site: Site) -> None:
    site.scp.get = sending(FILES[0])
    run = site.get(*wanted("1.2.3", "1.2.4", "1.2.5"))
    assert details(run) == [(0, 1)] * 3
    assert site.scp.releases == 1
    assert site.scp.messages == [1, 2, 3]
    site.scp.get = sending()
    mixed = wanted("1.2.3", sop_classes=(CT,), is_found=True)
    site.get(*mixed, *wanted("1.2.4", sop_classes=(MR,), is_found=True))
    assert site.scp.releases == 3


def test_large_instances_go_to_spools(site: Site) -> None:
    site.largest = 1 << 10
    large = generated.ct_slice().number(1, 1, 1, 1)
    site.scp.get = sending(large, large)
    site.get()
    assert site.shelf.spools == 2
    assert all(len(each) > 500_000 for each in site.shelf.files)


def test_a_store_that_is_full_is_told_to_the_peer(site: Site) -> None:
    site.shelf.error = FullStorage("no room")
    site.scp.get = sending(*FILES)
    with pytest.raises(NetworkProtocol) as failed:
        site.get()
    assert site.scp.statuses == [0xA700] * 4
    assert failed.value.details == 'C-GET SCU to AET "SCP" has failed with DIMSE status 0xA702'
    assert failed.value.payload == {"Content": {"DimseErrorStatus": 0xA702}, "Type": "Dimse"}
    (detail,) = site.last.content["Details"]
    assert detail.received == []
    assert sorted(detail.failed) == sorted(
        str(pydicom.dcmread(io.BytesIO(each)).SOPInstanceUID) for each in FILES
    )


def test_some_that_fail_fail_the_get(site: Site) -> None:
    class Choosy(Shelf):
        def submit(self, request: Any, promise: Any) -> None:
            if len(self.files) == 2:
                self.files.append(b"")
                raise FullStorage("no room")
            super().submit(request, promise)

    site.shelf = Choosy(site.shelf.folder)
    site.scp.get = sending(*FILES)
    with pytest.raises(NetworkProtocol, match="0xB000"):
        site.get()
    assert site.scp.statuses == [0, 0, 0xA700, 0]
    (detail,) = site.last.content["Details"]
    assert (detail.status, len(detail.received), len(detail.failed)) == (0xB000, 3, 1)


@pytest.mark.parametrize("how", ["abort", "close", "release"])
def test_a_peer_that_goes_within_a_get(site: Site, how: str) -> None:
    site.scp.get = dying(how, FILES[0])
    with pytest.raises(NetworkProtocol, match="has failed to receive DIMSE command: "):
        site.get()
    assert details(site.last) == [(0, 1)]
    assert len(site.shelf.files) == 1


def test_a_silent_peer(site: Site) -> None:
    site.scp.get = dying("silence", FILES[0])
    with pytest.raises(NetworkProtocol, match="No data available"):
        site.get(timeout=1)
    assert details(site.last) == [(0, 1)]


def test_a_peer_that_trickles(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.scp.get = dying("trickle", FILES[0])
    with pytest.raises(NetworkProtocol, match="No data available"):
        site.get(timeout=1)
    monkeypatch.setattr(retrieval, "_PATIENCE", 0.1)
    site.scp.move = dying("trickle")
    run = KeptRun(site.order("TARGET", *wanted(), timeout=0), on_step=stop_after(3))
    with pytest.raises(Stopped):
        site._ran(run)


# C-MOVE


def test_what_a_move_asks_for(site: Site) -> None:
    site.scp.move = sent_elsewhere(0)
    tags = {LEVEL: "STUDY", STUDY: "1.2.3", 0x00080050: "A", 0x00100010: "N"}
    run = site.move(*wanted(tags=tags))
    assert details(run) == [(0, 0)]
    (asked,) = site.scp.identifiers
    assert set(asked.keys()) == {0x00080005, LEVEL, STUDY}
    assert site.scp.destinations == ["TARGET"]
    assert site.scp.messages == [1001]
    assert [each for each, _ in site.scp.contexts] == ["1.2.840.10008.5.1.4.1.2.2.2"]
    assert run.content["Details"][0].query["0010,0010"] == "N"


def test_what_comes_for_a_move_is_listed(site: Site) -> None:
    """The instances come through our door, as from another association of the peer."""
    site.scp.aet = "HERE"  # pynetdicom names itself where our title belongs
    with serving(site.shelf, DicomAet="TARGET", moved=site.moves.received) as door:
        site.scp.move = sent_elsewhere(door.port, *FILES)
        run = site.move(*wanted("1.2.3", "1.2.4"))
    assert site.scp.messages == [1001, 1002]
    assert details(run) == [(0, 4), (0, 4)]
    assert len(site.shelf.files) == 8


@pytest.mark.parametrize(
    ("tags", "missing"),
    [({STUDY: "1.2"}, "0020,000e"), ({}, "0020,000d"), ({0x0020000E: "1"}, "0020,000d")],
)
def test_a_move_needs_the_keys_of_its_level(site: Site, tags: Any, missing: str) -> None:
    with pytest.raises(BadRequest, match=f"Missing tag {missing}"):
        site.move(*wanted(tags=tags, level=Level.SERIES))
    assert details(site.last) == [(0, 0)]


@pytest.mark.parametrize("status", [0xA701, 0xA702, 0xA801, 0xB000, 0xC001, 0xFE00, 0x0122, 0x1234])
def test_a_move_that_is_refused(site: Site, status: int) -> None:
    site.scp.move = refusing(site.scp.port, status, "1.2.3.4", "1.2.3.5")
    with pytest.raises(NetworkProtocol) as failed:
        site.move(*wanted("1.2.3", "1.2.4"))
    text = f'C-MOVE SCU to AET "SCP" has failed with DIMSE status 0x{status:04X}'
    assert failed.value.details == text
    first, second = site.last.content["Details"]
    assert (first.status, second.status) == (status, 0)
    is_known = status != 0x1234  # of the peer, who sends no more of others
    assert first.failed == (["1.2.3.4", "1.2.3.5"] if is_known else [])
    assert site.scp.releases == 1, "a refusal is no reason to abort"


def test_a_permissive_job_goes_on(site: Site) -> None:
    answers = iter([refusing(site.scp.port, 0xA701), dying("abort"), sent_elsewhere(0)])
    site.scp.move = lambda event: next(answers)(event)
    run = site.move(*wanted("1.2.3", "1.2.4", "1.2.5"), permissive=True)
    assert details(run) == [(0xA701, 0), (0, 0), (0, 0)]
    assert len(site.scp.identifiers) == 3


@pytest.mark.parametrize("how", ["abort", "close", "release"])
def test_a_peer_that_goes_within_a_move(site: Site, how: str) -> None:
    site.scp.move = dying(how)
    with pytest.raises(NetworkProtocol, match='DicomAssociation - C-MOVE to AET "SCP": '):
        site.move()


def test_a_peer_that_never_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "_MOST_IDLE", 20)
    site.scp.move = dying("endless")
    with pytest.raises(NetworkProtocol, match="pending responses without progress"):
        site.move()
    assert site.scp.aborts == 1


# Stopping, and going on


def stop_after(count: int) -> Any:
    calls = iter(range(1000))

    def on_step(done: int, total: int) -> None:
        if next(calls) >= count:
            raise Stopped

    return on_step


def test_a_get_that_is_cancelled(site: Site) -> None:
    site.scp.get = sending(*FILES * 50)
    run = KeptRun(site.order(None, *wanted()), on_step=stop_after(10))
    with pytest.raises(Stopped):
        site._ran(run)
    assert site.scp.cancels == 1
    assert 0 < len(site.scp.statuses) < 200
    assert (site.scp.releases, site.scp.aborts) == (1, 0), "the peer has ended it by itself"
    (detail,) = run.content["Details"]
    assert len(detail.received) == len(site.shelf.files) > 0


def test_a_peer_that_does_not_hear_of_the_cancellation(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "_PATIENCE", 0.1)
    site.scp.move = dying("silence")
    run = KeptRun(site.order("TARGET", *wanted()), on_step=stop_after(2))
    with pytest.raises(Stopped):
        site._ran(run)
    assert site.scp.aborts == 1


def test_a_job_goes_on_where_it_was(site: Site) -> None:
    site.scp.get = sending(FILES[0])
    resources = wanted("1.2.3", "1.2.4", "1.2.5")
    first = KeptRun(site.order(None, *resources), on_step=stop_after(5))
    with pytest.raises(Stopped):
        site._ran(first)
    done = len(site.scp.identifiers)
    assert 0 < done < 3
    again = KeptRun(first.payload, first.memory)
    site._ran(again)
    assert [each.status for each in again.content["Details"]] == [0, 0, 0]
    assert all(each.received for each in again.content["Details"])
    asked = [str(each.StudyInstanceUID) for each in site.scp.identifiers]
    assert sorted(set(asked)) == ["1.2.3", "1.2.4", "1.2.5"]
    assert len(asked) <= 4, "at most the one that was cut off is repeated"


def test_nothing_is_asked_for(site: Site) -> None:
    order = RetrieveOrder(
        modality=site.modality(),
        local_aet="HERE",
        target="TARGET",
        timeout=None,
        permissive=False,
        wanted=(),
    )
    site._ran(KeptRun(encode_order(order)))
    assert site.scp.identifiers == []


def test_a_fault_of_ours_leaves_nothing(site: Site) -> None:
    class Broken(Shelf):
        def new_spool(self) -> Any:
            raise FullStorage("no room")

    site.shelf = Broken(site.shelf.folder)
    site.largest = 1 << 10
    site.scp.get = sending(generated.ct_slice().number(1, 1, 1, 1))
    with pytest.raises(NetworkProtocol, match="0xA702"):
        site.get()
    assert site.scp.statuses == [0xA700]
