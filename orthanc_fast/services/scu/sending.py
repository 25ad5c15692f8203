"""C-STORE SCU: an open association to which stored instances are sent one after the other.

    senders.open(target, instances.presentations(), rules) -> Sending
    with sending:
        for each in sending.looking_ahead(instances):
            status = sending.send(each, originator)

An instance goes as it is stored where the peer accepts that, straight from the file behind its meta
information; else it is transcoded, while others are sent and answered. The association is opened
with the first instance and again after one at which it broke; more than one in a row are needed
only where the SOP classes of a job have no room in one. Source: reference chapter 4, sections 5.3
and 5.5; DICOM PS3.4 annex B.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Final

from orthanc_fast._ext.pdata import PduError
from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.errors import NetworkProtocol, NoPresentationContext, OrthancError
from orthanc_fast.services.exchange.instances import Outgoing, Presentation
from orthanc_fast.services.scu.associating import Associations, DimseFailure
from orthanc_fast.services.scu.contexts import Accepted, Context, Rules, proposals
from orthanc_fast.services.scu.preparing import Preparing, Ready, Sources, data_set_of
from orthanc_fast.storage.contract import Storage
from orthanc_fast.upper_layer.channel import Watch
from orthanc_fast.upper_layer.requestor import Target
from orthanc_fast.upper_layer.sending import Sender

NO_SOP_CLASS: Final = 2014

# Success, coercion of data elements, elements discarded, data set does not match the SOP class,
# duplicate SOP instance: PS3.4 table B.2-1, PS3.7 section C.5.
SUCCESS: Final = 0x0000
ACCEPTED: Final = frozenset({0x0000, 0xB000, 0xB006, 0xB007, 0x0111})

Originator = tuple[str, int]
"""Whose C-MOVE an instance is sent for: AE title and message ID."""


Sends = Callable[[Outgoing, Target], bool]
"""Whether this instance may be sent there."""


def everything(instance: Outgoing, target: Target) -> bool:
    """Where nobody is asked."""
    return True


class Senders:
    """Opens associations for sending; one per process. What is sent has been looked up for a
    caller, who is not asked for again."""

    def __init__(
        self,
        settings: Settings,
        associations: Associations,
        storage: Storage,
        dictionary: Dictionary,
    ) -> None:
        self.associations = associations
        self.sends: Sends = everything
        self.sources = Sources(
            storage,
            dictionary,
            settings.dicom_lossy_transcoding_quality,
            settings.transcoder_threads_count,
        )
        self._may_transcode = settings.transcode_dicom_protocol
        self._preferred = settings.dicom_scu_preferred_transfer_syntax

    def rules(self, allow_transcoding: bool) -> Rules:
        """Those of the configuration for a modality, which may forbid transcoding."""
        return Rules(self._may_transcode and allow_transcoding, self._preferred)

    def open(
        self,
        target: Target,
        presentations: Iterable[Presentation],
        rules: Rules,
        watch: Watch | None = None,
    ) -> "Sending":
        """For instances of these presentations; one that is of none of them is sent too, over an
        association of its own. `watch` as that of `Associations.open`."""
        return Sending(self, target, presentations, rules, watch)


class Sending:
    """One association at a time to one modality; for one thread."""

    def __init__(
        self,
        senders: Senders,
        target: Target,
        presentations: Iterable[Presentation],
        rules: Rules,
        watch: Watch | None,
    ) -> None:
        self._senders = senders
        self._target = target
        self._presentations = list(presentations)
        self._rules = rules
        self._watch = watch
        self._stack = ExitStack()  # holds the association
        self._sender: Sender | None = None  # None while there is no association
        self._accepted = Accepted({}, rules)
        self._proposed: set[Presentation] = set()
        self._message = 0
        self._preparing = Preparing(senders.sources, self._possible, target.called)

    def __enter__(self) -> "Sending":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Releases the association: whatever ends the block, what broke it has closed it."""
        self._preparing.close()
        self._close()

    @property
    def is_open(self) -> bool:
        """Whether there is an association: not before the first instance, nor after one at which
        it broke."""
        return self._sender is not None

    def looking_ahead(self, instances: Iterable[Outgoing]) -> Iterator[Outgoing]:
        """The same instances, while those that follow are made ready."""
        return self._preparing.looking_ahead(instances)

    def send(self, instance: Outgoing, originator: Originator | None = None) -> int:
        """Sends an instance and waits for the answer: its status, one of `ACCEPTED`. One that is
        not to be sent counts as accepted.

        Raises DimseFailure for another one; UnknownResource where the instance has been deleted;
        OrthancError 2014 where it has no SOP class; NetworkProtocol where the association fails,
        NoPresentationContext where the peer takes nothing of the SOP class; InternalError where it
        cannot be transcoded; and as reading the file does. Another instance may be sent after any
        of these.
        """
        instance = self._preparing.looked_at(instance)
        if not self._senders.sends(instance, self._target):
            return SUCCESS
        contexts = self._contexts(instance.presentation)
        ready = self._preparing.ready(instance, contexts)
        return self._store(instance.sop_class, ready, originator)

    def send_file(self, presentation: Presentation, sop_instance: str, data: Buffer) -> int:
        """As `send`, of a DICOM file that is not stored, and that is never transcoded."""
        context = self._contexts(presentation)[0]
        return self._store(
            presentation.sop_class, Ready(context, sop_instance, data_set_of(data)), None
        )

    def send_made(self, made: Outgoing, data: Buffer) -> int:
        """As `send`, of a DICOM file that is not stored: `made` describes it."""
        contexts = self._contexts(made.presentation)
        return self._store(made.sop_class, self._preparing.made(made, contexts, data), None)

    def _store(self, sop_class: str, ready: Ready, originator: Originator | None) -> int:
        assert self._sender is not None
        self._message = self._message % 0xFFFF + 1
        try:
            status = self._sender.store(
                ready.context.number,
                sop_class,
                ready.sop_instance,
                [ready.data_set],
                self._message,
                originator,
            )
        except BaseException as error:
            self._drop(error)
            raise
        if status not in ACCEPTED:
            raise DimseFailure("C-STORE", self._target, status)
        return status

    # The association

    def _contexts(self, wanted: Presentation) -> list[Context]:
        """Where an instance may go, in the order of preference; at least one."""
        if not wanted.sop_class:
            raise OrthancError(
                "Unable to determine the SOP class/instance for C-STORE with AET "
                f"{self._target.called}",
                code=NO_SOP_CLASS,
            )
        if self._sender is None or wanted not in self._proposed:
            self._open(wanted)
        found = self._accepted.contexts(wanted)
        if not found:
            raise self._not_accepted(wanted)
        return found

    def _possible(self, wanted: Presentation) -> list[Context]:
        """As `_contexts`, of the association that there is; none where there is none."""
        return self._accepted.contexts(wanted) if self._sender is not None else []

    def _open(self, wanted: Presentation) -> None:
        """Another association, in which there is room for this one."""
        self._close()
        alike = [each for each in self._presentations if each.sop_class == wanted.sop_class]
        first = [wanted, *alike]
        later = self._presentations[self._presentations.index(alike[-1]) + 1 :] if alike else []
        proposed = proposals([*first, *later, *self._presentations], self._rules)
        association = self._stack.enter_context(
            self._senders.associations.open(self._target, proposed, watch=self._watch)
        )
        self._proposed = {
            Presentation(each.abstract_syntax, syntax)
            for each in proposed
            for syntax in each.transfer_syntaxes
        }
        self._accepted = Accepted(association.agreement.contexts, self._rules)
        try:
            self._sender = Sender(association)
        except PduError as error:
            self._drop(error)
            raise

    def _close(self) -> None:
        self._sender = None
        self._stack.close()

    def _drop(self, error: BaseException) -> None:
        self._sender = None
        stack, self._stack = self._stack, ExitStack()
        stack.__exit__(type(error), error, error.__traceback__)

    def _not_accepted(self, wanted: Presentation) -> OrthancError:
        aet = self._target.called
        if self._rules.may_transcode or not self._accepted.has_class(wanted.sop_class):
            return NoPresentationContext(
                f'Unable to negotiate a presentation context with AET "{aet}"'
            )
        return NetworkProtocol(
            "No valid presentation context was negotiated for SOP class UID "
            f"[{wanted.sop_class}] and transfer syntax [{wanted.transfer_syntax}] while sending to "
            f"modality [{aet}]"
        )
