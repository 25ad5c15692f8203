"""pynetdicom's view of an association that we negotiated: imported only with the first command
that it serves.

`Peer` is a pynetdicom `Association` in acceptor mode whose threads never start. Its DIMSE provider
reads from and writes to our channel, so that service classes, `send_c_store` for C-GET,
C-CANCEL and all handlers work as they do with pynetdicom's own server.
"""

from io import BytesIO
from typing import Any, cast

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association as PynetdicomAssociation
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import A_ABORT, A_ASSOCIATE, P_DATA, MaximumLengthNotification
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation

from orthanc_fast.upper_layer import dimse
from orthanc_fast.upper_layer.association import Association, UserAbort
from orthanc_fast.upper_layer.operation_messages import Handler, Messages

_EVENTS = {
    dimse.C_FIND_RQ: evt.EVT_C_FIND,
    dimse.C_GET_RQ: evt.EVT_C_GET,
    dimse.C_MOVE_RQ: evt.EVT_C_MOVE,
    dimse.N_ACTION_RQ: evt.EVT_N_ACTION,
    dimse.N_EVENT_REPORT_RQ: evt.EVT_N_EVENT_REPORT,
}
_MAX_CANCELS = 10  # as pynetdicom


class Peer(PynetdicomAssociation):
    """One association as pynetdicom's service classes see it."""

    def __init__(self, messages: Messages) -> None:
        association = messages.association
        agreement = association.agreement
        super().__init__(AE(ae_title=messages.title), "acceptor")
        self.dul = cast(Any, _Wire(association))
        self.dimse = _Dimse(self, messages)
        self.dimse_timeout = messages.timeout or None
        self._describe(association, messages.title)
        roles = {role.sop_class: role for role in agreement.roles}
        for number, answer in agreement.contexts.items():
            context = PresentationContext()
            context.context_id = number
            context.abstract_syntax = UID(answer.abstract_syntax)
            context.transfer_syntax = [UID(answer.transfer_syntax)]
            context.result = 0
            role = roles.get(answer.abstract_syntax)
            # Seen from the acceptor: it is SCP where the requestor is SCU.
            context._as_scp = True if role is None else role.scu
            context._as_scu = False if role is None else role.scp
            self._accepted_cx[number] = context
        self.is_established = True

    def _describe(self, association: Association, title: str) -> None:
        agreement = association.agreement
        request = A_ASSOCIATE()
        request.calling_ae_title = agreement.calling
        request.called_ae_title = agreement.called
        length = MaximumLengthNotification()
        length.maximum_length_received = agreement.maximum_length
        request.user_information = [length]
        self.requestor.primitive = request
        self.requestor.ae_title = agreement.calling
        self.requestor.address_info = AddressInformation(association.ip, 0)
        self.acceptor.ae_title = title

    def serve(
        self, command: int, handler: Handler, context: int, encoded: bytes, data_set: bytes
    ) -> None:
        """Runs the service class of one request. Raises UserAbort if it aborts."""
        self.bind(_EVENTS[command], handler)
        primitive = decode(context, encoded, data_set, self)
        self._serve_request(primitive, context)
        if not self.is_established:
            raise UserAbort("the handler aborted the association")

    def abort(self, block: bool = True) -> None:
        """Marks the association as aborted; the A-ABORT is sent when the handler has returned."""
        self.is_aborted = True
        self.is_established = False


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
