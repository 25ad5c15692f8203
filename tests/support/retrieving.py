"""Who retrieves, and where it goes to: pynetdicom as requestor of C-MOVE and C-GET, and as the
destination of a C-MOVE."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.presentation import PresentationContext
from support.ports import free_port

STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"
PATIENT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
CLASSES = (CTImageStorage, MRImageStorage, SecondaryCaptureImageStorage)
NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
ALL_NATIVE = tuple((each, NATIVE) for each in CLASSES)


class Received(NamedTuple):
    """One C-STORE of a sub-operation."""

    sop_instance: str
    transfer_syntax: str
    calling: str
    originator: tuple[str, int] | None
    data_set: bytes


class Response(NamedTuple):
    """A C-MOVE-RSP or C-GET-RSP; a counter that is missing is None."""

    status: int
    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    failed_list: tuple[str, ...] | None = None


class Retrieved(NamedTuple):
    pending: list[Response]
    final: Response
    received: list[Received]  # of a C-GET


Statuses = Callable[[int], int]
"""The status with which the instance of this number, from 1 on, is answered."""


def all_well(number: int) -> int:
    return 0x0000


def _received(event: Any) -> Received:
    request = event.request
    aet, number = (
        request.MoveOriginatorApplicationEntityTitle,
        request.MoveOriginatorMessageID,
    )
    return Received(
        str(request.AffectedSOPInstanceUID),
        str(event.context.transfer_syntax),
        event.assoc.requestor.ae_title,
        None if aet is None else (aet, number),
        event.request.DataSet.getvalue(),
    )


class Sink:
    """A storage server of pynetdicom that remembers what it gets."""

    def __init__(
        self,
        classes: Sequence[str] = CLASSES,
        syntaxes: Sequence[str] = NATIVE,
        aet: str = "SINK",
    ) -> None:
        self.aet = aet
        self.port = free_port()
        self.received: list[Received] = []
        self.statuses: Statuses = all_well
        self.delay = 0.0
        self._ae = AE(ae_title=aet)
        self._ae.maximum_associations = 100
        for each in classes:
            self._ae.add_supported_context(each, list(syntaxes))
        self._server: Any = None

    def _stored(self, event: Any) -> int:
        self.received.append(_received(event))
        time.sleep(self.delay)
        return self.statuses(len(self.received))

    def start(self) -> None:
        handlers: list[Any] = [(evt.EVT_C_STORE, self._stored)]
        self._server = self._ae.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=handlers
        )

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def forget(self) -> None:
        """As new."""
        self.received = []
        self.statuses, self.delay = all_well, 0.0

    @property
    def modality(self) -> dict[str, Any]:
        """How a server knows it."""
        return {"AET": self.aet, "Host": "127.0.0.1", "Port": self.port}


@contextmanager
def started(sink: Sink) -> Iterator[Sink]:
    sink.start()
    try:
        yield sink
    finally:
        sink.stop()


def identifier(level: str | None, **values: str) -> Dataset:
    """The data set of a request; `level` None: none."""
    given = {**({} if level is None else {"QueryRetrieveLevel": level}), **values}
    found = Dataset()
    for keyword, value in given.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None
        found[tag] = DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE)
    return found


def move(
    port: int,
    asked: Dataset,
    destination: str = "SINK",
    model: str = STUDY_MOVE,
    message_id: int = 7,
    calling: str = "CLIENT",
    cancel_after: int | None = None,
) -> Retrieved:
    """A whole C-MOVE, over an association of its own."""
    ae = _ae(calling)
    ae.add_requested_context(model, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", port)
    assert association.is_established
    try:
        answers = association.send_c_move(asked, destination, model, message_id)
        return _gathered(association, model, message_id, answers, cancel_after, [])
    finally:
        association.release()


def get(
    port: int,
    asked: Dataset,
    contexts: Sequence[tuple[str, Sequence[str]]] = ALL_NATIVE,
    model: str = STUDY_GET,
    statuses: Statuses = all_well,
    calling: str = "CLIENT",
    cancel_after: int | None = None,
    roles: Sequence[tuple[str, bool, bool]] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Retrieved:
    """A whole C-GET; `contexts` are those of storage, `roles` their selection: SCP unless given."""
    received: list[Received] = []

    def stored(event: Any) -> int:
        received.append(_received(event))
        return statuses(len(received))

    proposed: list[PresentationContext] = [build_context(model, ExplicitVRLittleEndian)]
    proposed += [build_context(each, list(syntaxes)) for each, syntaxes in contexts]
    if roles is None:
        roles = [(each, False, True) for each in dict.fromkeys(each for each, _ in contexts)]
    selections: list[Any] = [build_role(uid, scu_role=scu, scp_role=scp) for uid, scu, scp in roles]
    association = _ae(calling).associate(
        "127.0.0.1",
        port,
        contexts=proposed,
        ext_neg=selections,
        evt_handlers=[(evt.EVT_C_STORE, stored)],
        tls_args=None if tls is None else (tls, "localhost"),
    )
    assert association.is_established
    try:
        answers = association.send_c_get(asked, model, 7)
        return _gathered(association, model, 7, answers, cancel_after, received)
    finally:
        association.release()


def _ae(calling: str) -> AE:
    ae = AE(ae_title=calling)
    ae.dimse_timeout = ae.network_timeout = 60
    return ae


def _gathered(
    association: Any,
    model: str,
    message_id: int,
    answers: Iterator[tuple[Dataset, Dataset | None]],
    cancel_after: int | None,
    received: list[Received],
) -> Retrieved:
    responses = []
    for status, found in answers:
        responses.append(_response(status, found))
        if len(responses) == cancel_after:
            association.send_c_cancel(message_id, query_model=model)
    return Retrieved(responses[:-1], responses[-1], received)


def _response(status: Dataset, found: Dataset | None) -> Response:
    failed_list: tuple[str, ...] | None = None
    if found is not None and "FailedSOPInstanceUIDList" in found:
        value = found.FailedSOPInstanceUIDList
        failed_list = () if not value else (value,) if isinstance(value, str) else tuple(value)
    return Response(
        status.get("Status", -1),
        status.get("NumberOfRemainingSuboperations"),
        status.get("NumberOfCompletedSuboperations"),
        status.get("NumberOfFailedSuboperations"),
        status.get("NumberOfWarningSuboperations"),
        failed_list,
    )
