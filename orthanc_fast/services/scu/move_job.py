"""The job that has a modality send what it has, here or elsewhere, by C-MOVE. Source: reference
chapter 4, section 5.6."""

from typing import Final

from orthanc_fast.errors import NetworkProtocol
from orthanc_fast.services.jobs.contract import Kind, Run
from orthanc_fast.services.scu.associating import Associations, DimseFailure, plain
from orthanc_fast.services.scu.moves import Moves
from orthanc_fast.services.scu.retrieval import Retrieval
from orthanc_fast.services.scu.retrieve_job import Contexts, KeyEncoder, Running
from orthanc_fast.services.scu.retrieve_orders import MOVE_JOB, Wanted
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.requests import Requests

STUDY_ROOT: Final = "1.2.840.10008.5.1.4.1.2.2.2"  # at all levels, as Orthanc

_CANNOT_PROCESS: Final = 0xC000
_NOT_FOUND: Final = " (unable to process - resource not found ?)"


class MoveJob(Kind):
    """C-MOVEs of one process."""

    name = MOVE_JOB

    def __init__(self, associations: Associations, keys: KeyEncoder, moves: Moves) -> None:
        self.associations = associations
        self.keys = keys
        self.moves = moves

    def run(self, run: Run) -> None:
        _Moving(self, run).all()


class _Moving(Running):
    def __init__(self, kind: MoveJob, run: Run) -> None:
        super().__init__(kind.associations, kind.keys, run)
        self._moves = kind.moves

    def contexts(self, wanted: Wanted) -> Contexts:
        return Contexts(plain(STUDY_ROOT))

    def retrieve(self, association: Association, requests: Requests) -> int:
        syntax = association.context_of(STUDY_ROOT).transfer_syntax
        identifier = self.keys(self.wanted.unique_keys(), syntax)
        message_id = self._moves.begin(self.run.id, self.target.calling)
        try:
            requests.move(STUDY_ROOT, identifier, self.order.target or "", message_id)
            retrieval = Retrieval(
                "C-MOVE", STUDY_ROOT, association, requests, self.target.timeout, self.watch
            )
            result = retrieval.result()
        finally:
            self.detail.received = sorted(set(self._moves.end(message_id)))
        self.detail.failed = result.failed
        return result.status

    def refused(self, status: int) -> NetworkProtocol:
        hint = _NOT_FOUND if status == _CANNOT_PROCESS else ""
        return DimseFailure("C-MOVE", self.target, status, hint)
