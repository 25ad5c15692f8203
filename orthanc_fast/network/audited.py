"""What the audit log says of requests of DICOM: one line for each query and retrieval. What is
stored is said by the ingest."""

import time
from collections.abc import Callable
from typing import Final

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Caller
from orthanc_fast.network.door import Operations, Refused, Serve
from orthanc_fast.services.audit.entries import Event, who
from orthanc_fast.services.audit.log import AuditLog, Note
from orthanc_fast.services.query_retrieve.identifier import Identifier, read_identifier
from orthanc_fast.upper_layer import dimse, statuses
from orthanc_fast.upper_layer.operation import Operation

_EVENTS: Final[dict[int, Event]] = {
    dimse.C_FIND_RQ: "search",
    dimse.C_MOVE_RQ: "send",
    dimse.C_GET_RQ: "send",
}
_ROUTES: Final = {dimse.C_FIND_RQ: "C-FIND", dimse.C_MOVE_RQ: "C-MOVE", dimse.C_GET_RQ: "C-GET"}
_STUDY: Final = 0x0020000D
_MOST_STUDIES: Final = 100
_LONGEST: Final = 200  # characters of a key


def audited(
    operations: Operations, log: AuditLog, dictionary: Dictionary, character_set: Callable[[], str]
) -> Operations:
    """The same, each with a line in the log."""

    def noted(command: int, serve: Serve) -> Serve:
        return Audited(command, serve, log, dictionary, character_set)

    return {
        sop_class: {command: noted(command, serve) for command, serve in serves.items()}
        for sop_class, serves in operations.items()
    }


def refusals(log: AuditLog) -> Refused:
    """Notes requests that were not allowed."""

    def refused(request: str, caller: Caller) -> None:
        event: Event = "search" if request.startswith("Find") else "send"
        log.note(Note(who(caller), event, "refused", time.time(), route=request))

    return refused


class Audited:
    """Answers by another one, and notes what was asked."""

    def __init__(
        self,
        command: int,
        serve: Serve,
        log: AuditLog,
        dictionary: Dictionary,
        character_set: Callable[[], str],
    ) -> None:
        self._command = command
        self._serve = serve
        self._log = log
        self._dictionary = dictionary
        self._character_set = character_set

    def __call__(self, operation: Operation, caller: Caller) -> None:
        """Raises what the other one raises."""
        at = time.time()
        try:
            self._serve(operation, caller)
        finally:
            status = operation.last_status
            keys = self._keys(operation)
            if self._command == dimse.C_MOVE_RQ:
                keys = {"MoveDestination": operation.move_destination, **keys}
            studies = keys.get("StudyInstanceUID", "")
            is_done = status in (statuses.SUCCESS, statuses.CANCEL)
            self._log.note(
                Note(
                    who(caller),
                    _EVENTS[self._command],
                    "success" if is_done else "failed",
                    at,
                    route=_ROUTES[self._command],
                    status=status,
                    uids=[uid for uid in studies.split("\\")[:_MOST_STUDIES] if uid],
                    query=keys,
                )
            )

    def _keys(self, operation: Operation) -> dict[str, str]:
        """What is asked for, by keyword; what cannot be read is no reason to fail."""
        try:
            found: Identifier = read_identifier(
                operation.identifier,
                operation.transfer_syntax,
                self._dictionary,
                self._character_set(),
            )
        except (OrthancError, KeyError):
            return {}
        return {each.Name: each.text[:_LONGEST] for each in found.elements.values() if each.text}
