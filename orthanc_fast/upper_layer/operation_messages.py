"""The messages of an association that are not bulk data, as pynetdicom's services take them."""

from collections.abc import Callable
from typing import Any, NoReturn

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError
from orthanc_fast.upper_layer import dimse, pdu
from orthanc_fast.upper_layer.association import Association, UserAbort
from orthanc_fast.upper_layer.failures import NO_DATA, RequestFailed, unanswered

Handler = Callable[[Any], Any]
"""Takes a pynetdicom event and returns or yields what pynetdicom's documentation asks for it."""

MAX_IDENTIFIER = 1 << 24  # bytes of the data set of such a command
_FIRST_BUFFER = 1 << 14


class Messages:
    """The messages of one association, read one by one."""

    def __init__(self, association: Association, timeout: int) -> None:
        """`timeout` is the seconds that a handler waits for the peer, 0: for ever."""
        self.association = association
        self.timeout = timeout
        self.holds_command = False  # the next command was announced while another was answered

    def read_data_set(self) -> bytes:
        """The data set of the command just announced, b"" if it has none."""
        reader = self.association.reader
        if not reader.has_data_set:
            return b""
        buffer = bytearray(_FIRST_BUFFER)
        reader.accept(buffer, 0)
        while True:
            event = self.association.channel.wait(whole=True)
            if event == pdata.DATA_SET:
                return bytes(memoryview(buffer)[: reader.used])
            if event != pdata.ROOM:
                self.broken(event)
            used = reader.used
            if used * 4 > MAX_IDENTIFIER:
                raise PduError(
                    f"an identifier of more than {MAX_IDENTIFIER} bytes", pdu.INVALID_PARAMETER
                )
            reader.release()
            buffer += bytes(3 * used)
            reader.accept(buffer, used)

    def next_cancel(self) -> int | None:
        """The Message ID that a C-CANCEL of the peer is about, None if none has come: another
        command, which an asynchronous operations window allows, is held until this operation is
        over. Raises UserAbort or PduError when the association is over."""
        event = self.association.channel.wait(timeout=0)
        reader = self.association.reader
        if event == pdata.TIMEOUT:
            return None
        if event == pdata.COMMAND:
            if reader.command_field == dimse.C_CANCEL_RQ and not reader.has_data_set:
                return reader.responded_id
            self.holds_command = True
            return None
        self.broken(event)

    def next_message(self, timeout: int) -> tuple[int, bytes, bytes] | None:
        """The next message of the peer within `timeout` ms, as (context, command set, data set).

        None if none came. Raises UserAbort or PduError when the association is over.
        """
        event = self.association.channel.wait(timeout=timeout, whole=True)
        reader = self.association.reader
        if event == pdata.COMMAND:
            context, encoded = reader.context_id, reader.command_set
            return context, encoded, self.read_data_set()
        if event == pdata.TIMEOUT:
            return None
        self.broken(event)

    def broken(self, event: int) -> NoReturn:
        """Something came that is no part of a message. Raises UserAbort or PduError."""
        if event == pdata.PDU:
            kind = self.association.reader.pdu[0]
            if kind in (pdu.ABORT, pdu.RELEASE_RQ):
                raise UserAbort("the peer ended the association within an operation")
            raise PduError(f"unexpected PDU type {kind}", pdu.UNEXPECTED_PDU)
        if event == pdata.TIMEOUT:
            raise UserAbort("an identifier that does not come to its end")
        raise UserAbort("the connection was closed within an operation")


class Answers(Messages):
    """What comes on the association as answers to one request at a time."""

    def __init__(self, association: Association, timeout: int) -> None:
        super().__init__(association, timeout)
        self.operation = ""
        self.command = 0
        self.message_id = 0

    def begin(self, operation: str, command: int, message_id: int) -> None:
        """A request is going to be sent; `command` is its field."""
        self.operation, self.command, self.message_id = operation, command, message_id

    def next_answer(self) -> tuple[int, bytes, bytes]:
        """(context, command set, data set) of the next answer. Raises RequestFailed if that is
        none to our request, PduError or OSError."""
        found = self.next_message(self.timeout * 1000 or -1)
        if found is None:
            raise RequestFailed(self.operation, NO_DATA)
        self.check()
        return found

    def check(self) -> None:
        """Raises RequestFailed if the last command is no answer to our request."""
        reader = self.association.reader
        if reader.command_field != self.command | dimse.RESPONSE:
            self._unexpected(f"command 0x{reader.command_field:04x}")
        if reader.responded_id != self.message_id:
            self._unexpected(f"answer to message {reader.responded_id} of {self.message_id}")
        if reader.status < 0:
            self._unexpected("answer without a status")

    def _unexpected(self, text: str) -> NoReturn:
        raise RequestFailed(self.operation, f"DIMSE Unexpected {text}")

    def broken(self, event: int) -> NoReturn:
        """Raises RequestFailed."""
        raise RequestFailed(self.operation, unanswered(event, self.association.reader))
