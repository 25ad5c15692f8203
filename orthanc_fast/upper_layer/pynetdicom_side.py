"""pynetdicom's view of an association that we negotiated: imported only with the first command
that it serves or asks.

`Peer` and `Requestor` are pynetdicom `Association`s, in acceptor and in requestor mode, whose
threads never start. Their DIMSE providers read from and write to our channel, so that service
classes, C-CANCEL, all handlers and the methods that send requests work as they do with pynetdicom's
own server and client.
"""

from io import BytesIO
from typing import Any, cast

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association as PynetdicomAssociation
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL, C_FIND, C_GET, C_MOVE
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import A_ABORT, A_ASSOCIATE, P_DATA, MaximumLengthNotification
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation

from orthanc_fast.upper_layer import dimse
from orthanc_fast.upper_layer.association import Association, UserAbort
from orthanc_fast.upper_layer.failures import RequestFailed
from orthanc_fast.upper_layer.operation_messages import Answers, Handler, Messages
from orthanc_fast.upper_layer.pdu import Answer

_EVENTS = {
    dimse.C_FIND_RQ: evt.EVT_C_FIND,
    dimse.C_GET_RQ: evt.EVT_C_GET,
    dimse.C_MOVE_RQ: evt.EVT_C_MOVE,
    dimse.N_ACTION_RQ: evt.EVT_N_ACTION,
    dimse.N_EVENT_REPORT_RQ: evt.EVT_N_EVENT_REPORT,
}
_MAX_CANCELS = 10  # as pynetdicom
_OUR_TITLE = "OURS"  # named nowhere: the association is negotiated already


class _Side(PynetdicomAssociation):
    """What both sides have in common."""

    def __init__(self, association: Association, mode: str, timeout: int) -> None:
        super().__init__(AE(ae_title=_OUR_TITLE), mode)
        self.dul = cast(Any, _Wire(association))
        self.dimse_timeout = timeout or None
        self.is_established = True

    def add_context(self, answer: Answer, as_scu: bool, as_scp: bool) -> None:
        """A context that was accepted."""
        context = PresentationContext()
        context.context_id = answer.number
        context.abstract_syntax = UID(answer.abstract_syntax)
        context.transfer_syntax = [UID(answer.transfer_syntax)]
        context.result = 0
        context._as_scu, context._as_scp = as_scu, as_scp
        self._accepted_cx[answer.number] = context

    def abort(self, block: bool = True) -> None:
        """Marks the association as aborted; the A-ABORT is sent when pynetdicom has returned."""
        self.is_aborted = True
        self.is_established = False

    # pynetdicom puts one or the other in the place of `abort` around handlers.

    def _abort_blocking(self, block: bool = True) -> None:
        _Side.abort(self)

    def _abort_nonblocking(self, block: bool = False) -> None:
        _Side.abort(self)


class Peer(_Side):
    """One association as pynetdicom's service classes see it."""

    def __init__(self, messages: Messages) -> None:
        association = messages.association
        agreement = association.agreement
        super().__init__(association, "acceptor", messages.timeout)
        self.agreement = agreement
        self.dimse = _Dimse(self, messages)
        self._describe(association)
        roles = {role.sop_class: role for role in agreement.roles}
        for answer in agreement.contexts.values():
            role = roles.get(answer.abstract_syntax)
            # Seen from the acceptor: it is SCP where the requestor is SCU.
            as_scu = False if role is None else role.scp
            self.add_context(answer, as_scu, as_scp=True if role is None else role.scu)

    def _describe(self, association: Association) -> None:
        """Without the titles, for which handlers ask the agreement: pynetdicom refuses those beyond
        ASCII, which Orthanc sends."""
        request = A_ASSOCIATE()
        request.user_information = [_maximum_length(association.agreement.maximum_length)]
        self.requestor.primitive = request
        self.requestor.address_info = AddressInformation(association.ip, 0)

    def serve(
        self, command: int, handler: Handler, context: int, encoded: bytes, data_set: bytes
    ) -> None:
        """Runs the service class of one request. Raises UserAbort if it aborts."""
        self.bind(_EVENTS[command], handler)
        primitive = decode(context, encoded, data_set, self)
        self._serve_request(primitive, context)
        if not self.is_established:
            raise UserAbort("the handler aborted the association")


class Requestor(_Side):
    """One association as pynetdicom's methods see it that send requests."""

    def __init__(self, answers: Answers) -> None:
        agreement = answers.association.agreement
        super().__init__(answers.association, "requestor", answers.timeout)
        self.dimse = _AnswersDimse(self, answers)
        accept = A_ASSOCIATE()
        accept.user_information = [_maximum_length(agreement.maximum_length)]
        self.acceptor.primitive = accept
        # For want of the threads of pynetdicom, whose pause its methods wait for.
        self._is_paused = True
        for answer in agreement.contexts.values():
            # Peers forget to answer the role of an SCP that is asked of them.
            self.add_context(answer, as_scu=True, as_scp=True)

    def request_find(self, identifier: bytes, sop_class: str, message_id: int) -> None:
        """Sends a C-FIND-RQ, and waits for nothing. The identifier is encoded already."""
        self._request(C_FIND(), identifier, sop_class, message_id)

    def request_get(self, identifier: bytes, sop_class: str, message_id: int) -> None:
        """The same for a C-GET-RQ."""
        self._request(C_GET(), identifier, sop_class, message_id)

    def request_move(
        self, identifier: bytes, destination: str, sop_class: str, message_id: int
    ) -> None:
        """The same for a C-MOVE-RQ. Raises RequestFailed for what is no AE title."""
        request = C_MOVE()
        try:
            request.MoveDestination = destination
        except ValueError as error:
            raise RequestFailed("C-MOVE", f"{error}") from error
        self._request(request, identifier, sop_class, message_id)

    def _request(
        self,
        request: C_FIND | C_GET | C_MOVE,
        identifier: bytes,
        sop_class: str,
        message_id: int,
    ) -> None:
        context = self._get_valid_context(sop_class, "", "scu")
        request.MessageID = message_id
        request.AffectedSOPClassUID = UID(sop_class)
        request.Priority = dimse.MEDIUM
        request.Identifier = BytesIO(identifier)
        self.dimse.send_msg(request, cast(int, context.context_id))

    def answer(
        self, context: int, encoded: bytes, data_set: bytes
    ) -> tuple[Dataset, Dataset | None]:
        """A C-GET-RSP or C-MOVE-RSP read by pynetdicom, as `send_c_get` gives it."""
        cast(_AnswersDimse, self.dimse).received = (context, encoded, data_set)
        syntax = self._accepted_cx[context].transfer_syntax[0]
        return next(self._wrap_get_move_responses(syntax))


def decode(context: int, command: bytes, data_set: bytes, peer: Any) -> Any:
    """The primitive of one complete message."""
    data = P_DATA()
    data.presentation_data_value_list.append((context, b"\x03" + command))
    if data_set:
        data.presentation_data_value_list.append((context, b"\x02" + data_set))
    message = DIMSEMessage()
    message.decode_msg(data, peer)
    if message.data_set is None:
        message.data_set = BytesIO()
    return message.message_to_primitive()


class _Dimse(DIMSEServiceProvider):
    """Reads messages from our channel when a service class waits for one."""

    def __init__(self, peer: Peer, messages: Messages) -> None:
        super().__init__(peer)
        self._peer = peer
        self._messages = messages

    def get_msg(self, block: bool = False) -> Any:
        timeout = self.dimse_timeout
        limit = -1 if timeout is None else int(timeout * 1000)
        while True:
            found = self._messages.next_message(limit if block else 0)
            if found is None:
                return None, None
            primitive = decode(*found, self._peer)
            if not isinstance(primitive, C_CANCEL):
                return found[0], primitive
            self._cancelled(primitive)

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """Before each answer looks whether the peer has cancelled."""
        if primitive.MessageIDBeingRespondedTo is not None:
            found = self._messages.next_message(0)
            if found is not None:
                received = decode(*found, self._peer)
                if not isinstance(received, C_CANCEL):
                    raise UserAbort("a request within an operation")
                self._cancelled(received)
        super().send_msg(primitive, context_id)

    def _cancelled(self, primitive: C_CANCEL) -> None:
        if len(self.cancel_req) < _MAX_CANCELS and primitive.MessageIDBeingRespondedTo is not None:
            self.cancel_req[primitive.MessageIDBeingRespondedTo] = primitive


class _AnswersDimse(DIMSEServiceProvider):
    """Reads answers from our channel when one of pynetdicom's methods waits for one."""

    def __init__(self, requestor: Requestor, answers: Answers) -> None:
        super().__init__(requestor)
        self._requestor = requestor
        self._answers = answers
        self.received: tuple[int, bytes, bytes] | None = None  # an answer that was read already

    def get_msg(self, block: bool = False) -> Any:
        found, self.received = self.received or self._answers.next_answer(), None
        try:
            return found[0], decode(*found, self._requestor)
        except Exception as error:  # pynetdicom meets bad values with errors of any kind
            raise RequestFailed(
                self._answers.operation, f"DIMSE Unexpected answer: {error!r}"
            ) from error


def _maximum_length(length: int) -> MaximumLengthNotification:
    """What the peer takes, as far as pynetdicom makes use of it."""
    item = MaximumLengthNotification()
    item.maximum_length_received = dimse.fragment_size(length) + dimse.OVERHEAD
    return item


class _Wire:
    """What the DIMSE provider and the service classes use of pynetdicom's upper layer."""

    def __init__(self, association: Association) -> None:
        self._association = association
        self.socket = None

    def send_pdu(self, primitive: Any) -> None:
        if isinstance(primitive, P_DATA):
            pdu = P_DATA_TF()
            pdu.from_primitive(primitive)
            self._association.channel.send(pdu.encode())
        elif not isinstance(primitive, A_ABORT):
            raise TypeError(f"{type(primitive).__name__} is not for a service class to send")

    def peek_next_pdu(self) -> None:
        """Nothing waits here: releases and aborts end the operation in `next_message`."""

    def receive_pdu(self, wait: bool = False, timeout: float | None = None) -> None:
        """See `peek_next_pdu`."""
