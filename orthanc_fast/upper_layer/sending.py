"""Bulk data that we send: C-STORE as SCU, and as sub-operation of a C-GET. Source: PS3.7 section
9.1.1.

The data set goes out as P-DATA without being copied; the answer is read by the same reader that
all events of the association come from.
"""

from collections.abc import Sequence

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata_writer import MessageWriter
from orthanc_fast.upper_layer import dimse
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.failures import RequestFailed, unanswered, unsent

Part = bytes | bytearray | memoryview

_OPERATION = "C-STORE"


class Sender:
    """Stores instances with the peer of one association, one after the other."""

    def __init__(self, association: Association) -> None:
        """Raises PduError if the peer takes no P-DATA that anything fits into."""
        self._association = association
        self._writer = MessageWriter(dimse.fragment_size(association.agreement.maximum_length))
        self.cancelled: set[int] = set()
        """Message IDs of operations that the peer has asked to cancel meanwhile, as of a C-GET."""
        self._message_id = 0
        self._outer = False  # whether the association was in an operation before

    def store(
        self,
        context_id: int,
        sop_class: str,
        sop_instance: str,
        parts: Sequence[Part],
        message_id: int,
        originator: tuple[str, int] | None = None,
    ) -> int:
        """As `send`, and `answer`: the status."""
        self.send(context_id, sop_class, sop_instance, parts, message_id, originator)
        return self.answer()

    def send(
        self,
        context_id: int,
        sop_class: str,
        sop_instance: str,
        parts: Sequence[Part],
        message_id: int,
        originator: tuple[str, int] | None = None,
    ) -> None:
        """Sends an instance; `answer` comes next.

        `parts` are one after the other the data set without file meta information, in the transfer
        syntax of the context; they are let go before this returns. `originator` is the title and
        the message ID of the C-MOVE that this belongs to. Raises RequestFailed.
        """
        association = self._association
        command = dimse.store_request(message_id, sop_class, sop_instance, originator)
        self._message_id, self._outer = message_id, association.in_operation
        association.in_operation = True
        try:
            self._writer.begin(context_id, command, parts)
            association.channel.write(self._writer)
        except OSError as error:
            raise RequestFailed(_OPERATION, unsent(error)) from error
        finally:
            self._writer.release()

    def answer(self) -> int:
        """Waits for the status of what was sent last. Raises RequestFailed; PduError where the peer
        breaks the protocol."""
        try:
            status = self._answer(self._message_id)
        except OSError as error:
            raise RequestFailed(_OPERATION, unsent(error)) from error
        self._association.in_operation = self._outer
        return status

    def _answer(self, message_id: int) -> int:
        reader = self._association.reader
        while True:
            event = self._association.channel.wait(whole=True)
            if event != pdata.COMMAND:
                raise RequestFailed(_OPERATION, unanswered(event, reader))
            if reader.has_data_set:
                raise RequestFailed(_OPERATION, "DIMSE Unexpected data set of an answer")
            if reader.command_field == dimse.C_CANCEL_RQ:
                self.cancelled.add(reader.responded_id)
                continue
            if reader.command_field != dimse.C_STORE_RQ | dimse.RESPONSE:
                raise RequestFailed(
                    _OPERATION, f"DIMSE Unexpected command 0x{reader.command_field:04x}"
                )
            if reader.responded_id != message_id or reader.status < 0:
                raise RequestFailed(
                    _OPERATION,
                    f"DIMSE Unexpected answer to message {reader.responded_id} of {message_id}",
                )
            return reader.status
