"""Requests of one association other than C-STORE: whether they are allowed, and who answers them.
Source: reference chapter 4, section 1.3."""

from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.network.door import Door
from orthanc_fast.network.options import Right
from orthanc_fast.services.scp import sop_classes
from orthanc_fast.upper_layer import dimse, statuses
from orthanc_fast.upper_layer.association import Association, UserAbort
from orthanc_fast.upper_layer.handover import Handover
from orthanc_fast.upper_layer.operation import Operation
from orthanc_fast.upper_layer.operation_messages import Messages

_RIGHTS: dict[int, Right] = {
    dimse.C_FIND_RQ: "Find",
    dimse.C_GET_RQ: "Get",
    dimse.C_MOVE_RQ: "Move",
}
# Storage commitment: flag of the modality, and what the log calls it.
_COMMITMENT = {
    dimse.N_ACTION_RQ: ("allow_n_action", "NAction"),
    dimse.N_EVENT_REPORT_RQ: ("allow_event_report", "NEventReport"),
}


class Requests:
    """Those of one association, for its thread."""

    def __init__(self, door: Door, association: Association, caller: Caller) -> None:
        self._door = door
        self._association = association
        self._caller = caller
        self._messages = Messages(association, door.options.timeout)
        self._handover = Handover(self._messages)
        self.is_answering = False

    @property
    def holds_command(self) -> bool:
        """Whether the next command has been announced already, while another one was answered."""
        return self._messages.holds_command

    def next_command(self) -> int:
        """The field of the command that the reader has announced."""
        self._messages.holds_command = False
        return self._association.reader.command_field

    def serve(self, command: int) -> None:
        """Answers the request whose command the reader has announced. Raises PduError, UserAbort
        or OSError."""
        if command == dimse.C_ECHO_RQ and not self._association.reader.has_data_set:
            self._echo()
            return
        self.is_answering = True
        try:
            self._answer(command)
        finally:
            self.is_answering = False

    def _answer(self, command: int) -> None:
        sop_class = self._sop_class
        serve = self._door.operations.get(sop_class, {}).get(command)
        handler = self._door.handlers.get(sop_class, {}).get(command)
        if serve is None and handler is None:
            logger.error(Category.DICOM, f"cannot handle command: 0x{command:x}")
            self._messages.read_data_set()
            return
        if command in _COMMITMENT:
            self._check_commitment(*_COMMITMENT[command])
        else:
            worklist = sop_class == sop_classes.WORKLIST_FIND
            self.check("FindWorklist" if worklist else _RIGHTS[command])
        if serve is not None:
            serve(Operation(self._messages), self._caller)
        elif handler is not None:
            self._handover.serve(handler)

    @property
    def _sop_class(self) -> str:
        contexts = self._association.agreement.contexts
        return contexts[self._association.reader.context_id].abstract_syntax

    def check(self, right: Right) -> None:
        """Raises UserAbort unless the peer may make this kind of request."""
        calling, ip = self._caller.aet, self._association.ip
        logger.info(Category.DICOM, f"Incoming {right} request from AET {calling}")
        if not self._door.admission.may(right, calling, ip):
            self._refuse(right)

    def _check_commitment(self, flag: str, request: str) -> None:
        if not self._door.admission.may_commit(flag, self._caller.aet, self._association.ip):
            self._refuse(request)

    def _refuse(self, request: str) -> None:
        """Raises UserAbort, with the lines that Orthanc logs."""
        aet, ip = self._caller.aet, self._association.ip
        self._door.refused(request, self._caller)
        logger.warning(
            Category.DICOM, f"DICOM authorization rejected for AET {aet} on IP {ip}: {request}"
        )
        raise UserAbort(
            f"Rejected {request} request from remote DICOM modality with AET {aet} and "
            f"hostname {ip}"
        )

    def _echo(self) -> None:
        self.check("Echo")
        reader = self._association.reader
        self._association.channel.send(
            dimse.response(
                reader.context_id,
                dimse.C_ECHO_RQ,
                reader.message_id,
                statuses.SUCCESS,
                reader.sop_class or sop_classes.VERIFICATION.encode(),
                b"",
            )
        )
