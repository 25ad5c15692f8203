"""Requests of ours that are not bulk data, over one association: pynetdicom, which is loaded with
the first of them, makes the messages and reads the answers, but for those of a C-FIND, which may be
many. Source: PS3.7 sections 9 and 10."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from orthanc_fast.upper_layer import dimse
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.failures import RequestFailed, unsent
from orthanc_fast.upper_layer.operation_messages import Answers

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from orthanc_fast.upper_layer.pynetdicom_side import Requestor

_VERIFICATION = "1.2.840.10008.1.1"

_COMMANDS = {
    "C-ECHO": dimse.C_ECHO_RQ,
    "C-FIND": dimse.C_FIND_RQ,
    "C-GET": dimse.C_GET_RQ,
    "C-MOVE": dimse.C_MOVE_RQ,
    "N-ACTION": dimse.N_ACTION_RQ,
    "N-EVENT-REPORT": dimse.N_EVENT_REPORT_RQ,
}

_T = TypeVar("_T")


class Requests:
    """One request after the other; those with several answers are iterators, which send the request
    when the first answer is asked for.

    Statuses are passed on as the peer gives them, known or not. All raise RequestFailed where an
    answer does not come or is none, NoPresentationContext where the peer has accepted none for the
    SOP class, PduError where it breaks the protocol. An iterator that is left before its end
    leaves the association in an operation: it cannot be released then.
    """

    def __init__(self, association: Association, timeout: int) -> None:
        """`timeout` is in seconds for each answer, 0: none."""
        self._association = association
        self._answers = Answers(association, timeout)
        self._last_id = 0

    @cached_property
    def _peer(self) -> Requestor:
        from orthanc_fast.upper_layer.pynetdicom_side import Requestor

        return Requestor(self._answers)

    def echo(self) -> int:
        """C-ECHO: the status."""
        number = self._begin("C-ECHO", _VERIFICATION)
        return self._only_status(lambda: self._peer.send_c_echo(number))

    def find(self, sop_class: str, identifier: bytes) -> Iterator[tuple[int, bytes]]:
        """C-FIND: a pending status with each answer, then the last status without one. Identifiers
        are data sets in the transfer syntax of the class's context: see `Association.context_of`.

        Answers may be many, so they are not pynetdicom's: docs/dicom-network.md has the numbers.
        """
        number = self._begin("C-FIND", sop_class)
        self._association.in_operation = True
        self._guarded(lambda: self._peer.request_find(identifier, sop_class, number))
        reader = self._association.reader
        while True:
            _, _, answer = self._guarded(self._answers.next_answer)
            status = reader.status
            if status not in dimse.PENDING:
                break
            if not answer:
                raise RequestFailed("C-FIND", "DIMSE Unexpected answer: pending without data set")
            yield status, answer
        self._association.in_operation = False
        yield status, b""

    def move(self, sop_class: str, identifier: bytes, destination: str, message_id: int) -> None:
        """Sends a C-MOVE-RQ; the identifier is encoded as that of `find`. What comes then is for
        the caller to read from the channel, and for `answer`."""
        number = self._begin("C-MOVE", sop_class, message_id)
        self._association.in_operation = True
        self._guarded(lambda: self._peer.request_move(identifier, destination, sop_class, number))

    def get(self, sop_class: str, identifier: bytes, message_id: int) -> None:
        """The same for a C-GET-RQ. What comes then is for the caller to read from the channel:
        C-STORE requests and, for `answer`, answers."""
        number = self._begin("C-GET", sop_class, message_id)
        self._association.in_operation = True
        self._guarded(lambda: self._peer.request_get(identifier, sop_class, number))

    def pending(self) -> tuple[int, int, int, int] | None:
        """How many sub-operations are remaining, completed, failed and completed with a warning, by
        a pending answer to a C-MOVE or C-GET whose command the reader has just announced; None for
        one that is not, or has an identifier: `answer` reads it.

        One comes with each instance, so they are not pynetdicom's: docs/dicom-network.md has the
        numbers.
        """
        reader = self._association.reader
        self._answers.check()
        if reader.status not in dimse.PENDING or reader.has_data_set:
            return None
        return dimse.sub_operations(reader.command_set)

    def answer(self) -> tuple[Dataset, Dataset | None]:
        """The answer to a C-MOVE or C-GET whose command the reader has just announced: its status,
        as a command set, and the identifier (FailedSOPInstanceUIDList) that the last one may
        have."""
        reader = self._association.reader
        self._answers.check()
        context, encoded = reader.context_id, reader.command_set
        found = self._guarded(
            lambda: self._peer.answer(context, encoded, self._answers.read_data_set())
        )
        self._check(found[0])
        if found[0].Status not in dimse.PENDING:
            self._association.in_operation = False
        return found

    def cancel(self, sop_class: str) -> None:
        """Asks the peer to end the C-FIND, C-MOVE or C-GET that is under way: its last answer still
        comes."""
        number = self._answers.message_id
        self._guarded(lambda: self._peer.send_c_cancel(number, query_model=sop_class))

    def n_action(
        self, sop_class: str, sop_instance: str, action_type: int, information: Dataset
    ) -> int:
        """N-ACTION: the status."""
        number = self._begin("N-ACTION", sop_class)
        return self._only_status(
            lambda: self._peer.send_n_action(
                information, action_type, sop_class, sop_instance, number
            )[0]
        )

    def n_event_report(
        self, sop_class: str, sop_instance: str, event_type: int, information: Dataset
    ) -> int:
        """N-EVENT-REPORT: the status."""
        number = self._begin("N-EVENT-REPORT", sop_class)
        return self._only_status(
            lambda: self._peer.send_n_event_report(
                information, event_type, sop_class, sop_instance, number
            )[0]
        )

    def _begin(self, operation: str, sop_class: str, message_id: int | None = None) -> int:
        """The message ID of a new request."""
        if self._association.in_operation:
            raise ValueError("the last request on this association is not answered yet")
        self._association.context_of(sop_class)
        self._last_id = self._last_id % 0xFFFF + 1 if message_id is None else message_id
        self._answers.begin(operation, _COMMANDS[operation], self._last_id)
        return self._last_id

    def _only_status(self, request: Callable[[], Dataset]) -> int:
        self._association.in_operation = True
        status = self._guarded(request)
        self._check(status)
        self._association.in_operation = False
        return int(status.Status)

    def _check(self, status: Dataset) -> None:
        # What pynetdicom does not take for an answer has no status.
        if "Status" not in status:
            raise RequestFailed(self._answers.operation, "DIMSE Unexpected answer")

    def _guarded(self, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except OSError as error:
            raise RequestFailed(self._answers.operation, unsent(error)) from error
