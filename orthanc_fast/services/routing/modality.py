"""Instances to a modality, by C-STORE: one association for as long as there is something to send.

What the modality does not take as it is, it gets transcoded, as by other sends.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Final

from orthanc_fast.errors import NoPresentationContext, OrthancError
from orthanc_fast.model import Resource
from orthanc_fast.registries import REMOTE_AET
from orthanc_fast.services.exchange.instances import Presentation
from orthanc_fast.services.exchange.modalities import Modality, comparable_aet
from orthanc_fast.services.routing.contract import ANSWER_TIMEOUT, Door, Item, NotNow, Refused
from orthanc_fast.services.scu.associating import DimseFailure
from orthanc_fast.services.scu.echo import answers
from orthanc_fast.services.scu.sending import NO_SOP_CLASS, Senders, Sending
from orthanc_fast.upper_layer.channel import Watch

# Out of resources: the modality may take it later, and would take no other one now.
_NO_ROOM: Final = range(0xA700, 0xA800)
_INTERNAL: Final = -1  # it cannot be transcoded to what the modality takes
_OF_INSTANCE: Final = frozenset({NO_SOP_CLASS, _INTERNAL})
_KNOWN: Final = 100  # presentations


class ModalityDoor(Door):
    """For one thread. `modality` gives the entry as it is now; it raises where there is none.
    `timeout` is in seconds, where the entry has none."""

    def __init__(
        self,
        modality: Callable[[], Modality],
        is_strict: bool,
        timeout: int,
        senders: Senders,
        watch: Watch,
    ) -> None:
        self._modality = modality
        self._is_strict = is_strict
        self._timeout = timeout
        self._senders = senders
        self._watch = watch
        self._stack = ExitStack()
        self._sending: Sending | None = None
        self._opened_for: Modality | None = None
        self._known: dict[Presentation, None] = {}  # the last ones

    def expect(self, presentations: Sequence[Presentation]) -> None:
        """What is new to an association that is open needs another one, which is for all that has
        been seen so far: kinds that alternate do not open one each time."""
        new = [each for each in presentations if each not in self._known]
        if not new:
            return
        self.close()
        for each in new:
            self._known[each] = None
        while len(self._known) > _KNOWN:
            del self._known[next(iter(self._known))]

    def send(self, item: Item) -> None:
        """Raises Refused where the modality answers with another status than those of success or
        of no room, or takes nothing of the SOP class; NotNow where it has no room. Then the
        association goes on."""
        try:
            self._send(self._opened(), item)
        except DimseFailure as error:
            if error.status in _NO_ROOM:
                raise NotNow(error.details, code=error.code) from error
            raise Refused(error.details, code=error.code) from error
        except NoPresentationContext as error:
            raise Refused(error.details, code=error.code) from error
        except OrthancError as error:
            if error.code in _OF_INSTANCE:
                raise Refused(error.details, code=error.code) from error
            self.close()
            raise
        except BaseException:
            self.close()
            raise

    def _send(self, sending: Sending, item: Item) -> None:
        if item.data is None:
            sending.send(item.outgoing)
        else:
            sending.send_made(item.outgoing, item.data)

    def answers(self) -> bool:
        """By C-ECHO, over an association of its own."""
        associations = self._senders.associations
        try:
            modality = self._modality()
            timeout = min(modality.timeout or self._timeout, ANSWER_TIMEOUT)
            target = associations.target(modality, timeout=timeout)
            return answers(associations, target, self._watch)
        except OrthancError:
            return False

    def close(self) -> None:
        self._sending = None
        stack, self._stack = self._stack, ExitStack()
        stack.close()

    def sent_by(self, instance: Resource) -> bool:
        """By its AE title."""
        aet = instance.metadata.get(REMOTE_AET, "")
        if not aet:
            return False
        try:
            own = self._modality().aet
        except OrthancError:
            return False  # it fails when it is sent
        return comparable_aet(aet, self._is_strict) == comparable_aet(own, self._is_strict)

    def _opened(self) -> Sending:
        """For the entry as it is now: one that is replaced or removed is not sent to any longer,
        however much there is to send."""
        modality = self._modality()
        if modality != self._opened_for:
            self.close()
        if self._sending is None:
            self._opened_for = modality
            timeout = modality.timeout or self._timeout
            target = self._senders.associations.target(modality, timeout=timeout)
            rules = self._senders.rules(modality.allow_transcoding)
            self._sending = self._stack.enter_context(
                self._senders.open(target, self._known, rules, self._watch)
            )
        return self._sending
