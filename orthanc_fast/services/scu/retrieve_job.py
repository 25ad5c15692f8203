"""A job that retrieves resources from a modality; each of them is one operation.

What is done is remembered now and then, so that a job whose worker was killed goes on near where
it was; an operation that is repeated stores nothing twice. Source: reference chapter 4, section
5.6.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from orthanc_fast.errors import NetworkProtocol, OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.services.jobs.contract import Run, Stopped
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.scu.retrieval import SubOperations
from orthanc_fast.services.scu.retrieve_orders import (
    Detail,
    Memory,
    Wanted,
    decode_memory,
    decode_order,
    encode_memory,
)
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.pdu import Proposal, Role
from orthanc_fast.upper_layer.requests import Requests

_PARTS: Final = 1000  # of the progress of one resource
_REMEMBER: Final = 2.0  # seconds of work that may have to be done again

KeyEncoder = Callable[[dict[int, str], str], bytes]
"""Makes an identifier of texts by tag, in a transfer syntax."""


class Contexts(NamedTuple):
    """What an association is to be good for."""

    proposals: Sequence[Proposal]
    roles: Sequence[Role] = ()


class Running(ABC):
    """One run of one job; what C-MOVE and C-GET do in their own way they override."""

    def __init__(self, associations: Associations, keys: KeyEncoder, run: Run) -> None:
        self._associations = associations
        self.keys = keys
        self.run = run
        self.order = decode_order(run.payload)
        self.target = associations.target(
            self.order.modality, local_aet=self.order.local_aet, timeout=self.order.timeout
        )
        recalled = run.recalled
        memory = Memory(0, self.order.details()) if recalled is None else decode_memory(recalled)
        self._details = memory.details
        self._done = memory.done
        self._remembered = time.monotonic()

    def all(self) -> None:
        """Retrieves what has not been retrieved yet. Raises the error that ends the job."""
        while self._is_left:
            try:
                self._with_one_association()
            except Stopped:
                self.run.tell(Details=self._details)
                self._remember()
                raise
            except OrthancError as error:
                self._end_one()
                if not self.order.permissive:
                    raise
                logger.warning(Category.DICOM, f"The job {self.run.id} goes on after: {error}")

    def _with_one_association(self) -> None:
        """Retrieves as many as one association is good for."""
        self.watch(SubOperations())
        contexts = self.contexts(self.wanted)
        with self._associations.open(self.target, *contexts, watch=self._look) as association:
            requests = Requests(association, self.target.timeout)
            while True:
                self.detail.status = self.retrieve(association, requests)
                if self.detail.status and not self.order.permissive:
                    raise self.refused(self.detail.status)
                self._end_one()
                if not self._is_left or self.contexts(self.wanted) != contexts:
                    break
                self.watch(SubOperations())

    @abstractmethod
    def contexts(self, wanted: Wanted) -> Contexts:
        """What is to be negotiated for this."""

    @abstractmethod
    def retrieve(self, association: Association, requests: Requests) -> int:
        """One operation: its last status. Adds to `detail` what has come."""

    @abstractmethod
    def refused(self, status: int) -> NetworkProtocol:
        """The error of an operation that ended with this status."""

    @property
    def wanted(self) -> Wanted:
        """What is being retrieved."""
        return self.order.wanted[self._done]

    @property
    def detail(self) -> Detail:
        """What becomes of it."""
        return self._details[self._done]

    def watch(self, told: SubOperations) -> None:
        """Tells the progress. Raises Stopped when the job is not to go on."""
        done = self._done * _PARTS
        if told.total:
            done += told.done * _PARTS // told.total
        self.run.step(done, len(self.order.wanted) * _PARTS)

    def _look(self) -> None:
        """While the association begins or ends, for the operations are watched by themselves.
        Raises Stopped when the job is not to go on."""
        self.run.step(self._done * _PARTS, len(self.order.wanted) * _PARTS)

    @property
    def _is_left(self) -> bool:
        return self._done < len(self._details)

    def _end_one(self) -> None:
        self._done += 1
        self.run.tell(Details=self._details)
        if time.monotonic() - self._remembered > _REMEMBER:
            self._remember()

    def _remember(self) -> None:
        self.run.remember(encode_memory(Memory(self._done, self._details)))
        self._remembered = time.monotonic()
