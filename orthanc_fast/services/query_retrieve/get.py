"""C-GET of others: instances come back over the association of the request. Source: reference
chapter 4, section 4.3; DICOM PS3.4 section C.4.3.

What is sent is bound by what the requestor has proposed: an instance goes as it is stored where
that was accepted for its SOP class, else transcoded.
"""

from collections.abc import Generator, Iterable
from contextlib import closing
from typing import Final

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import NoPresentationContext, OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.services.exchange.instances import Instances, Outgoing, Presentation
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.query_retrieve.retrieval import Outcome, Retrieval, SubOperation
from orthanc_fast.services.query_retrieve.unique_keys import RequestedInstances, resources_to_get
from orthanc_fast.services.scu.contexts import Context
from orthanc_fast.services.scu.preparing import Preparing, Ready
from orthanc_fast.services.scu.sending import Senders
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.transfer_syntaxes import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from orthanc_fast.upper_layer.negotiation import Agreement
from orthanc_fast.upper_layer.operation import Operation
from orthanc_fast.upper_layer.sending import Sender

# What an instance is transcoded into first of all.
_PREFERRED: Final = (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG)


class Gets:
    """The C-GET requests of one process; may be used from any thread."""

    def __init__(
        self,
        reads: Reads,
        requested: RequestedInstances,
        modalities: ModalityRegistry,
        senders: Senders,
    ) -> None:
        self._read = reads
        self._requested = requested
        self._modalities = modalities
        self._senders = senders

    def begin(self, operation: Operation, caller: Caller) -> Retrieval:
        """What a C-GET will do. Raises as `RequestedInstances` with `resources_to_get`."""
        heading = f'C-GET-SCU request received from AET "{caller.aet}"'
        chosen = self._requested(operation, caller, resources_to_get, heading)
        for each in chosen.resources:
            logger.info(
                Category.DICOM,
                f'C-GET: Sending resource {to_text(each.public)} to modality "{caller.aet}"',
            )
        instances = Instances(self._read, caller, chosen.instances)
        modality = self._modalities.with_title(caller, caller.aet)
        rules = self._senders.rules(modality is None or modality.allow_transcoding)
        offered = Offered(operation.association.agreement, rules.may_transcode)
        return Get(self._senders, operation, instances, offered)


class Offered:
    """The presentation contexts in which the requestor takes instances: those of classes for which
    it has proposed to be SCP, or no role at all."""

    def __init__(self, agreement: Agreement, may_transcode: bool) -> None:
        self._may_transcode = may_transcode
        self._of_class: dict[str, dict[str, int]] = {}
        refused = {role.sop_class for role in agreement.roles if not role.scp}
        for number, answer in sorted(agreement.contexts.items()):
            if answer.abstract_syntax not in refused:
                numbers = self._of_class.setdefault(answer.abstract_syntax, {})
                numbers.setdefault(answer.transfer_syntax, number)
        self._known: dict[Presentation, list[Context]] = {}

    def contexts(self, wanted: Presentation) -> list[Context]:
        """Where an instance may go, in the order of preference: as it is stored, and nowhere else
        if that is possible; else transcoded."""
        found = self._known.get(wanted)
        if found is None:
            found = self._known[wanted] = self._contexts(wanted)
        return found

    def _contexts(self, wanted: Presentation) -> list[Context]:
        numbers = self._of_class.get(wanted.sop_class, {})
        if wanted.transfer_syntax in numbers:
            targets: Iterable[str] = (wanted.transfer_syntax,)
        elif self._may_transcode:
            targets = dict.fromkeys((*(each for each in _PREFERRED if each in numbers), *numbers))
        else:
            targets = ()
        return [Context(numbers[each], each) for each in targets]


class Get(Retrieval):
    """Sends over the association of the request."""

    def __init__(
        self, senders: Senders, operation: Operation, instances: Instances, offered: Offered
    ) -> None:
        self._senders = senders
        self._operation = operation
        self._instances = instances
        self._offered = offered
        self._sender = Sender(operation.association)
        self._message = 0

    @property
    def count(self) -> int:
        return len(self._instances)

    @property
    def is_on_association(self) -> bool:
        return True

    def is_cancelled(self) -> bool:
        """Who waits for an answer sees what else comes: only without one it is to be looked for."""
        if self._message:
            return self._operation.message_id in self._sender.cancelled
        return self._operation.cancelled()

    def run(self) -> Generator[SubOperation]:
        """Raises RequestFailed or PduError where a sub-operation gets no proper answer. While the
        requestor has one instance the next is made ready."""
        aet = self._operation.association.agreement.calling
        with closing(Preparing(self._senders.sources, self._offered.contexts, aet)) as preparing:
            made = (
                (each, self._ready(preparing, each))
                for each in preparing.looking_ahead(self._instances)
            )
            following = next(made, None)
            while following is not None:
                instance, ready = following
                if ready is not None:
                    self._send(instance, ready)
                following = next(made, None)
                outcome = Outcome.FAILED if ready is None else self._answer()
                yield SubOperation(outcome, instance.sop_instance)

    def _ready(self, preparing: Preparing, instance: Outgoing) -> Ready | None:
        """None where it cannot be sent."""
        try:
            instance = preparing.looked_at(instance)
            contexts = self._offered.contexts(instance.presentation)
            if not contexts:
                raise NoPresentationContext(
                    f"the requestor takes nothing of SOP class {instance.sop_class} that could be "
                    f"made of {instance.transfer_syntax}"
                )
            return preparing.ready(instance, contexts)
        except OrthancError as error:
            logger.error(Category.DICOM, f"C-GET of {instance.sop_instance} failed: {error}")
            return None

    def _send(self, instance: Outgoing, ready: Ready) -> None:
        self._message = self._message % 0xFFFF + 1
        self._sender.send(
            ready.context.number,
            instance.sop_class,
            ready.sop_instance,
            [ready.data_set],
            self._message,
        )

    def _answer(self) -> Outcome:
        status = self._sender.answer()
        if status == 0x0000:
            return Outcome.COMPLETED
        return Outcome.WARNING if status >> 12 == 0xB else Outcome.FAILED
