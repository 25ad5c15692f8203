"""One destination: its queue is sent, in order, one instance after the other.

An instance is sent, its success is written into the index, then the next one is sent. What fails
is tried again after pauses that grow; all of it waits meanwhile, and nobody else does.
"""

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec

from orthanc_fast.config_routing import Destination, Hours
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.log import Category, logger
from orthanc_fast.model import SERVER, SHA1, Attachment, Level, Resource
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.runtime.bell import Bell
from orthanc_fast.services.exchange.instances import Instances, outgoing
from orthanc_fast.services.routing.alterations import Alteration, Altering
from orthanc_fast.services.routing.contract import (
    Door,
    Hopeless,
    Interrupted,
    Item,
    NotNow,
    Refused,
    Stop,
)
from orthanc_fast.services.routing.queues import Failure, Front, Outcome, Queues
from orthanc_fast.services.routing.records import TOPIC, Entry
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.storage.contract import Storage

_IDLE: Final = 2.0  # seconds after the last instance until what is open is closed
_KILOBYTE: Final = 1024
_JITTER: Final = 0.1
_FAULT_PAUSE: Final = 1.0  # seconds, where this server itself fails

# No memory, a full disk, a file that is missing or cannot be read: that may pass.
_OF_STORAGE: Final = frozenset({4, 19, 2001, 2006})
_CORRUPTED: Final = 20

Clock = Callable[[], float]


class Workshop(msgspec.Struct, frozen=True):
    """What the senders of one process share."""

    reads: Reads
    queues: Queues
    bell: Bell
    alterations: Mapping[str, Alteration]  # by rule
    main_tags: MainTags
    dictionary: Dictionary
    storage: Storage
    logs_exports: bool
    clock: Clock = time.time


class Sender:
    """For one thread."""

    def __init__(
        self, name: str, destination: Destination, door: Door, workshop: Workshop, stop: Stop
    ) -> None:
        self._name = name
        self._destination = destination
        self._hours = Hours(destination.hours)
        self._door = door
        self._shop = workshop
        self._stop = stop
        self._free_at = 0.0  # by bandwidth
        self._free_after = 0.0  # seconds of that at most
        self._unwritten: Callable[[], None] | None = None  # what has been done with an instance
        self._used_at = 0.0
        self._expected = -1  # the number of the entry that the door knows
        self._altering: tuple[int, Altering] | None = None  # of the entry with this number

    def serve(self) -> None:
        """Returns when the process stops."""
        while not self._stop.is_set:
            heard = self._shop.bell.heard(TOPIC)
            try:
                wait = self.turn()
            except Interrupted:
                break
            except Exception as error:  # the index, or what nobody has thought of: nothing is lost
                logger.error(Category.GENERIC, f"Routing: {self._name}: {error!r}: tried again")
                wait = _FAULT_PAUSE
            if wait > 0 and not self._stop.is_set:
                self._shop.bell.wait(TOPIC, heard, wait)
        with suppress(Interrupted, OrthancError):
            self._door.close()

    def turn(self) -> float:
        """Sends the instance in front, if it is time to; returns for how many seconds there is
        nothing to do. Raises Interrupted, StorageFault, FullStorage."""
        if self._unwritten is not None:  # the index failed: that is no reason to send it again
            self._unwritten()
            self._unwritten = None
        now = self._shop.clock()
        front = self._shop.queues.front(self._name)
        if front is None or front.queue.is_paused or not self._hours.is_open(now):
            self._rest(now)
            return _IDLE
        wait = self._wait(front, now)
        if wait > 0:
            self._rest(now)
            return wait
        self._attempt(front)
        return 0.0

    def _wait(self, front: Front, now: float) -> float:
        """Seconds; of a clock that has been set back no more than there would have been."""
        if self._free_at - now > self._free_after:
            self._free_at = now + self._free_after
        pause = front.queue.not_before - now
        if pause > self._destination.longest_pause * (1 + _JITTER):
            pause = 0.0
        return max(pause, self._free_at - now)

    def _rest(self, now: float) -> None:
        if self._used_at and now - self._used_at >= _IDLE:
            self._door.close()
            self._used_at = 0.0
            self._altering = None

    # One instance

    def _attempt(self, front: Front) -> None:
        queue, number, entry = front
        offset = queue.offset if number == queue.first else 0
        public = entry.instances[offset * SHA1 : (offset + 1) * SHA1]
        instance = self._record(public)
        file = None if instance is None else instance.attachments.get(DICOM_ATTACHMENT)
        if instance is None or file is None:
            self._done(front, offset, "gone")
            return
        if entry.rule not in self._shop.alterations:
            text = f"there is no rule {entry.rule!r} any more"
            logger.error(Category.GENERIC, f"Routing: {self._name}: {text}: set aside")
            self._shop.queues.give_up(self._name, number, offset, text, self._shop.clock())
            return
        item = None
        began = self._shop.clock()
        try:
            if not self._destination.send_back and self._door.sent_by(instance):
                self._done(front, offset, "sent_back")
                return
            item = self._item(front, instance, file)
            self._expect(front, item)
            began = self._used_at = self._shop.clock()
            self._door.send(item)
        except OrthancError as error:
            there = self._record(public)
            if there is None:  # deleted while it was sent
                self._done(front, offset, "gone")
            elif there.attachments.get(DICOM_ATTACHMENT) == file:
                self._fail(front, offset, self._judged(error, item), began)
            return  # one that was replaced is tried again as it is now
        except Interrupted:
            raise
        except Exception as error:  # what nobody has thought of must not hold up the others
            logger.error(Category.GENERIC, f"Routing: {self._name}: {error!r}")
            self._fail(front, offset, Refused(repr(error)), began)
            return
        self._used_at = self._shop.clock()
        if self._destination.bandwidth:
            seconds = item.size / (self._destination.bandwidth * _KILOBYTE)
            self._free_at, self._free_after = max(self._free_at, began) + seconds, seconds
        self._done(front, offset, "sent")

    def _done(self, front: Front, offset: int, outcome: Outcome) -> None:
        queues, now = self._shop.queues, self._shop.clock()
        exported = None
        if outcome == "sent" and self._shop.logs_exports:
            exported = front.entry.instances[offset * SHA1 : (offset + 1) * SHA1]
        self._unwritten = partial(
            queues.done, self._name, front.number, offset, outcome, now, exported
        )
        self._unwritten()
        self._unwritten = None

    def _judged(self, error: OrthancError, item: Item | None) -> OrthancError:
        """As Refused where the file itself is what fails: the destination may be there."""
        if isinstance(error, Refused) or item is None or item.data is not None:
            return error
        size = self._shop.storage.size(item.file.uuid)
        if error.code == _CORRUPTED or size is None or size < item.file.stored_size:
            return Refused(error.details or error.text, private=error, code=error.code)
        return error

    def _fail(self, front: Front, offset: int, error: OrthancError, began: float) -> None:
        queue, number, entry = front
        destination = self._destination
        is_refusal = self._is_refusal(error)
        now = self._shop.clock()
        pause = min(
            destination.first_pause * 2 ** min(queue.attempts, 40), destination.longest_pause
        )
        pause *= random.uniform(1 - _JITTER, 1 + _JITTER)
        lasted = max(0.0, now - began) + pause
        limit = ""
        if isinstance(error, Hopeless):
            limit = "the rule, which cannot be carried out"
        elif is_refusal and queue.refusals + 1 >= destination.attempts:
            limit = f"Attempts ({destination.attempts})"
        elif destination.give_up_after and queue.tried_for + lasted > destination.give_up_after:
            limit = f"GiveUpAfter ({destination.give_up_after:g} s)"
        text = error.details or error.text
        what = f"Routing: {self._name}: rule {entry.rule}: {error}"
        if limit:
            logger.error(Category.GENERIC, f"{what}: set aside, by {limit}")
            text = f"{text} [set aside by {limit}]"
            self._shop.queues.give_up(self._name, number, offset, text, now)
        else:
            logger.warning(Category.GENERIC, f"{what}: tried again in {pause:.0f} s")
            failure = Failure(text, is_refusal, lasted, now + pause)
            self._shop.queues.failed(self._name, number, offset, failure, now)

    def _is_refusal(self, error: OrthancError) -> bool:
        """Whether it was because of the instance: the destination may have broken off at this one,
        and take all others."""
        if isinstance(error, Refused):
            return True
        if isinstance(error, NotNow) or error.code in _OF_STORAGE:
            return False
        return self._door.answers()

    # What is sent

    def _item(self, front: Front, instance: Resource, file: Attachment) -> Item:
        """Raises Refused where its file cannot be read, Hopeless where it cannot be made."""
        entry = front.entry
        described = outgoing(0, instance)
        alteration = self._shop.alterations[entry.rule]
        if alteration.is_none:
            return Item(entry.rule, instance, described, file)
        try:
            data = self._begun(front, alteration).apply(file)
            header = read_header(data, self._shop.main_tags, self._shop.dictionary)
        except OrthancError as error:
            kind = Refused if error.code in _OF_STORAGE else Hopeless
            raise kind(error.details, private=error, code=error.code) from error
        described = msgspec.structs.replace(
            described,
            sop_class=header.sop_class or "",
            sop_instance=header.sop_uid,
            transfer_syntax=header.transfer_syntax or described.transfer_syntax,
            file=msgspec.structs.replace(file, size=len(data)),
        )
        return Item(entry.rule, instance, described, file, data)

    def _expect(self, front: Front, item: Item) -> None:
        """All that the entry has is negotiated for together."""
        if item.data is not None or self._expected == front.number:
            self._door.expect([item.outgoing.presentation])
            return
        self._expected = front.number
        instances = Instances(self._shop.reads, SERVER, front.entry.instances)
        self._door.expect(instances.presentations())

    def _begun(self, front: Front, alteration: Alteration) -> Altering:
        if self._altering is None or self._altering[0] != front.number:
            queues = self._shop.queues
            files = self._files(front.entry) if alteration.looks_ahead else []
            altering = alteration.begin(lambda: queues.change(alteration.secret), files)
            self._altering = front.number, altering
        return self._altering[1]

    def _files(self, entry: Entry) -> list[Attachment]:
        """All of the resource of the event, which may have more than one entry; of stored instances
        those of the entry."""

        def read(view: Snapshot) -> list[Resource | None]:
            level, packed = Level(entry.level), entry.instances
            resource = view.resource(level, entry.public)
            if level < Level.INSTANCE and resource is not None:
                packed = view.descendants_packed(resource, Level.INSTANCE)
            return view.resources(Level.INSTANCE, list(unpack(packed)))

        found = (each for each in self._shop.reads(SERVER, read) if each is not None)
        files = (each.attachments.get(DICOM_ATTACHMENT) for each in found)
        return [each for each in files if each is not None]

    def _record(self, public: bytes) -> Resource | None:
        return self._shop.reads(SERVER, lambda view: view.resource(Level.INSTANCE, public))
