"""The jobs that retrieve, with a peer that does as a test tells it: what it is asked, what becomes
of what it sends, and how it may go wrong."""

import io
from typing import Any

import pydicom
import pytest
from support import generated
from support.dicom_door import Shelf, serving
from support.job_run import KeptRun
from support.retrieve_scp import dying, refusing, sending, sent_elsewhere
from support.retrieve_site import FILES, LEVEL, PATIENT, STUDY, Site, details, stop_after, wanted

from orthanc_fast.errors import BadRequest, FullStorage, NetworkProtocol, NoPresentationContext
from orthanc_fast.model import Level
from orthanc_fast.services.jobs.contract import Stopped
from orthanc_fast.services.scu import retrieval

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


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
        site.ran(run)


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
