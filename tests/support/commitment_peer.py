"""A modality that takes part in storage commitment, made of pynetdicom: it remembers what it is
asked and told, and asks and reports itself."""

import queue
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from support.threads import joined

PUSH_MODEL = "1.2.840.10008.1.20.1"
INSTANCE = "1.2.840.10008.1.20.1.1"
PATIENCE = 10.0  # seconds

Item = tuple[str, str] | tuple[str, str, int]


class Message(NamedTuple):
    """An N-ACTION or N-EVENT-REPORT that has come."""

    kind: int  # action or event type
    information: Dataset
    instance: str
    calling: str
    called: str
    roles: list[tuple[str, bool, bool]]
    contexts: list[tuple[str, list[str]]]


class Outcome(NamedTuple):
    """What became of a request: no status if the peer has ended the association instead."""

    status: int | None
    is_over: bool


def item(sop_class: str, sop_instance: str, reason: int | None = None) -> Dataset:
    found = Dataset()
    found.ReferencedSOPClassUID = sop_class
    found.ReferencedSOPInstanceUID = sop_instance
    if reason is not None:
        found.FailureReason = reason
    return found


def information(
    transaction: str | None,
    references: Iterable[Item] | None = None,
    failed: Iterable[Item] | None = None,
) -> Dataset:
    found = Dataset()
    if transaction is not None:
        found.TransactionUID = transaction
    if references is not None:
        found.ReferencedSOPSequence = [item(*each) for each in references]
    if failed is not None:
        found.FailedSOPSequence = [item(*each) for each in failed]
    return found


class CommitmentPeer:
    """Answers with `status`; what has come is in the queues."""

    def __init__(self, title: str = "PEER") -> None:
        self.title = title
        self.status = 0x0000
        self.port = 0
        self.actions: queue.Queue[Message] = queue.Queue()
        self.events: queue.Queue[Message] = queue.Queue()

    @contextmanager
    def serving(self) -> Iterator["CommitmentPeer"]:
        ae = AE(self.title)
        ae.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
        handlers: list[Any] = [
            (evt.EVT_N_ACTION, self._action),
            (evt.EVT_N_EVENT_REPORT, self._event),
        ]
        with joined():
            server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
            assert server is not None
            self.port = server.server_address[1]
            try:
                yield self
            finally:
                server.shutdown()

    def _action(self, event: Any) -> tuple[int, None]:
        request = event.request
        self.actions.put(
            _message(
                event, event.action_type, event.action_information, request.RequestedSOPInstanceUID
            )
        )
        return self.status, None

    def _event(self, event: Any) -> tuple[int, None]:
        request = event.request
        self.events.put(
            _message(
                event, event.event_type, event.event_information, request.AffectedSOPInstanceUID
            )
        )
        return self.status, None

    def ask(
        self,
        port: int,
        asked: Dataset,
        action_type: int = 1,
        instance: str = INSTANCE,
        patience: float = PATIENCE,
    ) -> Outcome:
        """Sends an N-ACTION. Orthanc lets some go without any answer: `patience` is in seconds."""
        association = self._associate(port, patience)
        status, _ = association.send_n_action(asked, action_type, PUSH_MODEL, instance)
        return _outcome(association, status)

    def report(
        self,
        port: int,
        told: Dataset,
        event_type: int,
        instance: str = INSTANCE,
        patience: float = PATIENCE,
    ) -> Outcome:
        """Sends an N-EVENT-REPORT, as `ask`."""
        association = self._associate(port, patience)
        status, _ = association.send_n_event_report(told, event_type, PUSH_MODEL, instance)
        return _outcome(association, status)

    def _associate(self, port: int, patience: float) -> Any:
        ae = AE(self.title)
        ae.acse_timeout = PATIENCE
        ae.dimse_timeout = patience
        ae.add_requested_context(PUSH_MODEL)
        roles: list[Any] = [build_role(PUSH_MODEL, scu_role=True, scp_role=True)]
        association = ae.associate("127.0.0.1", port, ae_title="CALLED", ext_neg=roles)
        assert association.is_established
        return association


def _outcome(association: Any, status: Dataset) -> Outcome:
    is_over = not association.is_established
    connection = association.dul.socket.socket if association.dul.socket else None
    if not is_over:
        association.release()
    association.join()
    if connection is not None:  # pynetdicom forgets it where the peer was first
        connection.close()
    found = status.get("Status")
    return Outcome(found, is_over or found is None)


def _message(event: Any, kind: int, told: Dataset, instance: str) -> Message:
    requestor = event.assoc.requestor
    roles = requestor.role_selection.values()
    contexts = requestor.requested_contexts
    return Message(
        kind,
        told,
        instance,
        requestor.ae_title,
        requestor.primitive.called_ae_title,
        [(each.sop_class_uid, each.scu_role, each.scp_role) for each in roles],
        [(each.abstract_syntax, list(each.transfer_syntax)) for each in contexts],
    )
