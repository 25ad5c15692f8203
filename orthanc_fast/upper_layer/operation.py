"""One request that is answered by any number of responses: C-FIND, C-GET, C-MOVE. Source: PS3.7
sections 9.1.2 to 9.1.4 and 9.3.2 to 9.3.4.

Its responses are prebuilt PDUs, several of them in one write, and between two writes the peer may
cancel. What pynetdicom's service classes take for the same is in docs/dicom-network.md.
"""

from collections.abc import Iterable

from orthanc_fast._ext.pdata import PduError
from orthanc_fast.upper_layer import dimse, pdu
from orthanc_fast.upper_layer.dimse import Counts
from orthanc_fast.upper_layer.operation_messages import Messages

PENDING = 0xFF00
_MOVE_DESTINATION = 0x0600


class Operation:
    """The request that the reader has just announced, and its responses."""

    def __init__(self, messages: Messages) -> None:
        """Reads the identifier. Raises PduError, UserAbort or OSError."""
        association = messages.association
        reader = association.reader
        self.messages = messages
        self.association = association
        self.command = reader.command_field
        self.context_id = reader.context_id
        self.message_id = reader.message_id
        self.command_set = reader.command_set
        if self.message_id < 0:
            raise PduError("a request without Message ID", pdu.INVALID_PARAMETER)
        context = association.agreement.contexts[self.context_id]
        self.sop_class = context.abstract_syntax
        self.transfer_syntax = context.transfer_syntax
        self._affected = reader.sop_class or self.sop_class.encode()
        self._maximum = association.agreement.maximum_length
        self.identifier = messages.read_data_set()
        self.is_cancelled = False
        self.last_status: int | None = None  # of the responses that were sent

    @property
    def move_destination(self) -> str:
        """The Move Destination of a C-MOVE-RQ without padding, "" where there is none."""
        value = dimse.value_of(self.command_set, _MOVE_DESTINATION)
        return pdu.title_text(value or b"")

    def cancelled(self) -> bool:
        """Whether the peer has cancelled; looks without waiting. Raises PduError, UserAbort or
        OSError where the association is over."""
        while not (self.is_cancelled or self.messages.holds_command):
            responded = self.messages.next_cancel()
            if responded is None:
                break
            self.is_cancelled = responded == self.message_id
        return self.is_cancelled

    def send_pending(self, identifiers: Iterable[bytes]) -> None:
        """Sends each as a response of status Pending, all in one write. Raises OSError."""
        head = self._head(PENDING, has_data_set=True)
        room = dimse.fragment_size(self._maximum)
        parts: list[bytes] = []
        for identifier in identifiers:
            if len(identifier) <= room:  # as nearly all are
                parts += (head, dimse.only_fragment(self.context_id, len(identifier)), identifier)
            else:
                parts.append(head)
                parts += dimse.fragments(self.context_id, identifier, False, self._maximum)
        if parts:
            self.association.channel.send(b"".join(parts))

    def send_response(
        self,
        status: int,
        counts: Counts | None = None,
        identifier: bytes = b"",
        more: bool = False,
    ) -> None:
        """Sends one response; with `more` it may wait for what is sent next. Raises OSError."""
        self.last_status = status
        parts = [self._head(status, bool(identifier), counts)]
        if identifier:
            parts += dimse.fragments(self.context_id, identifier, False, self._maximum)
        self.association.channel.send(b"".join(parts), more)

    def _head(self, status: int, has_data_set: bool, counts: Counts | None = None) -> bytes:
        """The P-DATA of the command set."""
        encoded = dimse.response_set(
            self.command, self.message_id, status, self._affected, b"", has_data_set, counts
        )
        return b"".join(dimse.fragments(self.context_id, encoded, True, self._maximum))
