"""C-MOVE of others: instances go to a third server, over an association of their own. Source:
reference chapter 4, section 4.2; DICOM PS3.4 section C.4.2.

A destination that is lost in the middle is called once more, if it has answered something since it
was called last; where it cannot be had again, all that is left counts as failed.
"""

import contextlib
import time
from collections.abc import Generator

from orthanc_fast._ext.pdata import PduError
from orthanc_fast.config import Settings
from orthanc_fast.config_options import Values
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import (
    InexistentItem,
    NetworkProtocol,
    NoPresentationContext,
    OrthancError,
)
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.services.exchange.instances import Chosen, Instances, Outgoing
from orthanc_fast.services.exchange.modalities import Modality
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.jobs.jobs import Jobs
from orthanc_fast.services.query_retrieve.retrieval import Outcome, Retrieval, SubOperation
from orthanc_fast.services.query_retrieve.unique_keys import RequestedInstances, resources_to_move
from orthanc_fast.services.scu.associating import DimseFailure
from orthanc_fast.services.scu.sending import Originator, Senders, Sending
from orthanc_fast.services.scu.store_orders import JobOptions, StoreOrder, submission
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.upper_layer.association import UserAbort
from orthanc_fast.upper_layer.operation import Operation

_WARNINGS = frozenset({0xB000, 0xB006, 0xB007})
_PATIENCE = 1.0  # second that a silent destination gets after a cancellation


class Moves:
    """The C-MOVE requests of one process; may be used from any thread."""

    def __init__(
        self,
        settings: Settings,
        reads: Reads,
        requested: RequestedInstances,
        modalities: ModalityRegistry,
        senders: Senders,
        jobs: Jobs,
    ) -> None:
        self._read = reads
        self._requested = requested
        self._modalities = modalities
        self._senders = senders
        self._jobs = jobs
        self._is_synchronous: bool = Values(settings.raw)("SynchronousCMove")

    def begin(self, operation: Operation, caller: Caller) -> Retrieval:
        """What a C-MOVE will do. Raises InexistentItem for an unknown destination; as
        `RequestedInstances` with `resources_to_move`; OrthancError where TLS cannot be set up."""
        modality = self.destination(operation, caller)
        heading = f'Move-SCU request received for AET "{operation.move_destination}"'
        chosen = self._requested(operation, caller, resources_to_move, heading)
        return self.retrieval(operation, caller, modality, chosen)

    def destination(self, operation: Operation, caller: Caller) -> Modality:
        """Where a C-MOVE sends to. Raises InexistentItem for an unknown destination."""
        aet = operation.move_destination
        modality = self._modalities.with_title(caller, aet)
        if modality is None:
            raise InexistentItem(f"The destination of the C-MOVE is no known modality: {aet!r}")
        return modality

    def retrieval(
        self, operation: Operation, caller: Caller, modality: Modality, chosen: Chosen
    ) -> Retrieval:
        """What a C-MOVE will do that has found something to send. Raises OrthancError where TLS
        cannot be set up."""
        how = "synchronous" if self._is_synchronous else "asynchronous"
        for each in chosen.resources:
            logger.info(
                Category.DICOM,
                f"Sending resource {to_text(each.public)} to modality "
                f'"{modality.aet}" in {how} mode',
            )
        instances = Instances(self._read, caller, chosen.instances)
        originator = (caller.aet, operation.message_id)
        target = self._senders.associations.target(modality)
        if not self._is_synchronous:
            order = StoreOrder(
                modality=modality,
                instances=chosen.instances,
                local_aet=target.calling,
                originator=originator,
            )
            job = submission(order, chosen.content(), JobOptions(description="C-MOVE"))
            self._jobs.submit_in_thread(caller, job)
            return Queued(operation, len(instances))
        rules = self._senders.rules(modality.allow_transcoding)
        watch = _Watch(operation)
        sending = self._senders.open(target, instances.presentations(), rules, watch)
        return Move(operation, sending, instances, originator)


class _Cancelled(Exception):
    """The requestor has cancelled, and the destination does not answer."""


class _Watch:
    """Looks at the requestor while the destination is silent."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._cancelled_at = 0.0

    def __call__(self) -> None:
        """Raises UserAbort if the requestor has gone; if it has cancelled _Cancelled, after a
        moment in which the destination may still answer."""
        try:
            is_cancelled = self._operation.cancelled()
        except (OSError, PduError) as error:  # as such they would be the destination's
            raise UserAbort(f"the requestor of a C-MOVE has gone: {error}") from error
        if is_cancelled:
            now = time.monotonic()
            self._cancelled_at = self._cancelled_at or now
            if now - self._cancelled_at >= _PATIENCE:
                raise _Cancelled


class Move(Retrieval):
    """Sends while the requestor waits."""

    def __init__(
        self,
        operation: Operation,
        sending: Sending,
        instances: Instances,
        originator: Originator,
    ) -> None:
        self._operation = operation
        self._sending = sending
        self._instances = instances
        self._originator = originator
        self._is_given_up = False
        self._has_answered = False  # anything, since it was called last

    @property
    def count(self) -> int:
        return len(self._instances)

    def is_cancelled(self) -> bool:
        return self._operation.cancelled()

    def run(self) -> Generator[SubOperation]:
        # Of a cancelled one what is under way is not counted.
        with contextlib.suppress(_Cancelled), self._sending as sending:
            for each in sending.looking_ahead(self._instances):
                yield SubOperation(self._outcome(each), each.sop_instance)

    def _outcome(self, instance: Outgoing) -> Outcome:
        if self._is_given_up:
            return Outcome.FAILED
        try:
            status = self._sending.send(instance, self._originator)
        except OrthancError as error:
            logger.error(Category.DICOM, f"C-MOVE of {instance.sop_instance} failed: {error}")
            self._has_answered |= isinstance(error, DimseFailure)
            if isinstance(error, NetworkProtocol | NoPresentationContext):
                self._reckon()
            return Outcome.FAILED
        self._has_answered = True
        return Outcome.WARNING if status in _WARNINGS else Outcome.COMPLETED

    def _reckon(self) -> None:
        """After a failure on the network: whether the destination is to be called again."""
        if not self._sending.is_open:
            self._is_given_up = not self._has_answered
            self._has_answered = False


class Queued(Retrieval):
    """Left to a job: the requestor is told at once that all is done, as by Orthanc."""

    def __init__(self, operation: Operation, count: int) -> None:
        self._operation = operation
        self._count = count

    @property
    def count(self) -> int:
        return self._count

    def is_cancelled(self) -> bool:
        """Only the telling can be cancelled."""
        return self._operation.cancelled()

    def run(self) -> Generator[SubOperation]:
        for _ in range(self._count):
            yield SubOperation(Outcome.COMPLETED, "")
