"""C-MOVE and C-GET where something goes wrong: what fails, fails alone, and is told."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE
from support import generated
from support.dicom_peer import Peer, command, p_data, pdv
from support.fast_requestor import request, study_identifier
from support.ports import free_port
from support.retrieving import STUDY_GET, STUDY_MOVE, get, identifier, move
from support.server import OurServer
from support.sink import Misbehaviour, Sink, Taken, only

COUNT = 6


def uid(*numbers: int) -> str:
    parts = (f"{digit}{number:09d}" for digit, number in zip("456", numbers, strict=False))
    return ".".join([generated.ROOT, *parts])


ASKED = identifier("STUDY", StudyInstanceUID=uid(1))
BY_STUDY = study_identifier(uid(1))
ORDER = tuple(uid(1, 1, number) for number in range(1, COUNT + 1))


class Site:
    """Our server with a study; modalities come as the tests need them."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.server = OurServer(
            folder,
            {
                "DicomServerEnabled": True,
                "DicomPort": self.port,
                "DicomWorkers": 1,
                "DicomScpTimeout": 2,
                "DicomScuTimeout": 2,
                "DicomModalities": {"client": ["CLIENT", "127.0.0.1", 104]},
            },
        )

    def knows(self, port: int, **fields: object) -> None:
        """The modality SINK."""
        modality = {"AET": "SINK", "Host": "127.0.0.1", "Port": port, **fields}
        answer = httpx.put(f"{self.server.url}/modalities/sink", json=modality)
        assert answer.status_code == 200, answer.text

    def associations(self) -> float:
        said = httpx.get(f"{self.server.url}/tools/metrics-prometheus").text
        name = "orthanc_dicom_active_associations"
        return float(next(row for row in said.splitlines() if row.startswith(name)).split()[1])

    def settle(self) -> None:
        """Waits until no association is left."""
        deadline = time.monotonic() + 20
        while self.associations() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.associations() == 0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    with site.server:
        for number, data in enumerate(numbered(), start=1):
            answer = httpx.post(f"{site.server.url}/instances", content=data)
            assert answer.status_code == 200, number
        yield site


def numbered() -> Iterator[bytes]:
    """The instances of the study, with their numbers."""
    import io

    import pydicom

    template = generated.small()
    for number in range(1, COUNT + 1):
        data_set = pydicom.dcmread(io.BytesIO(template.number(1, 1, 1, number)))
        data_set.InstanceNumber = number
        yield generated.encode_once(data_set)


def at(numbers: tuple[int, ...], how: Callable[[], int]) -> Callable[[Taken], int]:
    """Something else than success for these instances, counted from 1."""

    def status(taken: Taken) -> int:
        return how() if ORDER.index(taken.sop_instance) + 1 in numbers else 0

    return status


def misbehave(how: str) -> Callable[[], int]:
    def act() -> int:
        raise Misbehaviour(how)

    return act


def moved(site: Site, sink: Sink) -> Any:
    site.knows(sink.port)
    return move(site.port, ASKED).final


def test_a_destination_that_refuses_some(site: Site) -> None:
    with Sink(status=at((2, 5), lambda: 0xA700)) as sink:
        final = moved(site, sink)
    assert (final.status, final.completed, final.failed, final.warning) == (0xB000, 4, 2, 0)
    assert final.failed_list == (ORDER[1], ORDER[4])
    assert final.remaining is None
    assert sink.ends == ["release"]


def test_a_destination_that_refuses_all(site: Site) -> None:
    with Sink(status=at((1, 2, 3, 4, 5, 6), lambda: 0xC123)) as sink:
        final = moved(site, sink)
    assert (final.status, final.completed, final.failed) == (0xA702, 0, 6)
    assert final.failed_list == ORDER


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_a_destination_that_warns(site: Site, status: int) -> None:
    with Sink(status=at((3,), lambda: status)) as sink:
        final = moved(site, sink)
    assert (final.status, final.completed, final.failed, final.warning) == (0xB000, 5, 0, 1)
    assert final.failed_list == ()


def test_a_destination_that_has_some_already(site: Site) -> None:
    with Sink(status=at((3,), lambda: 0x0111)) as sink:
        final = moved(site, sink)
    assert (final.status, final.completed) == (0, 6)


@pytest.mark.parametrize("how", ["abort", "close", "stall"])
def test_a_destination_that_is_lost_is_called_again(site: Site, how: str) -> None:
    with Sink(status=at((3,), misbehave(how))) as sink:
        final = moved(site, sink)
        assert len(sink.requests) == 2
    assert (final.status, final.completed, final.failed) == (0xB000, 5, 1)
    assert final.failed_list == (ORDER[2],)


@pytest.mark.parametrize("how", ["abort", "close", "stall"])
def test_a_destination_that_is_lost_at_once_is_given_up(site: Site, how: str) -> None:
    """One that stalls would keep the requestor for as many time-outs as there are instances."""
    with Sink(status=at((1, 2, 3, 4, 5, 6), misbehave(how))) as sink:
        final = moved(site, sink)
        assert len(sink.requests) == 1
    assert (final.status, final.completed, final.failed) == (0xA702, 0, 6)
    assert final.failed_list == ORDER


def test_a_destination_that_dies_in_the_middle(site: Site) -> None:
    with Sink(status=at((3, 4, 5, 6), misbehave("close"))) as sink:
        final = moved(site, sink)
        assert len(sink.requests) == 2
    assert (final.status, final.completed, final.failed) == (0xB000, 2, 4)
    assert final.failed_list == ORDER[2:]


def test_a_destination_that_is_not_there(site: Site) -> None:
    site.knows(free_port())
    final = move(site.port, ASKED).final
    assert (final.status, final.completed, final.failed) == (0xA702, 0, 6)
    assert final.failed_list == ORDER


def test_a_destination_that_rejects(site: Site) -> None:
    with Sink(rejects=True) as sink:
        final = moved(site, sink)
        assert len(sink.requests) == 1
    assert (final.status, final.failed) == (0xA702, 6)


def test_a_destination_that_takes_no_context(site: Site) -> None:
    with Sink(accept=only()) as sink:
        final = moved(site, sink)
    assert (final.status, final.failed) == (0xA702, 6)


def test_a_destination_whose_tls_cannot_be_set_up(site: Site) -> None:
    site.knows(free_port(), UseDicomTls=True)  # there is no certificate
    assert move(site.port, ASKED).final.status == 0xC000


def test_a_requestor_that_gets_one_class_only(site: Site) -> None:
    contexts = [(MRImageStorage, (ExplicitVRLittleEndian,))]
    final = get(site.port, ASKED, contexts).final
    assert (final.status, final.completed, final.failed) == (0xA702, 0, 6)
    assert final.failed_list == ORDER


def test_a_requestor_that_refuses_some(site: Site) -> None:
    final = get(site.port, ASKED, statuses=lambda number: 0xA700 if number == 4 else 0).final
    assert (final.status, final.completed, final.failed) == (0xB000, 5, 1)
    assert final.failed_list == (ORDER[3],)


@pytest.mark.parametrize("kind", ["move", "get"])
def test_instances_that_are_deleted_meanwhile(site: Site, kind: str) -> None:
    """Some files are open already when they go: those are sent all the same."""
    count = 12
    template = generated.small()
    for number in range(count):
        content = template.number(1, 9, 1, number)
        answer = httpx.post(f"{site.server.url}/instances", content=content)
    studies = [answer.json()["ParentStudy"]]

    def delete(_: object) -> int:
        while studies:
            httpx.delete(f"{site.server.url}/studies/{studies.pop()}")
        return 0

    asked = identifier("STUDY", StudyInstanceUID=uid(9))
    if kind == "move":
        with Sink(status=delete) as sink:
            site.knows(sink.port)
            final = move(site.port, asked).final
    else:
        final = get(site.port, asked, statuses=delete).final
    assert final.status == 0xB000
    assert final.failed_list is not None
    failed = len(final.failed_list)
    assert (final.completed, final.failed) == (count - failed, failed)


# Rights


def refused(port: int, model: str, calling: str = "CLIENT") -> bool:
    """Whether the association is aborted at a request."""
    ae = AE(ae_title=calling)
    ae.add_requested_context(model, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", port)
    assert association.is_established
    if model == STUDY_MOVE:
        answers = list(association.send_c_move(ASKED, "SINK", model))
    else:
        answers = list(association.send_c_get(ASKED, model))
    association.release()
    return "Status" not in answers[-1][0]


@pytest.mark.parametrize(("model", "right"), [(STUDY_MOVE, "AllowMove"), (STUDY_GET, "AllowGet")])
def test_who_may_not_is_aborted(site: Site, model: str, right: str) -> None:
    assert refused(site.port, model, "NOBODY")
    assert not refused(site.port, model)
    modality = {"AET": "CLIENT", "Host": "127.0.0.1", "Port": 104, right: False}
    url = f"{site.server.url}/modalities/client"
    try:
        httpx.put(url, json=modality)
        assert refused(site.port, model)
        assert "authorization rejected for AET CLIENT" in site.server.log_path.read_text()
    finally:
        httpx.put(url, json={**modality, right: True})
    assert not refused(site.port, model)


# Requestors that misbehave


def begun(port: int, sop_class: str, field: int, data_set: bytes, **fields: bytes) -> Peer:
    """A peer whose C-MOVE or C-GET has been sent, by hand."""
    peer = Peer(port)
    contexts = [(sop_class, ("1.2.840.10008.1.2",)), (CTImageStorage, ("1.2.840.10008.1.2.1",))]
    peer.associate(contexts=contexts, calling="CLIENT", roles=[(str(CTImageStorage), False, True)])
    peer.send(request(sop_class, field, "SINK") + p_data(pdv(1, data_set)))
    return peer


def test_a_requestor_that_goes_ends_the_move(site: Site) -> None:
    def slow(taken: Taken) -> int:
        time.sleep(0.2)
        return 0

    with Sink(status=slow) as sink:
        site.knows(sink.port)
        peer = begun(site.port, STUDY_MOVE, 0x0021, BY_STUDY)
        assert peer.receive()[0] == 4  # the first pending response
        peer.close()
        site.settle()
        assert len(sink.taken) < COUNT


@pytest.mark.parametrize("cancels", [False, True])
def test_a_silent_destination_is_left_when_nobody_wants_the_move(site: Site, cancels: bool) -> None:
    reached = threading.Event()

    def silent(taken: Taken) -> int:
        reached.set()
        raise Misbehaviour("stall")

    with Sink(status=silent) as sink:
        site.knows(sink.port, Timeout=1000)
        peer = begun(site.port, STUDY_MOVE, 0x0021, BY_STUDY)
        assert reached.wait(20)
        if cancels:
            cancel = bytearray(command(0x0FFF, 7))  # 7 is what `request` gives
            cancel[cancel.index(b"\0\0\x10\x01") + 2] = 0x20  # Message ID Being Responded To
            peer.send(p_data(pdv(1, bytes(cancel), is_command=True)))
            response = peer.response()
            assert response[0x00000900] == b"\x00\xfe"
            assert response[0x00001020] == COUNT.to_bytes(2, "little")  # remaining
        peer.close()
        site.settle()


@pytest.mark.parametrize("reads", [False, True])
def test_a_requestor_that_stalls_while_it_gets_is_given_up(site: Site, reads: bool) -> None:
    peer = begun(site.port, STUDY_GET, 0x0010, BY_STUDY)
    if reads:  # the first instance, which it never answers
        assert peer.receive()[0] == 4
    site.settle()
    assert peer_was_aborted(peer)
    peer.close()


def peer_was_aborted(peer: Peer) -> bool:
    while True:
        kind, _ = peer.receive()
        if kind != 4:
            return kind == 7


def test_an_identifier_that_is_none(site: Site) -> None:
    peer = begun(site.port, STUDY_MOVE, 0x0021, b"\x08\x00\x52\x00\xff\xff\x00\x00STUDY")
    assert peer.status() == 0xC000
    peer.release()


@pytest.mark.parametrize("field", [0x0021, 0x0010])
def test_a_request_without_an_identifier(site: Site, field: int) -> None:
    sop_class = STUDY_MOVE if field == 0x0021 else STUDY_GET
    peer = Peer(site.port)
    peer.associate(contexts=[(sop_class, ("1.2.840.10008.1.2",))], calling="CLIENT")
    peer.send(p_data(pdv(1, command(field, 1, False, sop_class), is_command=True)))
    assert peer.status() == 0xC000
    peer.release()


def test_others_are_served_meanwhile(site: Site) -> None:
    """A C-MOVE to a destination that stalls holds nobody else."""
    with Sink(status=at((1, 2, 3, 4, 5, 6), misbehave("stall"))) as sink:
        site.knows(sink.port)
        peer = begun(site.port, STUDY_MOVE, 0x0021, BY_STUDY)
        assert get(site.port, ASKED).final.status == 0
        done = subprocess.run(["echoscu", "127.0.0.1", str(site.port)])
        assert done.returncode == 0
        # After the time-out of the destination.
        statuses = [peer.status() for _ in range(COUNT)]
        assert statuses == [0xFF00] * (COUNT - 1) + [0xA702]
        peer.close()
