"""The audit log of one process: lines are queued, and written by a thread, so that nobody who
stores or reads waits for it. All processes of a server append to one file.

What is queued when a process is killed is lost (a second at most, of stored instances ten); where
more comes than can be written, what finds no room is counted, in the log itself and in a metric.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Final

import msgspec

from orthanc_fast._ext.ids import to_text
from orthanc_fast.config_audit import AuditLog as Options
from orthanc_fast.log import Category, logger
from orthanc_fast.model import SERVER, Caller, Level, NewInstance
from orthanc_fast.services.audit.entries import Entry, Event, EventOutcome, Subject, Who, who
from orthanc_fast.services.audit.subjects import Subjects
from orthanc_fast.services.store.terms import PATIENT_ID, STUDY_INSTANCE_UID

ROOM: Final = 50_000  # lines that wait
_AT_ONCE: Final = 1000  # lines of one write
_PAUSE: Final = 0.1  # seconds in which more may come: to wake a thread costs more than a line
_GATHERED: Final = 10.0  # seconds in which stored instances of a study become one line
_IDLE: Final = 1.0  # seconds without another one after which that is written
_COMPLAINS: Final = 60.0  # seconds between two lines about a file that cannot be written

_encode = msgspec.json.Encoder().encode


class Note(msgspec.Struct):
    """What happened, before it is looked up whose that is."""

    who: Who
    event: Event
    outcome: EventOutcome
    at: float
    method: str = ""
    route: str = ""
    path: str = ""
    status: int | None = None
    publics: list[bytes] = []
    uids: list[str] = []  # of studies
    subjects: list[Subject] | None = None  # where they had to be looked up at once
    query: dict[str, str] = {}


class _Stored(msgspec.Struct, frozen=True):
    """Stored instances of one study by one caller are one line."""

    who: Who
    patient_id: str
    study_uid: str
    public: bytes  # of the study


class _Sum(msgspec.Struct):
    begun: float
    last: float
    count: int = 0


class AuditLog:
    """`lost` is told of lines that found no room."""

    def __init__(self, options: Options, subjects: Subjects, lost: Callable[[], None]) -> None:
        """Raises OSError where the file cannot be written."""
        self.options = options
        self._subjects = subjects
        self._tell_lost = lost
        self._lost = 0
        self._file = AuditFile(options)
        self._queue: SimpleQueue[Note | _Stored | None] = SimpleQueue()
        self._sums: dict[_Stored, _Sum] = {}
        self._thread = threading.Thread(target=self._write, name="audit", daemon=True)
        self._thread.start()

    def note(self, note: Note) -> None:
        """Takes one line; never waits."""
        self._put(note)

    def stored(self, caller: Caller, new: NewInstance) -> None:
        """An instance is in the store; never waits."""
        tags = new.tags
        patient = tags[Level.PATIENT].get(PATIENT_ID, "")
        study = tags[Level.STUDY].get(STUDY_INSTANCE_UID, "")
        self._put(_Stored(who(caller), patient, study, new.publics[Level.STUDY]))

    def subjects(self, publics: list[bytes], uids: list[str]) -> list[Subject]:
        """Whose these are, at once: for what is about to be deleted."""
        return self._subjects.of(SERVER, publics, uids)

    def close(self) -> None:
        """Writes what is queued."""
        self._queue.put(None)
        self._thread.join()
        self._file.close()

    def _put(self, item: Note | _Stored) -> None:
        if self._queue.qsize() >= ROOM:
            self._lost += 1
            self._tell_lost()
        else:
            self._queue.put(item)

    def _write(self) -> None:
        is_open = True
        while is_open:
            lines: list[bytes] = []
            is_open = self._gather(lines)
            self._finish_sums(lines, all_of_them=not is_open)
            if self._lost and lines:
                lost, self._lost = self._lost, 0
                entry = self._entry(who(SERVER), time.time(), "change", "failed")
                entry.lost = lost
                lines.append(_encode(entry))
            if lines:
                self._file.append(b"\n".join(lines) + b"\n")

    def _gather(self, lines: list[bytes]) -> bool:
        """Waits for lines and takes those that are there; False behind the last one."""
        for number in range(_AT_ONCE):
            try:
                if number:
                    item = self._queue.get_nowait()
                else:
                    item = self._queue.get(timeout=_IDLE if self._sums else None)
                    time.sleep(_PAUSE)
            except Empty:
                break
            if item is None:
                return False
            if isinstance(item, _Stored):
                self._count(item)
            else:
                lines.append(self._line(item))
        return True

    def _count(self, item: _Stored) -> None:
        now = time.time()
        found = self._sums.get(item)
        if found is None:
            found = self._sums[item] = _Sum(now, now)
        found.count += 1
        found.last = now

    def _finish_sums(self, lines: list[bytes], all_of_them: bool) -> None:
        now = time.time()
        for item, sums in list(self._sums.items()):
            if all_of_them or now - sums.last >= _IDLE or now - sums.begun >= _GATHERED:
                del self._sums[item]
                entry = self._entry(item.who, sums.begun, "store", "success")
                entry.instances = sums.count
                entry.resources = [
                    Subject("Study", to_text(item.public), item.patient_id, item.study_uid)
                ]
                lines.append(_encode(entry))

    def _line(self, note: Note) -> bytes:
        entry = self._entry(note.who, note.at, note.event, note.outcome)
        entry.method, entry.route, entry.path = note.method, note.route, note.path
        entry.status, entry.query = note.status, note.query
        found = note.subjects
        if found is None:
            found = self._looked_up(note)
        entry.resources = found
        entry.others = max(0, len(note.publics) + len(note.uids) - len(found))
        return _encode(entry)

    def _looked_up(self, note: Note) -> list[Subject]:
        try:
            return self._subjects.of(SERVER, note.publics, note.uids)
        except Exception as error:  # a line that lacks something is better than none
            logger.warning(Category.GENERIC, f"The audit log cannot look up a patient: {error!r}")
            return []

    @staticmethod
    def _entry(of: Who, at: float, event: Event, outcome: EventOutcome) -> Entry:
        instant = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        return Entry(
            time=instant.replace("+00:00", "Z"),
            event=event,
            outcome=outcome,
            origin=of.origin,
            user=of.user,
            address=of.address,
            aet=of.aet,
            called_aet=of.called_aet,
        )


class AuditFile:
    """A file that several processes append to; whoever finds it too large moves it away, and all
    open the new one, also where somebody else (logrotate) has moved it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._complained = 0.0
        self._descriptor = self._open()

    def append(self, data: bytes) -> None:
        """Whole lines. What cannot be written is said in the log of the server."""
        try:
            if not self._is_current():
                os.close(self._descriptor)
                self._descriptor = self._open()
            while data:
                data = data[os.write(self._descriptor, data) :]
            if self._options.files and self._size() >= self._options.maximum_size:
                self._rotate()
        except OSError as error:
            now = time.monotonic()
            if now - self._complained >= _COMPLAINS or not self._complained:
                self._complained = now
                path = self._options.path
                logger.error(Category.GENERIC, f"The audit log {path} cannot be written: {error}")

    def close(self) -> None:
        os.close(self._descriptor)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self._options.path, flags, 0o600)

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def _is_current(self) -> bool:
        try:
            named = os.stat(self._options.path)
        except FileNotFoundError:
            return False
        opened = os.fstat(self._descriptor)
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)

    def _rotate(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)  # given back with the descriptor
        if self._is_current():  # nobody else was first
            path = self._options.path
            for number in range(self._options.files - 1, 0, -1):
                with suppress(FileNotFoundError):
                    os.replace(f"{path}.{number}", f"{path}.{number + 1}")
            os.replace(path, f"{path}.1")
        os.close(self._descriptor)
        self._descriptor = self._open()
