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

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.part10 import Buffer, open_meta
from orthanc_fast.errors import (
    InternalError,
    NetworkProtocol,
    NoPresentationContext,
    OrthancError,
    UnknownResource,
)
from orthanc_fast.log import Category, logger
from orthanc_fast.services.attachments.reading import opened
from orthanc_fast.services.exchange.instances import Outgoing, Presentation
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.scu.contexts import Accepted, Context, Rules, proposals
from orthanc_fast.storage.contract import Storage
from orthanc_fast.transfer_syntaxes import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from orthanc_fast.upper_layer.requestor import Target
from orthanc_fast.upper_layer.sending import Sender

NO_SOP_CLASS: Final = 2014

# Success, coercion of data elements, elements discarded, data set does not match the SOP class,
# duplicate SOP instance: PS3.4 table B.2-1, PS3.7 section C.5.
ACCEPTED: Final = frozenset({0x0000, 0xB000, 0xB006, 0xB007, 0x0111})

# What is transcoded before its turn comes.
_BYTES_AHEAD: Final = 64 << 20

Originator = tuple[str, int]
"""Whose C-MOVE an instance is sent for: AE title and message ID."""


class Refused(NetworkProtocol):
    """The peer has answered a C-STORE with a status of failure; the association goes on."""

    def __init__(self, aet: str, status: int) -> None:
        self.status = status
        super().__init__(
            f'C-STORE SCU to AET "{aet}" has failed with DIMSE status 0x{status:04X}',
            payload={"Content": {"DimseErrorStatus": status}, "Type": "Dimse"},
        )


class _Ready(msgspec.Struct, frozen=True, gc=False):
    """A data set as it goes into a context."""

    context: Context
    sop_instance: str
    data_set: Buffer


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
        self.storage = storage
        self.dictionary = dictionary
        self.quality = settings.dicom_lossy_transcoding_quality
        self.threads = settings.transcoder_threads_count
        self._may_transcode = settings.transcode_dicom_protocol
        self._preferred = settings.dicom_scu_preferred_transfer_syntax

    def rules(self, allow_transcoding: bool) -> Rules:
        """Those of the configuration for a modality, which may forbid transcoding."""
        return Rules(self._may_transcode and allow_transcoding, self._preferred)

    def open(
        self, target: Target, presentations: Iterable[Presentation], rules: Rules
    ) -> "Sending":
        """For instances of these presentations; one that is of none of them is sent too, over an
        association of its own."""
        return Sending(self, target, presentations, rules)


class Sending:
    """One association at a time to one modality; for one thread."""

    def __init__(
        self,
        senders: Senders,
        target: Target,
        presentations: Iterable[Presentation],
        rules: Rules,
    ) -> None:
        self._senders = senders
        self._target = target
        self._presentations = list(presentations)
        self._rules = rules
        self._stack = ExitStack()  # holds the association
        self._sender: Sender | None = None  # None while there is no association
        self._accepted = Accepted({}, rules)
        self._proposed: set[Presentation] = set()
        self._message = 0
        self._ahead: dict[int, Future[_Ready]] = {}
        self._bytes_ahead = 0
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> "Sending":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Releases the association: whatever ends the block, what broke it has closed it."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._close()

    def looking_ahead(self, instances: Iterable[Outgoing]) -> Iterator[Outgoing]:
        """The same instances, while those that follow are made ready."""
        waiting: deque[Outgoing] = deque()
        for each in instances:
            waiting.append(each)
            if len(waiting) > self._senders.threads:
                self._prepare(waiting)
                yield waiting.popleft()
        while waiting:
            self._prepare(waiting)
            yield waiting.popleft()

    def send(self, instance: Outgoing, originator: Originator | None = None) -> int:
        """Sends an instance and waits for the answer: its status, one of `ACCEPTED`.

        Raises Refused for another one; UnknownResource where the instance has been deleted;
        OrthancError 2014 where it has no SOP class;
        NetworkProtocol where the association fails, NoPresentationContext where the peer takes
        nothing of the SOP class; InternalError where it cannot be transcoded; and as reading the
        file does. Another instance may be sent after any of these.
        """
        file = instance.file
        if file is None:
            raise UnknownResource("the instance has been deleted")
        if not instance.transfer_syntax:
            data = opened(self._senders.storage, file)
            instance = msgspec.structs.replace(instance, transfer_syntax=encoding_of(data))
        contexts = self._contexts(instance.presentation)
        future = self._ahead.pop(instance.number, None)
        if future is None:
            ready = self._ready(instance, contexts)
        else:
            self._bytes_ahead -= file.size
            ready = future.result()
            if ready.context not in contexts:  # of an association that is no more
                ready = self._ready(instance, contexts)
        return self._store(instance.sop_class, ready, originator)

    def send_file(self, presentation: Presentation, sop_instance: str, data: Buffer) -> int:
        """As `send`, of a DICOM file that is not stored, and that is never transcoded."""
        context = self._contexts(presentation)[0]
        return self._store(
            presentation.sop_class, _Ready(context, sop_instance, _data_set(data)), None
        )

    def _store(self, sop_class: str, ready: _Ready, originator: Originator | None) -> int:
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
            raise Refused(self._target.called, status)
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

    def _open(self, wanted: Presentation) -> None:
        """Another association, in which there is room for this one."""
        self._close()
        alike = [each for each in self._presentations if each.sop_class == wanted.sop_class]
        first = [wanted, *alike]
        later = self._presentations[self._presentations.index(alike[-1]) + 1 :] if alike else []
        proposed = proposals([*first, *later, *self._presentations], self._rules)
        association = self._stack.enter_context(
            self._senders.associations.open(self._target, proposed)
        )
        self._proposed = {
            Presentation(each.abstract_syntax, syntax)
            for each in proposed
            for syntax in each.transfer_syntaxes
        }
        self._accepted = Accepted(association.agreement.contexts, self._rules)
        self._sender = Sender(association)

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

    # What is sent

    def _prepare(self, instances: Iterable[Outgoing]) -> None:
        """Begins to transcode what must be transcoded, as far as memory allows."""
        for each in instances:
            if each.file is None or each.number in self._ahead:
                continue
            contexts = self._accepted.contexts(each.presentation)
            if not contexts or contexts[0].transfer_syntax == each.transfer_syntax:
                continue
            if self._bytes_ahead and self._bytes_ahead + each.file.size > _BYTES_AHEAD:
                break
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._senders.threads, "transcoder")
            self._bytes_ahead += each.file.size
            self._ahead[each.number] = self._pool.submit(self._ready, each, contexts)

    def _ready(self, instance: Outgoing, contexts: Sequence[Context]) -> _Ready:
        """The data set of an instance, transcoded where the first context asks for that."""
        assert instance.file is not None
        data = opened(self._senders.storage, instance.file)
        if contexts[0].transfer_syntax == instance.transfer_syntax:
            return _Ready(contexts[0], instance.sop_instance, _data_set(data))
        return self._transcoded(instance, data, contexts)

    def _transcoded(self, instance: Outgoing, data: Buffer, contexts: Sequence[Context]) -> _Ready:
        # The imaging room is large: only whoever transcodes loads it.
        from orthanc_fast.services.transcoding.transcode import transcode

        reasons = []
        for context in contexts:
            target = context.transfer_syntax
            try:
                made = transcode(data, target, self._senders.quality, self._senders.dictionary)
            except OrthancError as error:
                reasons.append(str(error))
                continue
            if made.is_lossy:
                logger.warning(
                    Category.DICOM,
                    f"An instance is sent with loss, as {made.sop_instance_uid}: {target} is what "
                    f'the modality with AET "{self._target.called}" has accepted',
                )
            return _Ready(context, made.sop_instance_uid, _data_set(made.data))
        syntaxes = " ".join(context.transfer_syntax for context in contexts)
        raise InternalError(
            f"Cannot transcode instance of SOPClassUID {instance.sop_class} from "
            f"{instance.transfer_syntax} to one of [ {syntaxes} ]",
            private="; ".join(reasons),
        )


def encoding_of(file: Buffer) -> str:
    """The uncompressed transfer syntax in which a file can be read whose own one nobody knows."""
    opened_file = open_meta(file)
    if opened_file.big:
        return EXPLICIT_BIG
    return EXPLICIT_LITTLE if opened_file.explicit else IMPLICIT_LITTLE


def _data_set(file: Buffer) -> Buffer:
    """What of a DICOM file is sent: all behind its meta information, a deflated data set as it
    is."""
    return memoryview(file)[open_meta(file).start :]
