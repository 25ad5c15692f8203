"""Commands other than C-ECHO and C-STORE reach pynetdicom's handlers on our data path."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from support.dicom_door import Running, Shelf, serving
from support.dicom_peer import EXPLICIT, command, echo_rq, p_data, pdv, peer
from support.files import file_named

from orthanc_fast.upper_layer import dimse

FIND = "1.2.840.10008.5.1.4.1.2.2.1"  # Study Root Query/Retrieve Information Model
GET = "1.2.840.10008.5.1.4.1.2.2.3"
COMMITMENT = "1.2.840.10008.1.20.1"  # Storage Commitment Push Model


class Handlers:
    """What later rooms will bind; it remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.cancelled_after: int | None = None

    def find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        self.asked.append((event.identifier, event.assoc.agreement.calling))
        for number in range(50):
            if event.is_cancelled:
                self.cancelled_after = number
                yield 0xFE00, None
                return
            answer = Dataset()
            answer.StudyInstanceUID = f"1.2.{number}"
            yield 0xFF00, answer

    def get(self, event: Any) -> Iterator[Any]:
        yield 2
        for name in ("CT_small.dcm", "CT_small.dcm"):
            yield 0xFF00, pydicom.dcmread(file_named(name))

    def action(self, event: Any) -> tuple[int, None]:
        self.asked.append(event.action_type)
        return 0x0000, None

    def by_sop_class(self) -> dict[str, dict[int, Any]]:
        return {
            FIND: {dimse.C_FIND_RQ: self.find},
            GET: {dimse.C_GET_RQ: self.get},
            COMMITMENT: {dimse.N_ACTION_RQ: self.action},
        }


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
def door(tmp_path: Path, handlers: Handlers) -> Iterator[Running]:
    known = {"peer": ["PEER", "127.0.0.1", 104]}
    with serving(
        Shelf(tmp_path), handlers=handlers.by_sop_class(), DicomModalities=known
    ) as running:
        yield running


def query() -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = ""
    identifier.TextValue = "x" * 60_000  # several fragments
    return identifier


def scu(title: str = "PEER") -> AE:
    ae = AE(ae_title=title)
    ae.add_requested_context(FIND, ExplicitVRLittleEndian)
    ae.add_requested_context(GET, ExplicitVRLittleEndian)
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    ae.add_requested_context(COMMITMENT, ExplicitVRLittleEndian)
    ae.add_requested_context("1.2.840.10008.1.1", ExplicitVRLittleEndian)
    return ae


def test_find_between_stores_and_echoes(door: Running, handlers: Handlers) -> None:
    association = scu().associate("127.0.0.1", door.port)
    assert association.is_established
    image = pydicom.dcmread(file_named("CT_small.dcm"))
    for _ in range(2):
        assert association.send_c_store(image).Status == 0
        answers = list(association.send_c_find(query(), FIND))
        assert association.send_c_echo().Status == 0
        assert [status.Status for status, _ in answers] == [0xFF00] * 50 + [0]
        assert [None if found is None else found.StudyInstanceUID for _, found in answers[:-1]] == [
            f"1.2.{number}" for number in range(50)
        ]
    association.release()
    assert handlers.asked[0][0] == query()
    assert handlers.asked[0][1] == "PEER"
    assert len(door.shelf.files) == 2


def test_a_find_that_is_cancelled(door: Running, handlers: Handlers) -> None:
    identifier = b"\x08\0\x52\0CS\x06\0STUDY "
    find = p_data(pdv(1, command(0x0020, 7, True, FIND), is_command=True), pdv(1, identifier))
    cancel = bytearray(command(0x0FFF, 7, sop_class=FIND))
    cancel[cancel.index(b"\0\0\x10\x01") + 2] = 0x20  # Message ID Being Responded To
    with peer(door.port) as client:
        client.associate(contexts=((FIND, (EXPLICIT,)), ("1.2.840.10008.1.1", (EXPLICIT,))))
        client.send(find + p_data(pdv(1, bytes(cancel), is_command=True)))
        statuses: list[int] = []
        while not statuses or statuses[-1] == 0xFF00:
            kind, pdu = client.receive()
            assert kind == 4
            if pdu[11] & 1:
                status = pdu.index(b"\0\0\0\x09\x02\0\0\0") + 8
                statuses.append(int.from_bytes(pdu[status : status + 2], "little"))
        assert statuses[-1] == 0xFE00
        assert handlers.cancelled_after is not None
        assert handlers.cancelled_after < 5
        client.send(echo_rq(context=3))
        assert client.status() == 0
        client.release()


def test_get_stores_on_the_same_association(door: Running) -> None:
    received = []

    def store(event: Any) -> int:
        received.append(event.dataset.SOPInstanceUID)
        return 0

    ae = scu()
    association = ae.associate(
        "127.0.0.1",
        door.port,
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, store)],
    )
    answers = [status.Status for status, _ in association.send_c_get(query(), GET)]
    association.release()
    assert answers[-1] == 0
    assert len(received) == 2


def test_storage_commitment(door: Running, handlers: Handlers) -> None:
    association = scu().associate("127.0.0.1", door.port)
    status, _ = association.send_n_action(query(), 1, COMMITMENT, "1.2.840.10008.1.20.1.1")
    association.release()
    assert status.Status == 0
    assert handlers.asked == [1]


@pytest.mark.parametrize("what", ["find", "get", "action"])
def test_unknown_modalities_are_aborted(door: Running, handlers: Handlers, what: str) -> None:
    association = scu("STRANGER").associate("127.0.0.1", door.port)
    if what == "find":
        statuses = [status for status, _ in association.send_c_find(query(), FIND)]
    elif what == "get":
        statuses = [status for status, _ in association.send_c_get(query(), GET)]
    else:
        statuses = [association.send_n_action(query(), 1, COMMITMENT, "1.2.840.10008.1.20.1.1")[0]]
    assert statuses == [Dataset()]
    association.join(5)
    assert association.is_aborted
    assert handlers.asked == []


def test_an_endless_identifier_is_aborted(door: Running) -> None:
    with peer(door.port) as client:
        client.associate(contexts=((FIND, (EXPLICIT,)),))
        client.send(p_data(pdv(1, command(0x0020, 7, True, FIND), is_command=True)))
        block = p_data(pdv(1, bytes(130_000), last=False))
        try:
            for _ in range(200):
                client.send(block)
        except ConnectionError:
            return
        assert client.abort_source() == (2, 6)


def test_a_handler_that_fails_answers_its_status(door: Running, handlers: Handlers) -> None:
    def broken(event: Any) -> Iterator[Any]:
        raise ValueError("a fault in a handler")

    with serving(
        door.shelf, handlers={FIND: {dimse.C_FIND_RQ: broken}}, DicomAlwaysAllowFind=True
    ) as running:
        association = scu("STRANGER").associate("127.0.0.1", running.port)
        ((status, _),) = association.send_c_find(query(), FIND)
        assert status.Status == 0xC311
        assert association.send_c_echo().Status == 0
        association.release()
