"""Commands other than C-ECHO and C-STORE: handed to pynetdicom's service classes and handlers.

pynetdicom is loaded when the first such command comes. It gets the association as it is, with our
socket behind its DIMSE provider; its two threads and its polling are never started.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError
from orthanc_fast.log import Category, logger
from orthanc_fast.network import messages
from orthanc_fast.network.associate import ABORT, RELEASE_RQ
from orthanc_fast.network.association import Foreign, Refused
from orthanc_fast.services.scp import sop_classes

if TYPE_CHECKING:
    from orthanc_fast.network.association import Association

Handlers = Sequence[tuple[Any, Callable[..., Any]]]  # pynetdicom's evt.EventHandlerType

MAX_IDENTIFIER = 1 << 24  # bytes of the data set of such a command
_FIRST_BUFFER = 1 << 14


def handover(handlers: Handlers) -> Callable[[Association], Foreign]:
    """Makes the `handover` of a `Door` from pynetdicom's (event, handler) pairs."""
    return lambda association: Conversation(association, handlers)


class Conversation(Foreign):
    """The pynetdicom side of one association."""

    def __init__(self, association: Association, handlers: Handlers) -> None:
        self._association = association
        self._handlers = handlers
        self._peer: Any = None

    def serve(self) -> None:
        association = self._association
        reader = association.reader
        command, context, encoded = reader.command_field, reader.context_id, reader.command_set
        if not self._authorized(command, context):
            logger.error(Category.DICOM, f"cannot handle command: 0x{command:x}")
            self.read_data_set()
            return
        data_set = self.read_data_set()
        if self._peer is None:
            from orthanc_fast.network.pynetdicom_side import Peer

            self._peer = Peer(self, association, self._handlers)
        self._peer.serve(context, encoded, data_set)

    def _authorized(self, command: int, context: int) -> bool:
        """Whether there is anything that could handle it. Raises Refused if it is not allowed."""
        association = self._association
        syntax = association.agreement.contexts[context].abstract_syntax
        if command == messages.C_FIND_RQ:
            worklist = syntax == sop_classes.WORKLIST_FIND
            association.check("FindWorklist" if worklist else "Find")
        elif command == messages.C_MOVE_RQ:
            association.check("Move")
        elif command == messages.C_GET_RQ:
            association.check("Get")
        elif command == messages.N_ACTION_RQ:
            self._commitment("allow_n_action", "NAction")
        elif command == messages.N_EVENT_REPORT_RQ:
            self._commitment("allow_event_report", "NEventReport")
        else:
            return False
        return True

    def _commitment(self, flag: str, request: str) -> None:
        association = self._association
        calling = association.agreement.calling
        if not association.door.admission.may_commit(flag, calling, association.ip):
            association.refuse(request)

    def read_data_set(self) -> bytes:
        """The data set of the command just announced, b"" if it has none."""
        reader = self._association.reader
        if not reader.has_data_set:
            return b""
        buffer = bytearray(_FIRST_BUFFER)
        reader.accept(buffer, 0)
        while True:
            event = self._association.channel.wait()
            if event == pdata.DATA_SET:
                return bytes(memoryview(buffer)[: reader.used])
            if event == pdata.PDU:
                self._ended(reader.pdu[0])
            if event != pdata.ROOM:
                raise Refused("an identifier that does not come to its end")
            used = reader.used
            if used * 4 > MAX_IDENTIFIER:
                raise PduError(f"an identifier of more than {MAX_IDENTIFIER} bytes", 6)
            reader.release()
            buffer += bytes(3 * used)
            reader.accept(buffer, used)

    def next_message(self, timeout: int) -> tuple[int, bytes, bytes] | None:
        """The next message of the peer within `timeout` ms, as (context, command set, data set).

        None if none came. Raises Refused or PduError when the association is over.
        """
        event = self._association.channel.wait(timeout=timeout)
        reader = self._association.reader
        if event == pdata.COMMAND:
            context, encoded = reader.context_id, reader.command_set
            return context, encoded, self.read_data_set()
        if event == pdata.TIMEOUT:
            return None
        if event == pdata.PDU:
            self._ended(reader.pdu[0])
        raise Refused("the connection was closed within an operation")

    @staticmethod
    def _ended(kind: int) -> None:
        if kind in (ABORT, RELEASE_RQ):
            raise Refused("the peer ended the association within an operation")
        raise PduError(f"unexpected PDU type {kind}", 2)
