"""Associations, requests and C-STOREs of ours with real acceptors: DCMTK, pynetdicom, our own door;
plain and by TLS."""

import io
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.dsutils import decode, encode
from support.certificates import Authority
from support.dicom_door import Running, Shelf, serving
from support.dicom_peer import CT, EXPLICIT, IMPLICIT, VERIFICATION
from support.files import file_named
from support.ports import free_port, wait_for_port
from support.threads import joined

from orthanc_fast.errors import NoPresentationContext
from orthanc_fast.services.exchange.dicom_tls import TlsOptions, client_context, server_context
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.failures import AssociationFailed
from orthanc_fast.upper_layer.pdu import Role
from orthanc_fast.upper_layer.requestor import Target, associate, proposals
from orthanc_fast.upper_layer.requests import Requests
from orthanc_fast.upper_layer.resolving import NoAnswer, addresses
from orthanc_fast.upper_layer.sending import Sender

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
COMMITMENT = "1.2.840.10008.1.20.1"


def target(port: int, **changes: Any) -> Target:
    fields = {"called": "PEER", "calling": "US", "host": "127.0.0.1", "port": port, "timeout": 5}
    return Target(**{**fields, **changes})


def ct() -> tuple[pydicom.FileDataset, bytes]:
    """A file, and its data set as it stands in it."""
    found = pydicom.dcmread(file_named("CT_small.dcm"))
    encoded = io.BytesIO()
    writer = pydicom.filebase.DicomFileLike(encoded)
    writer.is_little_endian, writer.is_implicit_VR = True, False
    pydicom.filewriter.write_dataset(writer, found)
    return found, encoded.getvalue()


def store(association: Association, parts: list[bytes], message: int = 1) -> int:
    found, _ = ct()
    context = association.context_of(CT)
    assert context.transfer_syntax == EXPLICIT
    return Sender(association).store(
        context.number, found.SOPClassUID, found.SOPInstanceUID, parts, message
    )


@contextmanager
def storescp(folder: Path, *arguments: str) -> Iterator[int]:
    port = free_port()
    command = ["storescp", "--output-directory", str(folder), *arguments, str(port)]
    with subprocess.Popen(command) as process:
        try:
            wait_for_port(port)
            yield port
        finally:
            process.terminate()


@pytest.mark.parametrize("longest", [4096, 16384, 131072])
def test_dcmtk_stores_what_we_send(tmp_path: Path, longest: int) -> None:
    _, data = ct()
    with storescp(tmp_path, "+B", "--max-pdu", str(longest)) as port:
        association = associate(
            target(port), proposals((VERIFICATION, (IMPLICIT,)), (CT, (EXPLICIT,)))
        )
        assert association.agreement.maximum_length == longest
        assert Requests(association, 5).echo() == 0
        assert store(association, [data[:1], b"", data[1:5001], data[5001:]]) == 0
        assert store(association, [data], 2) == 0
        association.release(5)
    (path,) = tmp_path.iterdir()
    assert path.read_bytes().endswith(data)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Running]:
    with serving(Shelf(tmp_path)) as running:
        yield running


def test_our_door_takes_what_we_send(door: Running) -> None:
    _, data = ct()
    association = associate(target(door.port, called="ORTHANC"), proposals((CT, (EXPLICIT,))))
    parts = [data[at : at + 777] for at in range(0, len(data), 777)]
    assert [store(association, parts, message) for message in range(1, 20)] == [0] * 19
    association.release(5)
    door.settle()
    assert len(door.shelf.files) == 19
    assert door.shelf.files[0].endswith(data)


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> TlsOptions:
    """Of both sides."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    certificate, key = authority.issue("both")
    return TlsOptions(str(certificate), str(key), str(authority.certificate), True, 0, ())


def test_tls(tmp_path: Path, options: TlsOptions) -> None:
    """Far more than is handed to TLS at once, in parts that begin and end anywhere."""
    data = ct()[1] + bytes(1_000_000)
    with serving(Shelf(tmp_path), server_context(options)) as door:
        secure = target(door.port, called="ORTHANC", tls=client_context(options))
        association = associate(secure, proposals((VERIFICATION, (IMPLICIT,)), (CT, (EXPLICIT,))))
        assert Requests(association, 5).echo() == 0
        parts = [data[at : at + 77_777] for at in range(0, len(data), 77_777)]
        assert [store(association, parts, message) for message in (1, 2)] == [0, 0]
        association.release(5)
        door.settle()
        assert [each.endswith(data) for each in door.shelf.files] == [True, True]
        with pytest.raises(AssociationFailed):
            associate(target(door.port), proposals((CT, (EXPLICIT,))))


def test_tls_of_dcmtk(tmp_path: Path, options: TlsOptions) -> None:
    _, data = ct()
    keys = ("+tls", str(options.private_key), str(options.certificate))
    with storescp(tmp_path, "+B", *keys, "+cf", str(options.trusted)) as port:
        secure = target(port, tls=client_context(options))
        association = associate(secure, proposals((VERIFICATION, (IMPLICIT,)), (CT, (EXPLICIT,))))
        assert Requests(association, 5).echo() == 0
        assert store(association, [data]) == 0
        association.release(5)
    (path,) = tmp_path.iterdir()
    assert path.read_bytes().endswith(data)


class Provider:
    """pynetdicom's acceptor with some services; it remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.cancelled = threading.Event()

    def find(self, event: Any) -> Iterator[Any]:
        self.asked.append(event.identifier)
        for number in range(int(event.identifier.get("StudyID", "3"))):
            if event.is_cancelled:
                self.cancelled.set()
                yield 0xFE00, None
                return
            answer = Dataset()
            answer.StudyInstanceUID = f"1.2.{number}"
            answer.TextValue = "x" * 30_000
            yield 0xFF00, answer
        yield 0xA700, None

    def action(self, event: Any) -> tuple[int, None]:
        self.asked.append((event.action_type, event.action_information))
        return 0x0211, None

    def event_report(self, event: Any) -> tuple[int, None]:
        self.asked.append((event.event_type, event.event_information))
        return 0x0000, None

    @contextmanager
    def serving(self) -> Iterator[int]:
        ae = AE("PEER")
        ae.maximum_pdu_size = 4097
        for uid in (FIND, VERIFICATION):
            ae.add_supported_context(uid)
        ae.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
        handlers: list[Any] = [
            (evt.EVT_C_FIND, self.find),
            (evt.EVT_N_ACTION, self.action),
            (evt.EVT_N_EVENT_REPORT, self.event_report),
        ]
        with joined():
            server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
            assert server is not None
            try:
                yield server.server_address[1]
            finally:
                server.shutdown()


def query(**changes: str) -> bytes:
    """In implicit VR little endian."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = ""
    for name, value in changes.items():
        setattr(identifier, name, value)
    encoded = encode(identifier, True, True)
    assert encoded is not None
    return encoded


def decoded(identifier: bytes) -> Dataset:
    return decode(io.BytesIO(identifier), True, True)


def test_find() -> None:
    provider = Provider()
    with provider.serving() as port:
        association = associate(target(port), proposals((FIND, (IMPLICIT,))))
        requests = Requests(association, 5)
        found = list(requests.find(FIND, query(TextValue="y" * 20_000)))
        assert [status for status, _ in found] == [0xFF00] * 3 + [0xA700]
        answers = [answer for _, answer in found]
        assert [decoded(each).StudyInstanceUID for each in answers if each] == [
            "1.2.0",
            "1.2.1",
            "1.2.2",
        ]
        assert provider.asked[0].TextValue == "y" * 20_000
        assert len(list(requests.find(FIND, query()))) == 4
        association.release(5)


def test_cancel() -> None:
    provider = Provider()
    with provider.serving() as port:
        association = associate(target(port), proposals((FIND, (IMPLICIT,))))
        requests = Requests(association, 5)
        found = requests.find(FIND, query(StudyID="100000"))
        assert next(found)[0] == 0xFF00
        assert association.in_operation
        requests.cancel(FIND)
        assert [status for status, _ in found][-1] == 0xFE00
        assert provider.cancelled.wait(5)
        assert not association.in_operation
        association.release(5)


def test_actions_and_events() -> None:
    provider = Provider()
    information = Dataset()
    information.TransactionUID = "1.2.3"
    with provider.serving() as port:
        for role in ((), (Role(COMMITMENT, True, True),)):
            association = associate(target(port), proposals((COMMITMENT, (IMPLICIT,))), role)
            requests = Requests(association, 5)
            assert requests.n_action(COMMITMENT, f"{COMMITMENT}.1", 1, information) == 0x0211
            if role:
                event = requests.n_event_report(COMMITMENT, f"{COMMITMENT}.1", 2, information)
                assert event == 0
                assert association.agreement.roles == [Role(COMMITMENT, True, True)]
            association.release(5)
    assert provider.asked == [(1, information)] * 2 + [(2, information)]


def test_what_is_refused(door: Running) -> None:
    association = associate(
        target(door.port), proposals((FIND, (IMPLICIT,)), (VERIFICATION, (IMPLICIT,)))
    )
    assert [answer.result for answer in association.agreement.answers] == [3, 0]
    with pytest.raises(NoPresentationContext, match='with AET "PEER"'):
        next(Requests(association, 5).find(FIND, query()))
    assert not association.in_operation
    association.release(5)


def test_nobody_listens() -> None:
    with pytest.raises(AssociationFailed, match="TCP Initialization Error: Connection refused"):
        associate(target(free_port()), proposals((CT, (EXPLICIT,))))


@pytest.mark.parametrize("host", ["nobody.invalid", "x" * 64 + ".invalid", "", "a b"])
def test_unknown_hosts(host: str) -> None:
    with pytest.raises(AssociationFailed, match=r"unknown host|TCP Initialization Error"):
        associate(target(free_port(), host=host), proposals((CT, (EXPLICIT,))))


def test_name_servers_that_do_not_answer() -> None:
    """The library's call waits as long as it likes; its thread ends with it."""
    goes_on = threading.Event()

    def lookup(host: str, port: int) -> list[Any]:
        goes_on.wait()
        return []

    class GivenUp(Exception):
        pass

    def watch() -> None:
        raise GivenUp

    before = threading.active_count()
    with pytest.raises(NoAnswer):
        addresses("some.host", 104, 0.01, lookup)
    with pytest.raises(GivenUp):
        addresses("some.host", 104, None, lookup, watch)
    assert threading.active_count() == before + 2
    goes_on.set()
    for thread in threading.enumerate():
        if thread.name == "resolver":
            thread.join()
    assert threading.active_count() == before
