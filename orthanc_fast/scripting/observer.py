"""Events for scripts, out of the change log: in order, at least once, over restarts, and never in
the way of who stores.

One thread reads the log page by page and hands one event after the other to the script, so what a
slow script has not seen yet takes no memory. How far it has come is kept twice: after each event in
the runtime state, for the next process when this one is killed, and now and then in the index, for
the next start of the server. An event during which the process died several times is left out.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.log import Category, logger
from orthanc_fast.model import SERVER, ChangesPage, Level
from orthanc_fast.registries import CHANGE_NUMBERS, CHANGE_TYPES
from orthanc_fast.scripting.rest_calls import RestCalls
from orthanc_fast.services.scripts.options import Language
from orthanc_fast.services.scripts.progress import Attempt, Progress

PAGE: Final = 500  # changes in memory
KEEP_PERIOD: Final = 1.0  # seconds between two writes to the index, at least
MOST_ATTEMPTS: Final = 3
LOOK_AGAIN: Final = 1.0  # seconds

DELETED: Final = CHANGE_NUMBERS["Deleted"]
NOTED: Final = -1
"""Stands among the numbers of changes for what is no change of the log: jobs, modalities, peers."""


class Event(msgspec.Struct, frozen=True):
    """One change. `kind` is its name in `registries.CHANGE_TYPES`; what is no resource has no
    level."""

    kind: str
    resource: str
    level: Level | None = None
    sequence: int = 0  # its number in the log


class Observer:
    """Follows the changes of one language, in a thread from `start` to `stop`."""

    def __init__(
        self,
        rest: RestCalls,
        language: Language,
        wanted: Callable[[], frozenset[int] | None],
        deliver: Callable[[Event], None],
        settled: Callable[[int], int] = lambda position: position,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        """`wanted` are the numbers of the changes that scripts want to hear of now, None for all.
        What `deliver` raises is logged. `settled` says up to which event, at most the given one,
        all is done that scripts have wanted; what comes after it is not kept as done. `idle` is
        called when there is nothing to deliver for now."""
        services = rest.services
        self._rest = rest
        self._bell = services.runtime.bell
        self._read = services.reads
        self._progress = Progress(language, services.runtime, services.reads)
        self._wanted = wanted
        self._deliver = deliver
        self._idle = idle
        self._settled = settled
        self._listening = (False, False)
        self._position = 0
        self._kept = -1  # nothing yet, also where the log is empty
        self._kept_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """New observers begin with the next change."""
        self._listen(self._wanted())
        self._position, self._attempt = self._progress.begin()
        self._keep()
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Waits so long for the event that is being handled, which otherwise comes again."""
        self._stopping.set()
        self._bell.ring(self._progress.topic)  # it may be waiting
        self._thread.join(seconds)
        self._keep()

    def _run(self) -> None:
        topic = self._progress.topic
        while True:
            heard = self._bell.heard(topic)
            if self._stopping.is_set():
                return
            try:
                if not self._turn():
                    self._idle()
                    self._bell.wait(topic, heard, LOOK_AGAIN)
            except Exception as error:
                logger.error(Category.GENERIC, f"Events for scripts: {error!r}: tried again")
                self._stopping.wait(LOOK_AGAIN)

    def _turn(self) -> bool:
        """False where there was nothing to do."""
        wanted = self._wanted()
        self._listen(wanted)
        self._hear_notes()
        events, last = self._page(wanted)
        for event in events:
            if self._stopping.is_set():
                return True
            self._hand_over(event.sequence, event)
            self._position = event.sequence
            self._keep_in_time()
        if events:
            return True
        self._position = max(self._position, last)  # nothing among them is wanted
        self._keep_in_time()
        return False

    def _listen(self, wanted: frozenset[int] | None) -> None:
        """What is not in the log is noted for those only who want to hear of it."""
        deletions = wanted is None or DELETED in wanted
        notes = wanted is None or NOTED in wanted
        if (deletions, notes) == self._listening:
            return
        write = self._progress.listen(deletions)
        self._rest.run(self._rest.services.writes(SERVER, write))
        self._progress.listen_to_notes(notes)
        self._listening = (deletions, notes)

    def _page(self, wanted: frozenset[int] | None) -> tuple[list[Event], int]:
        """The next events, and the last number of the log."""
        page: ChangesPage = self._read(
            SERVER, lambda view: view.changes(self._position, -1, PAGE, wanted)
        )
        events = [
            Event(CHANGE_TYPES[each.type], to_text(each.public), Level(each.level), sequence)
            for sequence, each in page.changes
        ]
        if self._listening[0]:
            events += [
                Event("Deleted", to_text(public), level, sequence)
                for sequence, level, public in self._progress.deletions(self._position, PAGE)
            ]
            events.sort(key=lambda event: event.sequence)
            events = events[:PAGE]  # what is left out comes after these in both
        return events, page.last_allocated

    def _hear_notes(self) -> None:
        while not self._stopping.is_set():
            found = self._progress.next_note()
            if found is None:
                return
            name, note = found
            if note.attempts <= MOST_ATTEMPTS:
                self._tell(Event(note.kind, note.resource))
            self._progress.forget_note(name)

    def _hand_over(self, sequence: int, event: Event) -> None:
        suspect = self._attempt
        settled = self._settled(sequence - 1)
        if sequence < suspect.sequence:  # repeated, since what it has wanted was not done yet
            number = 1
            self._attempt = Attempt(suspect.sequence, suspect.number, settled)
        else:
            number = suspect.number + 1 if sequence == suspect.sequence else 1
            self._attempt = Attempt(sequence, number, settled)
        if number > MOST_ATTEMPTS:
            logger.error(
                Category.GENERIC,
                f"The event {event.kind} of {event.resource} is left out: the process has ended "
                f"{MOST_ATTEMPTS} times while a script was handling it",
            )
            return
        self._progress.attempt(self._attempt)
        self._tell(event)

    def _tell(self, event: Event) -> None:
        try:
            self._deliver(event)
        except Exception as error:
            logger.error(Category.GENERIC, f"{event.kind} of {event.resource}: {error}")

    def _keep_in_time(self) -> None:
        """Not as soon as there is nothing to deliver, which is so after every few events where the
        script is quick: each write to the index is a commit, in the way of those who store."""
        if self._position != self._kept and time.monotonic() - self._kept_at > KEEP_PERIOD:
            self._keep()

    def _keep(self) -> None:
        settled = self._settled(self._position)
        if settled != self._kept:
            self._rest.run(self._rest.services.writes(SERVER, self._progress.keep(settled)))
            self._kept = settled
        self._kept_at = time.monotonic()
