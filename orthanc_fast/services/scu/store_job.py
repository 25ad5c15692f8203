"""The job that sends instances to a modality.

It goes on where it was when it is paused, or when its worker is killed: at most the instances of
the last second are sent again, which changes nothing for a receiver. Source: reference chapter 4,
section 5.5.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import NetworkProtocol, OrthancError, UnknownResource
from orthanc_fast.services.exchange.instances import Instances, Outgoing
from orthanc_fast.services.exchange.store_memory import StoreMemory
from orthanc_fast.services.jobs.contract import Kind, Run, Stopped
from orthanc_fast.services.scu.associating import Associations, DimseFailure
from orthanc_fast.services.scu.sending import Senders
from orthanc_fast.services.scu.store_orders import KIND, StoreOrder, decode_store_order
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.upper_layer.channel import Watch
from orthanc_fast.upper_layer.requestor import Target

_REMEMBERED_EACH: Final = 1.0  # second
_PATIENCE: Final = 1.0  # second that a silent peer gets after a job has been stopped

Commit = Callable[[Target, str, Iterator[tuple[str, str]], Watch | None], None]
"""Requests a storage commitment of a modality: transaction UID, SOP classes and
instances; the last argument as that of `Associations.open`."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StoreMemory).decode


class StoreJob(Kind):
    """Jobs of one process."""

    name: ClassVar[str] = KIND

    def __init__(
        self,
        settings: Settings,
        reads: Reads,
        associations: Associations,
        senders: Senders,
        commit: Commit,
    ) -> None:
        self.parallel = settings.dicom_scu_associations_count
        self.read = reads
        self.associations = associations
        self.senders = senders
        self.commit = commit

    def run(self, run: Run) -> None:
        """Raises as `Sending.send`, of the first instance that fails unless the job is
        permissive; one that has been deleted meanwhile is told and left out."""
        _Running(self, run, decode_store_order(run.payload)).all()


class _Running:
    """One run of one job."""

    def __init__(self, kind: StoreJob, run: Run, order: StoreOrder) -> None:
        self._kind = kind
        self._run = run
        self._order = order
        self._memory = StoreMemory() if run.recalled is None else _decode(run.recalled)
        self._memory.forget_undone()
        self._target = kind.associations.target(
            order.modality, local_aet=order.local_aet, timeout=order.timeout
        )
        self._instances = Instances(kind.read, run.caller, order.instances)
        self._presentations = self._instances.presentations()
        left = self._instances.since(self._memory.done)
        known = frozenset(self._memory.early)
        self._left = (each for each in left if each.number not in known)
        self._given_back: list[Outgoing] = []
        self._lock = threading.Lock()
        self._is_over = False
        self._stopped_at = 0.0
        self._remembered_at = time.monotonic()

    def all(self) -> None:
        self._tell_failures()
        try:
            self._send_all()
        except Stopped:
            self._remember()
            raise
        if self._order.commitment and not self._memory.failed:
            self._kind.commit(self._target, self._order.commitment, self._references(), self._watch)

    def _send_all(self) -> None:
        associations = min(self._kind.parallel, self._order.count - self._memory.done)
        if associations > 1:
            with ThreadPoolExecutor(associations, "sending") as pool:
                sending = [pool.submit(self._send, True) for _ in range(associations)]
            errors = [error for each in sending if (error := each.exception()) is not None]
            if errors:
                # What went wrong comes before the wish to stop.
                raise next((each for each in errors if not isinstance(each, Stopped)), errors[0])
        if associations == 1 or self._given_back:
            self._send(False)

    def _send(self, is_one_of_many: bool) -> None:
        """Sends over one association until nothing is left, or another one has ended the job. One
        of many that cannot be opened leaves all to the others: the modality may not take as many
        as we wish."""
        claimed: dict[int, Outgoing] = {}
        has_been_open = False
        senders, modality = self._kind.senders, self._order.modality
        rules = senders.rules(modality.allow_transcoding)
        try:
            with senders.open(self._target, self._presentations, rules, self._watch) as sending:
                for each in sending.looking_ahead(self._claimed(claimed)):
                    self._run.step(self._memory.done, self._order.count)
                    try:
                        sending.send(each, self._order.originator)
                    except OrthancError as error:
                        has_been_open |= sending.is_open
                        if (
                            is_one_of_many
                            and not has_been_open
                            and isinstance(error, NetworkProtocol)
                        ):
                            self._give_back(claimed)
                            return
                        self._fail(each, error)
                    has_been_open |= sending.is_open
                    self._finish(each)
                    del claimed[each.number]
        except BaseException:
            self._is_over = True
            raise

    def _watch(self) -> None:
        """While the peer is silent. Raises Stopped after a moment in which it may still answer."""
        try:
            self._run.step(self._memory.done, self._order.count)
        except Stopped:
            self._stopped_at = self._stopped_at or time.monotonic()
            if time.monotonic() - self._stopped_at >= _PATIENCE:
                raise

    def _claimed(self, claimed: dict[int, Outgoing]) -> Iterator[Outgoing]:
        """Instances that nobody else sends; they are in `claimed` too."""
        while not self._is_over:
            with self._lock:
                instance = self._given_back.pop() if self._given_back else next(self._left, None)
            if instance is None:
                return
            claimed[instance.number] = instance
            yield instance

    def _give_back(self, claimed: dict[int, Outgoing]) -> None:
        with self._lock:
            self._given_back += claimed.values()

    def _finish(self, instance: Outgoing) -> None:
        """This one is done, in vain or not."""
        with self._lock:
            self._memory.finish(instance.number)
            is_due = time.monotonic() - self._remembered_at >= _REMEMBERED_EACH
            if is_due:
                self._remembered_at = time.monotonic()
        if is_due:
            self._remember()

    def _remember(self) -> None:
        with self._lock:
            memory = _encode(self._memory)
        self._run.remember(memory)

    def _fail(self, instance: Outgoing, error: OrthancError) -> None:
        """Tells which instance it was, and ends the job unless it is permissive."""
        status = error.status if isinstance(error, DimseFailure) else None
        with self._lock:
            self._memory.fail(instance, error, status)
        self._tell_failures()
        # What has been deleted meanwhile does not concern the modality: Orthanc goes on too.
        if not self._order.permissive and not isinstance(error, UnknownResource):
            raise error

    def _tell_failures(self) -> None:
        with self._lock:
            told = self._memory.told()
        self._run.tell(**told)

    def _references(self) -> Iterator[tuple[str, str]]:
        """What the modality is asked to keep: SOP classes and instances."""
        return ((each.sop_class, each.sop_instance) for each in self._instances)
