"""A retrieve SCP that says what the tests want: pynetdicom with handlers."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1, RLELossless
from pynetdicom import AE, build_context, evt
from pynetdicom.dimse_messages import C_CANCEL_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_MOVE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    MRImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    SecondaryCaptureImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
from support.dicom_peer import RELEASE_RQ, p_data, pdv
from support.ports import free_port

Answers = Callable[[Any], Iterator[Any]]


def none(event: Any) -> Iterator[Any]:
    """An operation that succeeds, and finds nothing."""
    if _is_move(event):
        yield "127.0.0.1", 0
    yield 0


class RetrieveScp:
    """`move` and `get` are pynetdicom's handlers of the next requests, `answers` what a C-FIND
    finds. What came is remembered."""

    def __init__(self) -> None:
        self.port = free_port()
        self.reset()

    def reset(self) -> None:
        """Forgets what came, and what it was told to do."""
        self.aet = "SCP"
        self.move: Answers = none
        self.get: Answers = none
        self.answers: list[Dataset] = []
        self.identifiers: list[Dataset] = []
        self.destinations: list[str] = []
        self.messages: list[int] = []
        self.contexts: list[tuple[str, list[str]]] = []
        self.roles: dict[str, tuple[bool, bool]] = {}
        self.statuses: list[int] = []  # of C-STOREs that were sent by `get`
        self.releases = 0
        self.aborts = 0
        self.cancels = 0

    def _requested(self, event: Any) -> None:
        requestor = event.assoc.requestor
        self.contexts = [
            (str(each.abstract_syntax), [str(syntax) for syntax in each.transfer_syntax])
            for each in requestor.requested_contexts
        ]
        self.roles = {
            str(uid): (role.scu_role, role.scp_role)
            for uid, role in requestor.role_selection.items()
        }

    def _found(self, event: Any) -> Iterator[Any]:
        for each in self.answers:
            yield 0xFF00, each

    def _move(self, event: Any) -> Iterator[Any]:
        self._remember(event)
        self.destinations.append(event.move_destination)
        yield from self.move(event)

    def _get(self, event: Any) -> Iterator[Any]:
        self._remember(event)
        yield from self.get(event)

    def _remember(self, event: Any) -> None:
        self.identifiers.append(event.identifier)
        self.messages.append(event.request.MessageID)
        event.assoc.ae.ae_title = self.aet

    def _received(self, event: Any) -> None:
        if isinstance(event.message, C_STORE_RSP):
            self.statuses.append(event.message.command_set.Status)
        elif isinstance(event.message, C_CANCEL_RQ):
            self.cancels += 1

    def _count(self, name: str) -> Callable[[Any], None]:
        def count(event: Any) -> None:
            if event.assoc.requestor.ae_title != self.aet:  # not one to a destination
                setattr(self, name, getattr(self, name) + 1)

        return count

    @contextlib.contextmanager
    def serving(self) -> Iterator["RetrieveScp"]:
        """Listens until the end of the block."""
        entity = AE(self.aet)
        entity.maximum_pdu_size = 0
        for model in (
            PatientRootQueryRetrieveInformationModelFind,
            PatientRootQueryRetrieveInformationModelGet,
            StudyRootQueryRetrieveInformationModelFind,
            StudyRootQueryRetrieveInformationModelGet,
            StudyRootQueryRetrieveInformationModelMove,
        ):
            entity.add_supported_context(model)
        entity.requested_contexts = [build_context(CTImageStorage)]
        for storage in (CTImageStorage, MRImageStorage):
            entity.add_supported_context(storage, scu_role=True, scp_role=True)
        entity.add_supported_context(
            SecondaryCaptureImageStorage,
            [ExplicitVRLittleEndian, JPEGLosslessSV1, RLELossless],
            scu_role=True,
            scp_role=True,
        )
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_FIND, self._found),
            (evt.EVT_C_MOVE, self._move),
            (evt.EVT_C_GET, self._get),
            (evt.EVT_DIMSE_RECV, self._received),
            (evt.EVT_RELEASED, self._count("releases")),
            (evt.EVT_ABORTED, self._count("aborts")),
        ]
        server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        assert server is not None
        try:
            yield self
        finally:
            server.shutdown()


def sending(*files: bytes) -> Answers:
    """A C-GET that sends these files, unless it is cancelled."""

    def handler(event: Any) -> Iterator[Any]:
        yield len(files)
        for each in files:
            if event.is_cancelled:
                yield 0xFE00, None
                return
            yield 0xFF00, pydicom.dcmread(BytesIO(each))

    return handler


def sent_elsewhere(port: int, *files: bytes) -> Answers:
    """A C-MOVE that sends these files to whoever listens on the port."""

    def handler(event: Any) -> Iterator[Any]:
        yield "127.0.0.1", port
        yield len(files)
        for each in files:
            yield 0xFF00, pydicom.dcmread(BytesIO(each))

    return handler


def refusing(port: int, status: int, *failed: str) -> Answers:
    """An operation that ends with this status, and names these instances. A C-MOVE has to have a
    destination all the same."""

    def handler(event: Any) -> Iterator[Any]:
        identifier = Dataset()
        identifier.FailedSOPInstanceUIDList = list(failed)
        if _is_move(event):
            yield "127.0.0.1", port
        yield 1
        yield status, identifier

    return handler


def dying(how: str, *files: bytes) -> Answers:
    """A peer that sends some files of a C-GET and then goes, or does not go."""

    def handler(event: Any) -> Iterator[Any]:
        association = event.assoc
        connection = association.dul.socket.socket
        if not _is_move(event):
            yield len(files) + 1
            for each in files:
                yield 0xFF00, pydicom.dcmread(BytesIO(each))
        if how == "abort":
            association.abort()
        elif how == "close":
            association.dul.socket.close()
        elif how == "release":
            connection.sendall(RELEASE_RQ)
        elif how == "trickle":
            _trickle(event, connection)
        elif how == "endless":
            while not association.acse.is_aborted():
                _pend(event)
        deadline = time.monotonic() + 10
        while association.is_established and not association.acse.is_aborted():
            assert time.monotonic() < deadline
            time.sleep(0.01)
            if connection.fileno() < 0:
                break
        connection.close()
        association.kill()
        yield None

    return handler


def _trickle(event: Any, connection: socket.socket) -> None:
    """The beginning of a command that goes on byte by byte."""
    start = p_data(pdv(event.context.context_id, bytes(10_000), is_command=True))
    with contextlib.suppress(OSError):
        connection.sendall(start[:20])
        for at in range(20, len(start)):
            connection.sendall(start[at : at + 1])
            time.sleep(0.02)


def _is_move(event: Any) -> bool:
    return event.event is evt.EVT_C_MOVE or event.event.name == evt.EVT_C_MOVE.name


def _pend(event: Any) -> None:
    response = C_MOVE()
    response.MessageIDBeingRespondedTo = event.request.MessageID
    response.AffectedSOPClassUID = event.request.AffectedSOPClassUID
    response.Status = 0xFF00
    event.assoc.dimse.send_msg(response, event.context.context_id)
